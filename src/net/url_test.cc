#include <gtest/gtest.h>

#include "net/http.h"

namespace holdfast::net {
namespace {

TEST(PercentEncode, LeavesOnlyUnreservedCharactersAndThoseToKeep) {
  EXPECT_EQ(percent_encode("azAZ09-._~"), "azAZ09-._~");
  EXPECT_EQ(percent_encode("a b/c+d=\xc3\xa9"), "a%20b%2Fc%2Bd%3D%C3%A9");
  EXPECT_EQ(percent_encode("a b/c", "/"), "a%20b/c");
  EXPECT_EQ(percent_encode(""), "");
}

TEST(PercentDecode, UndoesEncodingOfEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
  EXPECT_EQ(percent_decode("a+b%2f").value(), "a+b/");
}

TEST(PercentDecode, RefusesCutAndWrongEscapes) {
  for (const char* text : {"%", "%4", "a%", "%zz", "%4g", "%%41"}) {
    EXPECT_TRUE(percent_decode(text).is(ErrorCode::invalid)) << text;
  }
}

TEST(ParseUrl, SplitsIntoParts) {
  const Url url = parse_url("HTTPS://Minio.example:9000/a%20b/c?x=1&y=%2F").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "Minio.example");
  EXPECT_EQ(url.port, 9000);
  EXPECT_EQ(url.path, "/a%20b/c");
  EXPECT_EQ(url.query, "x=1&y=%2F");
}

TEST(ParseUrl, FillsInPortAndPath) {
  EXPECT_EQ(parse_url("http://h").value().port, 80);
  EXPECT_EQ(parse_url("ws://h").value().port, 80);
  EXPECT_EQ(parse_url("https://h/").value().port, 443);
  EXPECT_EQ(parse_url("wss://h").value().port, 443);
  EXPECT_EQ(parse_url("http://h").value().path, "/");
  const Url bare_query = parse_url("http://h?a=b").value();
  EXPECT_EQ(bare_query.path, "/");
  EXPECT_EQ(bare_query.query, "a=b");
}

TEST(ParseUrl, TakesAddressesInBrackets) {
  const Url url = parse_url("http://[::1]:8080/x").value();
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 8080);
  EXPECT_EQ(parse_url("http://[fe80::1]").value().host, "fe80::1");
}

TEST(ParseUrl, RefusesWhatItCannotMean) {
  for (const char* text : {"", "h/p", "ftp://h/", "http://", "http:///p", "http://u:p@h/", "http://h/#f", "http://h:0/",
                           "http://h:65536/", "http://h:/", "http://h:+80/", "http://h:8x/", "http://[::1",
                           "http://h h/", "http://[::1]x/", "http://h/\n", "http://[]/", "http://a,b/"}) {
    EXPECT_TRUE(parse_url(text).is(ErrorCode::invalid)) << text;
  }
}

TEST(ParseUrl, NeverRepeatsAUserOrPasswordInItsError) {
  const Result<Url> url = parse_url("https://me:topsecret@h/");
  ASSERT_FALSE(url.ok());
  EXPECT_EQ(url.error().to_string().find("topsecret"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::net
