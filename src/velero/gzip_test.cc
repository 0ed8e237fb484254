#include "velero/gzip.h"

#include <gtest/gtest.h>

namespace holdfast::velero {
namespace {

TEST(Gzip, RoundTrip) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65536}, size_t{65537}, size_t{1000000}}) {
    std::string text(size, 'x');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * i) % 251);
    const std::string packed = *gzip(text);
    EXPECT_EQ(*gunzip(packed), text);
    EXPECT_EQ(*gzip(text), packed);
  }
}

TEST(Gzip, MembersAreJoined) {
  EXPECT_EQ(*gunzip(*gzip("ab") + *gzip("") + *gzip("cd")), "abcd");
}

TEST(Gzip, EveryTruncationIsCorrupt) {
  const std::string packed = *gzip("some text, some text, some more text");
  for (size_t size = 0; size < packed.size(); ++size)
    EXPECT_TRUE(gunzip(packed.substr(0, size)).is(ErrorCode::corrupt)) << size;
}

TEST(Gzip, DamageAndTrailingBytesAreCorrupt) {
  const std::string packed = *gzip("some text, some text, some more text");
  EXPECT_TRUE(gunzip(packed + "x").is(ErrorCode::corrupt));
  std::string damaged = packed;
  damaged[packed.size() - 6] ^= 1;
  EXPECT_TRUE(gunzip(damaged).is(ErrorCode::corrupt));
  EXPECT_TRUE(gunzip("plain").is(ErrorCode::corrupt));
}

TEST(Gzip, TheLimitHolds) {
  const std::string packed = *gzip(std::string(100000, 'a'));
  EXPECT_TRUE(gunzip(packed, 99999).is(ErrorCode::exhausted));
  EXPECT_TRUE(gunzip(packed, 100000).ok());
}

}  // namespace
}  // namespace holdfast::velero
