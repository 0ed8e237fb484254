// A key file of foreign JSON is refused, or prints and reads back the same. Its password is never derived here: the
// costs are bounded by the derivation itself.
#include "repo/key.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto key = repo::decode_key_file({reinterpret_cast<const char*>(data), size});
  if (!key) return 0;
  const std::string text = repo::encode_key_file(*key);
  CHECK(repo::encode_key_file(repo::decode_key_file(text).value()) == text);
  return 0;
}
