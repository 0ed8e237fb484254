// Whatever a log file holds, reading its claim ends with an error, with none, or with one that names an attempt.
#include "backup/claim.h"
#include "base/check.h"
#include "velero/gzip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string& packed : {bytes, velero::gzip(bytes).value()}) {
    const Result<std::optional<backup::Claim>> claim = backup::read_claim(packed);
    if (claim.ok() && claim->has_value()) CHECK(!(*claim)->attempt.empty());
  }
  return 0;
}
