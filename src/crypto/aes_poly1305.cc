#include "crypto/aes_poly1305.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

#include "base/random.h"

namespace holdfast::crypto {

namespace {

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

unsigned char* raw(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// One set of contexts a thread: making them costs more than sealing a small blob. Keys do not stay in them.
struct Contexts {
  std::unique_ptr<EVP_CIPHER_CTX, Free> cipher{EVP_CIPHER_CTX_new()};
  std::unique_ptr<EVP_MAC_CTX, Free> mac{EVP_MAC_CTX_new(poly1305())};

  static EVP_MAC* poly1305() {
    static EVP_MAC* const kMac = EVP_MAC_fetch(nullptr, "POLY1305", nullptr);
    return kMac;
  }
  static const EVP_CIPHER* cipher_named(const char* name) { return EVP_CIPHER_fetch(nullptr, name, nullptr); }
  static const EVP_CIPHER* ctr() {
    static const EVP_CIPHER* const kCipher = cipher_named("AES-256-CTR");
    return kCipher;
  }
  static const EVP_CIPHER* ecb() {
    static const EVP_CIPHER* const kCipher = cipher_named("AES-128-ECB");
    return kCipher;
  }
};

Contexts& contexts() {
  thread_local Contexts own;
  return own;
}

void apply_ctr(const EnvelopeKey& key, std::span<const std::byte> iv, std::span<const std::byte> in,
               std::span<std::byte> out) {
  EVP_CIPHER_CTX* context = contexts().cipher.get();
  CHECK(EVP_EncryptInit_ex2(context, Contexts::ctr(), raw(key.encrypt().data()), raw(iv.data()), nullptr) == 1);
  for (size_t done = 0; done < in.size();) {
    const auto piece = static_cast<int>(std::min<size_t>(in.size() - done, size_t{1} << 30));
    int written = 0;
    CHECK(EVP_EncryptUpdate(context, raw(out.data() + done), &written, raw(in.data() + done), piece) == 1);
    CHECK(written == piece);
    done += static_cast<size_t>(piece);
  }
  EVP_CIPHER_CTX_reset(context);
}

std::array<std::byte, kTagSize> tag_of(const EnvelopeKey& key, std::span<const std::byte> iv,
                                       std::span<const std::byte> ciphertext) {
  Contexts& own = contexts();
  std::array<std::byte, 32> one_time;
  std::copy_n(key.mac_r().begin(), 16, one_time.begin());
  int written = 0;
  CHECK(EVP_EncryptInit_ex2(own.cipher.get(), Contexts::ecb(), raw(key.mac_k().data()), nullptr, nullptr) == 1);
  CHECK(EVP_CIPHER_CTX_set_padding(own.cipher.get(), 0) == 1);
  CHECK(EVP_EncryptUpdate(own.cipher.get(), raw(one_time.data() + 16), &written, raw(iv.data()), 16) == 1);
  CHECK(written == 16);
  EVP_CIPHER_CTX_reset(own.cipher.get());

  std::array<std::byte, kTagSize> tag;
  size_t tag_size = 0;
  CHECK(EVP_MAC_init(own.mac.get(), raw(one_time.data()), one_time.size(), nullptr) == 1);
  CHECK(EVP_MAC_update(own.mac.get(), raw(ciphertext.data()), ciphertext.size()) == 1);
  CHECK(EVP_MAC_final(own.mac.get(), raw(tag.data()), &tag_size, tag.size()) == 1);
  CHECK(tag_size == tag.size());
  wipe(one_time);
  return tag;
}

void seal_under(const EnvelopeKey& key, std::span<const std::byte> iv, std::span<const std::byte> plaintext,
                std::span<std::byte> out) {
  CHECK(out.size() == plaintext.size() + kEnvelopeOverhead);
  std::copy(iv.begin(), iv.end(), out.begin());
  const std::span<std::byte> ciphertext = out.subspan(kIvSize, plaintext.size());
  apply_ctr(key, iv, plaintext, ciphertext);
  const auto tag = tag_of(key, iv, ciphertext);
  std::copy(tag.begin(), tag.end(), out.begin() + static_cast<std::ptrdiff_t>(kIvSize + plaintext.size()));
}

}  // namespace

Result<EnvelopeKey> EnvelopeKey::from(Secret bytes) {
  if (bytes.size() != kSize) return Error(ErrorCode::invalid, "a repository key has 64 bytes");
  EnvelopeKey key(std::move(bytes));
  if (all_zero(key.encrypt()) || all_zero(key.mac_k()) || all_zero(key.mac_r())) {
    return Error(ErrorCode::invalid, "a repository key of zeros is no key");
  }
  return key;
}

EnvelopeKey EnvelopeKey::generate() {
  Secret bytes(kSize);
  random_bytes(bytes.bytes());
  return EnvelopeKey(std::move(bytes));
}

void seal(const EnvelopeKey& key, std::span<const std::byte> plaintext, std::span<std::byte> out) {
  std::array<std::byte, kIvSize> iv{};
  while (all_zero(iv)) random_bytes(iv);
  seal_under(key, iv, plaintext, out);
}

Status seal_with_iv(const EnvelopeKey& key, std::span<const std::byte, kIvSize> iv,
                    std::span<const std::byte> plaintext, std::span<std::byte> out) {
  if (all_zero(iv)) return Error(ErrorCode::invalid, "an IV of zeros is refused");
  seal_under(key, iv, plaintext, out);
  return {};
}

void seal_to(const EnvelopeKey& key, std::span<const std::byte> plaintext, std::string& out) {
  const size_t start = out.size();
  out.resize(start + plaintext.size() + kEnvelopeOverhead);
  seal(key, plaintext, std::as_writable_bytes(std::span(out)).subspan(start));
}

Status open(const EnvelopeKey& key, std::span<const std::byte> envelope, std::span<std::byte> out) {
  if (envelope.size() < kEnvelopeOverhead) {
    return Error(ErrorCode::corrupt, "too short for an encrypted text: " + std::to_string(envelope.size()) + " bytes");
  }
  const auto iv = envelope.first(kIvSize);
  const auto ciphertext = envelope.subspan(kIvSize, envelope.size() - kEnvelopeOverhead);
  CHECK(out.size() == ciphertext.size());
  if (all_zero(iv)) return Error(ErrorCode::corrupt, "the IV is zero");
  const auto tag = tag_of(key, iv, ciphertext);
  if (!equal_in_constant_time(tag, envelope.last(kTagSize))) {
    return Error(ErrorCode::corrupt, "the ciphertext fails its authentication");
  }
  apply_ctr(key, iv, ciphertext, out);
  return {};
}

Result<std::string> open_text(const EnvelopeKey& key, std::span<const std::byte> envelope) {
  std::string plain(envelope.size() < kEnvelopeOverhead ? 0 : envelope.size() - kEnvelopeOverhead, '\0');
  TRY(open(key, envelope, std::as_writable_bytes(std::span(plain))));
  return plain;
}

}  // namespace holdfast::crypto
