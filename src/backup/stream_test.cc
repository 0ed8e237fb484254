#include "backup/stream.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "velero/gzip.h"

namespace holdfast::backup {
namespace {

std::string gzip(const std::string& text) {
  return velero::gzip(text).value();
}

Result<std::string> gunzip(std::string_view packed, uint64_t limit = uint64_t{1} << 30) {
  const ByteSource source = gunzip_source(memory_source(std::string(packed)), limit);
  std::string text;
  while (true) {
    const std::string piece = TRY(source());
    if (piece.empty()) return text;
    text += piece;
  }
}

std::string noise(size_t bytes) {
  return random_hex(bytes / 2);
}

TEST(GunzipSource, ComesBackEqual) {
  for (const std::string& text : {std::string(), std::string("a"), std::string(3'000'000, 'x'), noise(9'000'000)}) {
    const Result<std::string> back = gunzip(gzip(text));
    ASSERT_TRUE(back.ok()) << back.error().to_string();
    EXPECT_TRUE(*back == text);
  }
}

TEST(GunzipSource, ReadsSeveralMembers) {
  EXPECT_EQ(gunzip(gzip("one ") + gzip("two")).value(), "one two");
}

TEST(GunzipSource, EveryCutIsCorrupt) {
  const std::string packed = gzip(noise(2000));
  for (size_t length = 0; length < packed.size(); ++length) {
    EXPECT_TRUE(gunzip(std::string_view(packed).substr(0, length)).is(ErrorCode::corrupt)) << length;
  }
}

TEST(GunzipSource, EveryFlippedByteOfTheBodyIsCorruptOrLeavesTheText) {
  const std::string text = noise(400);
  const std::string packed = gzip(text);
  for (size_t i = 10; i < packed.size(); ++i) {
    std::string bad = packed;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    const Result<std::string> back = gunzip(bad);
    EXPECT_TRUE(back.is(ErrorCode::corrupt) || (back.ok() && *back == text)) << i;  // padding bits hold nothing
  }
}

TEST(GunzipSource, HonoursTheLimit) {
  EXPECT_TRUE(gunzip(gzip(std::string(10'000'000, '0')), 9'999'999).is(ErrorCode::exhausted));
  EXPECT_TRUE(gunzip(gzip(std::string(10'000'000, '0')), 10'000'000).ok());
}

TEST(GunzipSource, NoiseIsCorrupt) {
  EXPECT_TRUE(gunzip("this is no gzip").is(ErrorCode::corrupt));
}

}  // namespace
}  // namespace holdfast::backup
