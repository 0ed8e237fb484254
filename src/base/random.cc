#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace holdfast {

void random_bytes(std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = getrandom(out.data() + done, out.size() - done, 0);
    if (n < 0 && errno == EINTR) continue;
    CHECK(n > 0);
    done += static_cast<size_t>(n);
  }
}

std::string random_hex(size_t count) {
  std::vector<std::byte> bytes(count);
  random_bytes(bytes);
  return to_hex(bytes);
}

std::string random_name_suffix(size_t count) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  while (out.size() < count) {
    std::byte byte{};
    random_bytes({&byte, 1});
    const auto number = std::to_integer<size_t>(byte);
    // Bytes above the last whole multiple would favour the first letters.
    if (number < 256 / kLetters.size() * kLetters.size()) out.push_back(kLetters[number % kLetters.size()]);
  }
  return out;
}

std::string random_uuid() {
  std::byte bytes[16];
  random_bytes(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text = to_hex(bytes);
  for (const size_t at : {size_t{8}, size_t{13}, size_t{18}, size_t{23}}) text.insert(at, "-");
  return text;
}

}  // namespace holdfast
