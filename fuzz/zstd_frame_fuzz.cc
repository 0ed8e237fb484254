// Frames of foreign bytes never give more than the limit; what is compressed comes back.
#include "repo/compress.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr uint64_t kLimit = 1 << 20;
  const auto plain = repo::decompress(input, kLimit);
  CHECK(!plain || plain->size() <= kLimit);
  std::string frame;
  repo::compress_to(input, repo::Compression::fastest, frame);
  CHECK(repo::decompress(frame, size).value() == input);
  return 0;
}
