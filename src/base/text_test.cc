#include "base/text.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace holdfast {
namespace {

TEST(Hex, RoundTripsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  EXPECT_EQ(*from_hex(to_hex(as_bytes(bytes))), bytes);
  EXPECT_FALSE(from_hex("abc").ok());
  EXPECT_FALSE(from_hex("zz").ok());
}

TEST(Base64, KnownVectors) {  // RFC 4648, section 10
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(plain), encoded);
    EXPECT_EQ(*from_base64(encoded), plain);
  }
  for (const char* bad : {"Z", "Zg=", "Z===", "Zm9v!AAA", "=AAA"}) EXPECT_FALSE(from_base64(bad).ok()) << bad;
}

TEST(Quantity, KubernetesForms) {
  EXPECT_EQ(*parse_quantity("10Gi"), 10ULL << 30);
  EXPECT_EQ(*parse_quantity("1.5Ki"), 1536U);
  EXPECT_EQ(*parse_quantity("500M"), 500'000'000U);
  EXPECT_EQ(*parse_quantity("1e3"), 1000U);
  EXPECT_EQ(*parse_quantity("100m"), 1U);
  const std::string endless(6000, '9');
  EXPECT_FALSE(parse_quantity(endless + "." + endless).ok());
  for (const char* bad : {"", "Gi", "1.2.3", "10 Gi", "1Zi", "-1"}) EXPECT_FALSE(parse_quantity(bad).ok()) << bad;
}

TEST(Text, SplitsAndTrims) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(trim(" \tx y\n"), "x y");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(format_bytes(1536), "1.500 KiB");
  EXPECT_EQ(format_bytes(7), "7 B");
}

TEST(Random, UuidHasVersionAndVariant) {
  const std::string uuid = random_uuid();
  ASSERT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  EXPECT_NE(random_uuid(), uuid);
}

}  // namespace
}  // namespace holdfast
