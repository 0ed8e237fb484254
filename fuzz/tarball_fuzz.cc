// Whatever the bytes, reading ends with an error or with an index whose objects can be asked for.
#include "backup/tarball.h"
#include "base/check.h"
#include "velero/gzip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::backup;
  const Tarball::Limits limits{
      .object_bytes = 1 << 20, .total_bytes = 16 << 20, .entries = 10'000, .spill_directory = {}};
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  // The same bytes as a packed tarball, and as the tar inside one, so that mutations reach the tar layer too.
  for (const std::string& packed : {bytes, velero::gzip(bytes).value()}) {
    const Result<Tarball> tarball = Tarball::read(memory_source(packed), limits);
    if (!tarball) continue;
    for (const Tarball::Entry& entry : tarball->entries()) {
      CHECK(entry.item.key.name.find("..") != 0 || entry.item.key.name.size() > 2);
      CHECK(tarball->find(entry.item.key) != nullptr);
      if (const Result<json::object> object = tarball->object(entry)) CHECK(!object->empty());
    }
  }
  return 0;
}
