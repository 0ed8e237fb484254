#include "velero/names.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"
#include "base/text.h"

namespace holdfast::velero {

std::string label_value(std::string_view name) {
  constexpr size_t kLongest = 63;
  constexpr size_t kHashLength = 6;
  if (name.size() <= kLongest) return std::string(name);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  CHECK(EVP_Digest(name.data(), name.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  const std::string hex = to_hex(std::as_bytes(std::span(digest.data(), size)));
  return std::string(name.substr(0, kLongest - kHashLength)) + hex.substr(0, kHashLength);
}

bool is_final(std::string_view phase) {
  return phase == phase::kCompleted || phase == phase::kPartiallyFailed || phase == phase::kFailed ||
         phase == phase::kFailedValidation;
}

}  // namespace holdfast::velero
