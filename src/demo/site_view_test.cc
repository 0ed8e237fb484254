#include "demo/site_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::demo {
namespace {

json::value parsed(std::string_view text) {
  return json::parse(text).value();
}

TEST(MissingParts, WhatTheServerAddsIsNoDifference) {
  EXPECT_THAT(
      missing_parts(parsed(R"({"spec":{"ports":[{"port":80}]}})"),
                    parsed(R"({"spec":{"clusterIP":"1.2.3.4","ports":[{"port":80,"protocol":"TCP"}]},"status":{}})")),
      testing::IsEmpty());
}

TEST(MissingParts, NamesWhatIsOtherOrAbsent) {
  EXPECT_THAT(missing_parts(parsed(R"({"spec":{"replicas":1,"paused":true,"list":[1,2],"host":"a"}})"),
                            parsed(R"({"spec":{"replicas":0,"list":[1],"host":"a"}})")),
              testing::ElementsAre("spec.replicas", "spec.paused", "spec.list"));
}

TEST(MissingParts, StringDataIsKeptAsData) {
  const json::value secret = parsed(R"({"stringData":{"key":"value"}})");
  EXPECT_THAT(missing_parts(secret, parsed(R"({"data":{"key":"dmFsdWU="}})")), testing::IsEmpty());
  EXPECT_THAT(missing_parts(secret, parsed(R"({"data":{"key":"b3RoZXI="}})")), testing::ElementsAre("data.key"));
}

}  // namespace
}  // namespace holdfast::demo
