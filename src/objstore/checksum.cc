#include "objstore/checksum.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <array>

#include "base/check.h"
#include "base/text.h"

namespace holdfast::objstore {

namespace {

constexpr std::array<uint32_t, 256> kCastagnoli = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ 0x82f63b78U : value >> 1;
    table[byte] = value;
  }
  return table;
}();

uint32_t crc32c_of(std::string_view bytes) {
  uint32_t value = 0xffffffffU;
  for (const char c : bytes) value = kCastagnoli[(value ^ static_cast<unsigned char>(c)) & 0xff] ^ (value >> 8);
  return ~value;
}

uint32_t crc32_of(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), out, &size, kind, nullptr) == 1);
  return {reinterpret_cast<char*>(out), size};
}

}  // namespace

Result<ChecksumAlgorithm> parse_checksum_algorithm(std::string_view text) {
  const std::string name = to_lower(text);
  if (name.empty()) return ChecksumAlgorithm::none;
  if (name == "crc32") return ChecksumAlgorithm::crc32;
  if (name == "crc32c") return ChecksumAlgorithm::crc32c;
  if (name == "sha1") return ChecksumAlgorithm::sha1;
  if (name == "sha256") return ChecksumAlgorithm::sha256;
  const ErrorCode code = name == "crc64nvme" ? ErrorCode::unsupported : ErrorCode::invalid;
  return Error(code, fmt::format("checksumAlgorithm '{}' is not known", text),
               "take CRC32, CRC32C, SHA1 or SHA256, or \"\" for none");
}

std::string_view to_string(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case ChecksumAlgorithm::none:
      return "";
    case ChecksumAlgorithm::crc32:
      return "CRC32";
    case ChecksumAlgorithm::crc32c:
      return "CRC32C";
    case ChecksumAlgorithm::sha1:
      return "SHA1";
    case ChecksumAlgorithm::sha256:
      return "SHA256";
  }
  return "";
}

std::string checksum_of(ChecksumAlgorithm algorithm, std::string_view bytes) {
  switch (algorithm) {
    case ChecksumAlgorithm::none:
      return {};
    case ChecksumAlgorithm::crc32:
      return to_base64(big_endian(crc32_of(bytes)));
    case ChecksumAlgorithm::crc32c:
      return to_base64(big_endian(crc32c_of(bytes)));
    case ChecksumAlgorithm::sha1:
      return to_base64(digest(EVP_sha1(), bytes));
    case ChecksumAlgorithm::sha256:
      return to_base64(digest(EVP_sha256(), bytes));
  }
  return {};
}

}  // namespace holdfast::objstore
