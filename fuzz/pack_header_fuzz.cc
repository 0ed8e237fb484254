// A pack header of foreign bytes is refused or prints back to the same bytes; so does a whole pack's tail.
#include "base/text.h"
#include "repo/pack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const crypto::EnvelopeKey kKey = crypto::EnvelopeKey::from(crypto::Secret::of(std::string(64, 'k'))).value();
  uint64_t blob_bytes = 0;
  for (size_t at = 0; at + 37 <= size;) {
    const bool compressed = data[at] >= 2;
    for (unsigned i = 0; i < 4; ++i) blob_bytes += uint64_t{data[at + 1 + i]} << (8 * i);
    at += compressed ? 41 : 37;
  }
  if (const auto blobs = repo::decode_pack_header(input, blob_bytes)) {
    CHECK(repo::encode_pack_header(*blobs) == input);
    CHECK(repo::pack_size_of(*blobs) == blob_bytes + size + 36);
  }
  const auto read = [&](uint64_t offset, uint64_t length) -> Result<std::string> {
    return std::string(input.substr(offset, length));
  };
  CHECK(!repo::read_pack_header(kKey, size, read));
  return 0;
}
