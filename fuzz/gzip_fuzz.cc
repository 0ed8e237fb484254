// Any bytes as a gzip file of a bucket: never more than the limit, and what is unpacked packs and unpacks to itself.
#include "velero/gzip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  constexpr size_t kLimit = 1 << 20;
  const Result<std::string> plain = velero::gunzip({reinterpret_cast<const char*>(data), size}, kLimit);
  if (!plain) return 0;
  CHECK(plain->size() <= kLimit);
  CHECK(velero::gunzip(velero::gzip(*plain).value(), kLimit).value() == *plain);
  return 0;
}
