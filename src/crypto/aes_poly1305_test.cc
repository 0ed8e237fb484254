#include "crypto/aes_poly1305.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::crypto {
namespace {

EnvelopeKey key_of(std::string_view encrypt_hex, std::string_view k_hex, std::string_view r_hex) {
  const std::string bytes = from_hex(encrypt_hex).value() + from_hex(k_hex).value() + from_hex(r_hex).value();
  return EnvelopeKey::from(Secret::of(bytes)).value();
}

const char* const kAnyAesKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const char* const kAnyK = "ec074c835580741701425b623235add6";
const char* const kAnyR = "851fc40c3467ac0be05cc20404f3f700";

std::string seal_text(const EnvelopeKey& key, std::string_view iv, std::string_view plain) {
  std::string out(plain.size() + kEnvelopeOverhead, '\0');
  EXPECT_TRUE(
      seal_with_iv(key, as_bytes(iv).first<kIvSize>(), as_bytes(plain), std::as_writable_bytes(std::span(out))));
  return out;
}

// NIST SP 800-38A, F.5.5: CTR-AES256.
TEST(Envelope, EncryptsAsNistCtrVector) {
  const EnvelopeKey key = key_of("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", kAnyK, kAnyR);
  const std::string iv = from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").value();
  const std::string plain = from_hex(
                                "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                                "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
                                .value();
  const std::string sealed = seal_text(key, iv, plain);
  EXPECT_EQ(to_hex(as_bytes(sealed).subspan(kIvSize, plain.size())),
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
            "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6");
  EXPECT_EQ(sealed.substr(0, kIvSize), iv);
}

// Bernstein, "The Poly1305-AES message-authentication code", appendix B. The tag covers the ciphertext, so the
// vector's message is put where the ciphertext stands: opening must accept exactly that tag.
TEST(Envelope, AcceptsThePublishedPoly1305AesTags) {
  struct Vector {
    const char *message, *k, *r, *nonce, *tag;
  };
  const Vector vectors[] = {
      {"f3f6", "ec074c835580741701425b623235add6", "851fc40c3467ac0be05cc20404f3f700",
       "fb447350c4e868c52ac3275cf9d4327e", "f4c633c3044fc145f84f335cb81953de"},
      {"", "75deaa25c09f208e1dc4ce6b5cad3fbf", "a0f3080000f46400d0c7e9076c834403", "61ee09218d29b0aaed7e154a2c5509cc",
       "dd3fab2251f11ac759f0887129cc2ee7"},
      {"663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136", "6acb5f61a7176dd320c5c1eb2edcdc74",
       "48443d0bb0d21109c89a100b5ce2c208", "ae212a55399729595dea458bc621ff0e", "0ee1c16bb73f0f4fd19881753c01cdbe"},
      {"ab0812724a7f1e342742cbed374d94d136c6b8795d45b3819830f2c04491faf0990c62e48b8018b2c3e4a0fa3134cb67fa83e158c994d96"
       "1"
       "c4cb21095c1bf9",
       "e1a5668a4d5b66a5f68cc5424ed5982d", "12976a08c4426d0ce8a82407c4f48207", "9ae831e743978d3a23527c7128149e3a",
       "5154ad0d2cb26e01274fc51148491f1b"},
  };
  for (const Vector& v : vectors) {
    const EnvelopeKey key = key_of(kAnyAesKey, v.k, v.r);
    const std::string envelope = from_hex(std::string(v.nonce) + v.message + v.tag).value();
    EXPECT_TRUE(open_text(key, as_bytes(envelope)).ok()) << v.message;
    for (size_t at = 0; at < envelope.size(); ++at) {
      std::string damaged = envelope;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
      EXPECT_TRUE(open_text(key, as_bytes(damaged)).is(ErrorCode::corrupt)) << v.message << " at " << at;
    }
  }
}

TEST(Envelope, OpensWhatItSealsAtEveryLength) {
  const EnvelopeKey key = EnvelopeKey::generate();
  for (const size_t size : {0, 1, 15, 16, 17, 63, 64, 65, 1000, 70000}) {
    const std::string plain(size, 'x');
    std::string sealed = "before";
    seal_to(key, as_bytes(plain), sealed);
    ASSERT_EQ(sealed.size(), 6 + size + kEnvelopeOverhead);
    EXPECT_EQ(open_text(key, as_bytes(sealed).subspan(6)).value(), plain);
    // In place.
    const auto bytes = std::as_writable_bytes(std::span(sealed)).subspan(6);
    ASSERT_TRUE(open(key, bytes, bytes.subspan(kIvSize, size)));
    EXPECT_EQ(sealed.substr(6 + kIvSize, size), plain);
  }
}

TEST(Envelope, SealsTheSameTextDifferentlyEachTime) {
  const EnvelopeKey key = EnvelopeKey::generate();
  std::string first, second;
  seal_to(key, as_bytes("text"), first);
  seal_to(key, as_bytes("text"), second);
  EXPECT_NE(first, second);
}

TEST(Envelope, RefusesZeroIvsZeroKeysAndShortTexts) {
  const EnvelopeKey key = key_of(kAnyAesKey, kAnyK, kAnyR);
  const std::string zeros(100, '\0');
  std::string out(132, '\0');
  EXPECT_TRUE(
      seal_with_iv(key, as_bytes(zeros).first<kIvSize>(), as_bytes(zeros), std::as_writable_bytes(std::span(out)))
          .is(ErrorCode::invalid));
  EXPECT_TRUE(open_text(key, as_bytes(zeros)).is(ErrorCode::corrupt));
  EXPECT_TRUE(open_text(key, as_bytes("short")).is(ErrorCode::corrupt));
  EXPECT_TRUE(EnvelopeKey::from(Secret::of("short")).is(ErrorCode::invalid));
  for (const auto& [from, count] : {std::pair<size_t, size_t>{0, 32}, {32, 16}, {48, 16}}) {
    std::string bytes(64, 'x');
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), count, '\0');
    EXPECT_TRUE(EnvelopeKey::from(Secret::of(bytes)).is(ErrorCode::invalid)) << from;
  }
}

TEST(Envelope, AnotherKeyDoesNotOpenIt) {
  std::string sealed;
  seal_to(EnvelopeKey::generate(), as_bytes("text"), sealed);
  EXPECT_TRUE(open_text(EnvelopeKey::generate(), as_bytes(sealed)).is(ErrorCode::corrupt));
}

}  // namespace
}  // namespace holdfast::crypto
