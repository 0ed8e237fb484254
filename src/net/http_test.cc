#include "net/http.h"

#include <gtest/gtest.h>

namespace holdfast::net {
namespace {

TEST(Headers, NamesCompareWithoutCase) {
  const Headers headers{{"Content-Type", "text/plain"}, {"ETag", "\"1\""}};
  EXPECT_EQ(headers.get("content-type"), "text/plain");
  EXPECT_EQ(headers.get("ETAG"), "\"1\"");
  EXPECT_EQ(headers.get("etag2"), "");
  EXPECT_TRUE(headers.has("etag"));
  EXPECT_FALSE(headers.has("eta"));
}

TEST(Headers, AddKeepsWhatIsThereAndGetAnswersTheFirst) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("accept", "b");
  EXPECT_EQ(headers.get("Accept"), "a");
  EXPECT_EQ(headers.fields().size(), 2u);
}

TEST(Headers, SetReplacesEveryFieldOfThatName) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("A", "4");
  EXPECT_EQ(headers.fields().size(), 2u);
  EXPECT_EQ(headers.get("a"), "4");
  EXPECT_EQ(headers.get("b"), "2");
}

}  // namespace
}  // namespace holdfast::net
