#include "kube/selector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace holdfast::kube {
namespace {

bool label_match(std::string_view selector, const json::object& labels) {
  const Result<LabelSelector> parsed = LabelSelector::parse(selector);
  EXPECT_TRUE(parsed.ok()) << selector;
  return parsed.ok() && parsed->matches(labels);
}

TEST(LabelSelector, MeansWhatTheServerMeans) {
  const json::object labels{{"app", "web"}, {"tier", "2"}, {"x.org/y", ""}};
  for (const char* yes : {"", " ", "app=web", "app==web", "app = web , tier", "app in (web,db)", "app in ( web )",
                          "app!=db", "other!=db", "app notin (a,b)", "other notin (web)", "!other", "tier>1", "tier<3",
                          "x.org/y", "x.org/y=", "x.org/y in (,a)"}) {
    EXPECT_TRUE(label_match(yes, labels)) << yes;
  }
  for (const char* no : {"app=db", "app!=web", "other=web", "app in (db)", "app notin (web)", "!app", "other", "tier>2",
                         "app>1", "other>1", "app=web,tier=3"}) {
    EXPECT_FALSE(label_match(no, labels)) << no;
  }
}

TEST(LabelSelector, RefusesAndSaysWhere) {
  for (const char* bad : {"=x", "a b", "a in b", "a in (b", "a in ()x", ",a", "a,", "a,,b", "a=b=c", "!", "!a=b", "a>b",
                          "-a", "a/b/c=d", "A.B/c=d", "a=-b", "a>", "(a)"}) {
    EXPECT_TRUE(LabelSelector::parse(bad).is(ErrorCode::invalid)) << bad;
  }
}

TEST(LabelSelector, TakesTheObjectForm) {
  const json::value object = *json::parse(R"({"matchLabels":{"app":"web"},"matchExpressions":[
      {"key":"tier","operator":"In","values":["1","2"]},{"key":"gone","operator":"DoesNotExist"}]})");
  const LabelSelector selector = *LabelSelector::from_object(object);
  EXPECT_EQ(selector.text(), "app=web,tier in (1,2),!gone");
  EXPECT_TRUE(selector.matches({{"app", "web"}, {"tier", "1"}}));
  EXPECT_FALSE(selector.matches({{"app", "web"}, {"tier", "1"}, {"gone", ""}}));
  EXPECT_TRUE(LabelSelector::from_object(nullptr)->empty());
  EXPECT_TRUE(LabelSelector::from_object(json::object())->matches({}));
  for (const char* bad : {R"({"matchLabels":{"a":1}})", R"({"matchExpressions":[{"key":"a","operator":"Like"}]})",
                          R"({"matchExpressions":[{"key":"a","operator":"In"}]})", "[]",
                          R"({"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]})"}) {
    EXPECT_TRUE(LabelSelector::from_object(*json::parse(bad)).is(ErrorCode::invalid)) << bad;
  }
}

TEST(LabelSelector, ItsTextReadsBackAsTheSame) {
  std::mt19937 random(3);
  const std::vector<std::string> words{"a", "b.c", "d_e", "1"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (size_t n = random() % 4; n > 0; --n) {
      const std::string key = words[random() % 3];
      const std::string value = words[random() % 4];
      const std::vector<std::string> forms{key,
                                           "!" + key,
                                           key + "=" + value,
                                           key + "!=" + value,
                                           key + " in (" + value + "," + words[0] + ")",
                                           key + " notin (" + value + ", " + words[1] + ")",
                                           key + ">5",
                                           key + "<7"};
      text += (text.empty() ? "" : ",") + forms[random() % forms.size()];
    }
    const LabelSelector first = *LabelSelector::parse(text);
    const LabelSelector second = *LabelSelector::parse(first.text());
    ASSERT_EQ(first.text(), second.text());
    for (int probe = 0; probe < 10; ++probe) {
      json::object labels;
      for (int n = 0; n < 3; ++n) labels[words[random() % 3]] = random() % 2 ? words[random() % 4] : "6";
      ASSERT_EQ(first.matches(labels), second.matches(labels)) << text;
    }
  }
}

TEST(FieldSelector, LooksFieldsUp) {
  const json::value object = *json::parse(R"({"metadata":{"name":"a"},"spec":{"u":true},"status":{"phase":"x,y"}})");
  const auto matches = [&](std::string_view text) { return FieldSelector::parse(text)->matches(object); };
  EXPECT_TRUE(matches(""));
  EXPECT_TRUE(matches("metadata.name=a,status.phase!=z"));
  EXPECT_TRUE(matches("metadata.name==a"));
  EXPECT_TRUE(matches(R"(status.phase=x\,y)"));
  EXPECT_TRUE(matches("spec.nodeName="));
  EXPECT_TRUE(matches("spec.u=true"));
  EXPECT_FALSE(matches("metadata.name!=a"));
  EXPECT_FALSE(matches("metadata.name=b"));
  for (const char* bad : {"a", "a=b=c", "=b", "a=b,", R"(a=\x)", "a=b\\"}) {
    EXPECT_TRUE(FieldSelector::parse(bad).is(ErrorCode::invalid)) << bad;
  }
}

TEST(Names, FollowTheRules) {
  EXPECT_TRUE(is_dns_subdomain("a-1.b"));
  for (const char* bad : {"", "A", "a_b", "-a", "a-", "a..b", ".a"}) EXPECT_FALSE(is_dns_subdomain(bad)) << bad;
  EXPECT_TRUE(is_label_key("velero.io/backup-name"));
  EXPECT_FALSE(is_label_key("velero.io/"));
  EXPECT_FALSE(is_label_value(std::string(64, 'a')));
}

}  // namespace
}  // namespace holdfast::kube
