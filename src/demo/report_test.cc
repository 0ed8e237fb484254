#include "demo/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "demo/load.h"

namespace holdfast::demo {
namespace {

using testing::HasSubstr;

Report small() {
  Report out;
  ApplicationReport application;
  application.name = "web-<app>";
  application.rpo_seconds = 2.5;
  application.lost_entries = 7;
  application.outage_seconds = 12.25;
  const Time begin = Time(std::chrono::seconds(1'700'000'000));
  application.steps = {{"backup demo-1", begin, begin + std::chrono::seconds(2)},
                       {"site lost", begin + std::chrono::seconds(9), begin + std::chrono::seconds(9)},
                       {"first acknowledgement", begin + std::chrono::seconds(20), begin + std::chrono::seconds(20)}};
  out.applications = {application};
  out.checks = {{"integrity", true, "web-<app>: ok"}, {"files", false, "1 differs"}};
  out.begun = begin;
  out.lost = begin + std::chrono::seconds(9);
  return out;
}

TEST(Report, JsonHasTheFieldsThatItsReadersKnow) {
  const json::object object = to_json(small());
  EXPECT_FALSE(json::bool_at(object, {"passed"}, true));
  ASSERT_EQ(json::array_at(object, {"checks"}).size(), 2U);
  for (const char* name : {"name", "passed", "detail"})
    EXPECT_TRUE(object.at("checks").at(0).as_object().contains(name));
  const json::object& application = object.at("applications").at(0).as_object();
  for (const char* name : {"name", "rpo_seconds", "lost_entries", "in_doubt", "restore_seconds", "outage_seconds",
                           "freeze_ms_max", "freeze_manifest_ms", "bytes_restored", "steps"})
    EXPECT_TRUE(application.contains(name)) << name;
  EXPECT_EQ(application.at("rpo_seconds").as_double(), 2.5);
  EXPECT_EQ(application.at("steps").as_array().size(), 3U);
}

TEST(Report, WhatIsUnknownIsNullAndNotZero) {
  Report report = small();
  report.applications[0].rpo_seconds.reset();
  EXPECT_TRUE(to_json(report).at("applications").at(0).at("rpo_seconds").is_null());
  EXPECT_THAT(to_text(report), HasSubstr("unknown before the loss"));
}

TEST(Report, PassesOnlyWhereEveryCheckDid) {
  Report report = small();
  EXPECT_FALSE(report.passed());
  report.checks.pop_back();
  EXPECT_TRUE(report.passed());
  report.checks.clear();
  EXPECT_FALSE(report.passed());
}

TEST(Report, TextNamesWhatFailed) {
  const std::string text = to_text(small());
  EXPECT_THAT(text, HasSubstr("FAILED files"));
  EXPECT_THAT(text, HasSubstr("FAILED: 1 of 2 checks"));
}

TEST(Report, ThePageStandsAloneAndShowsTheTimeLine) {
  const std::string page = to_html(small());
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("first acknowledgement"));
  EXPECT_THAT(page, HasSubstr("web-&lt;app&gt;"));
  for (const char* outside : {"http", "src=", "href=", "<script", "web-<app>"})
    EXPECT_THAT(page, testing::Not(HasSubstr(outside)));
}

TEST(LoadRecord, TellsAcknowledgedFromDoubtful) {
  const auto postings = parse_record(
      "{\"key\":\"ab-1\",\"sent_ns\":10,\"target\":\"http://a\",\"acked_ns\":20,\"id\":1}\n"
      "{\"key\":\"ab-2\",\"sent_ns\":30,\"target\":\"http://a\",\"failed_ns\":40,\"reason\":\"gone\"}\n"
      "{\"key\":\"ab-3\",\"sent");
  ASSERT_TRUE(postings.ok()) << postings.error().to_string();
  ASSERT_EQ(postings->size(), 2U);
  EXPECT_TRUE(postings->at(0).acknowledged);
  EXPECT_EQ(postings->at(0).amount, 1);
  EXPECT_EQ(postings->at(0).answered, Time(Duration(20)));
  EXPECT_FALSE(postings->at(1).acknowledged);
  EXPECT_EQ(postings->at(1).reason, "gone");
}

TEST(LoadRecord, NamesTheLineThatIsNoRecord) {
  for (const char* bad : {"nonsense\n", "{\"key\":\"a-1\"}\n", "{\"key\":\"a\",\"sent_ns\":1,\"acked_ns\":2}\n"}) {
    const auto postings = parse_record(std::string("{\"key\":\"ab-1\",\"sent_ns\":1,\"acked_ns\":2}\n") + bad);
    ASSERT_FALSE(postings.ok());
    EXPECT_THAT(postings.error().message(), HasSubstr("line 2"));
  }
}

}  // namespace
}  // namespace holdfast::demo
