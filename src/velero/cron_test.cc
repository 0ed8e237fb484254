#include "velero/cron.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "base/text.h"
#include "velero/schedule.h"

namespace holdfast::velero {
namespace {

Time at(const char* text) {
  return *parse_rfc3339(text);
}

std::string next(const char* expression, const char* after) {
  const Result<Cron> cron = Cron::parse(expression);
  if (!cron) return cron.error().message();
  const std::optional<Time> time = cron->next(at(after));
  return time ? format_rfc3339(*time) : "never";
}

TEST(Cron, Next) {
  EXPECT_EQ(next("*/15 * * * *", "2026-11-21T06:14:59Z"), "2026-11-21T06:15:00Z");
  EXPECT_EQ(next("*/15 * * * *", "2026-11-21T06:15:00Z"), "2026-11-21T06:30:00Z");
  EXPECT_EQ(next("0 0 1 1 *", "2026-11-21T06:15:00Z"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(next("@monthly", "2026-12-01T00:00:00Z"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(next("@weekly", "2026-11-21T06:15:00Z"), "2026-11-22T00:00:00Z");
  EXPECT_EQ(next("5 4 * * sun", "2026-11-21T06:15:00Z"), "2026-11-22T04:05:00Z");
  EXPECT_EQ(next("0 12 29 FEB ?", "2026-11-21T06:15:00Z"), "2028-02-29T12:00:00Z");
  EXPECT_EQ(next("0 0 30 feb *", "2026-11-21T06:15:00Z"), "never");
  EXPECT_EQ(next("0 0 1 * mon", "2026-11-21T06:15:00Z"), "2026-11-23T00:00:00Z");  // either day field
  EXPECT_EQ(next("0 0 */1 * mon", "2026-11-24T06:15:00Z"), "2026-11-30T00:00:00Z");
  EXPECT_EQ(next("0 0 1-31/2 * *", "2026-11-21T06:15:00Z"), "2026-11-23T00:00:00Z");
  EXPECT_EQ(next("50/5 * * * *", "2026-11-21T06:00:00Z"), "2026-11-21T06:50:00Z");
  EXPECT_EQ(next("@every 5s", "2026-11-21T06:00:00.7Z"), "2026-11-21T06:00:05Z");
  EXPECT_EQ(next("@every 1h30m", "2026-11-21T06:00:01Z"), "2026-11-21T07:30:01Z");
}

TEST(Cron, ZonesAndChangesOfTheClock) {
  EXPECT_EQ(next("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-11-21T06:00:00Z"), "2026-11-22T01:30:00Z");
  EXPECT_EQ(next("TZ=America/New_York 0 0 * * *", "2026-07-01T06:00:00Z"), "2026-07-02T04:00:00Z");
  // 02:30 does not exist on 2026-03-29 in Berlin, and is there twice on 2026-10-25
  EXPECT_EQ(next("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-28T02:00:00Z"), "2026-03-30T00:30:00Z");
  EXPECT_EQ(next("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24T22:00:00Z"), "2026-10-25T00:30:00Z");
  EXPECT_EQ(next("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00Z");
  // beyond the file's table, by its rule
  EXPECT_EQ(next("CRON_TZ=Europe/Berlin 0 12 1 7 *", "2060-01-01T00:00:00Z"), "2060-07-01T10:00:00Z");
  EXPECT_EQ(next("CRON_TZ=Asia/Kolkata 0 0 * * *", "2026-11-21T06:00:00Z"), "2026-11-21T18:30:00Z");
}

TEST(Cron, Refusals) {
  const auto message = [](const char* text) {
    const Result<Cron> cron = Cron::parse(text);
    return cron.ok() ? std::string("ok") : cron.error().message();
  };
  EXPECT_EQ(message("61 * * * *"), "End of range (61) above maximum (59): 61");
  EXPECT_EQ(message("* * * *"), "Expected exactly 5 fields, found 4: * * * *");
  EXPECT_EQ(message("* * 0 * *"), "Beginning of range (0) below minimum (1): 0");
  EXPECT_EQ(message("5-2 * * * *"), "Beginning of range (5) beyond end of range (2): 5-2");
  EXPECT_EQ(message("*/0 * * * *"), "Step of range should be a positive number: */0");
  EXPECT_EQ(message("1-2-3 * * * *"), "Too many hyphens: 1-2-3");
  EXPECT_EQ(message("1/2/3 * * * *"), "Too many slashes: 1/2/3");
  EXPECT_EQ(message("x * * * *"), "Failed to parse int from x: invalid syntax");
  EXPECT_EQ(message("@often"), "Unrecognized descriptor: @often");
  EXPECT_EQ(message(", * * * *"), "Empty list: ,");
  EXPECT_EQ(message(""), "Empty spec string");
  EXPECT_EQ(message("TZ=Nowhere/City * * * * *"), "Provided bad location Nowhere/City: unknown time zone Nowhere/City");
  for (const char* bad : {"TZ=", "TZ=../../etc/passwd * * * * *", "TZ=/etc/passwd * * * * *", "@every", "@every x",
                          "* * * * 7", "-1 * * * *", "1- * * * *", "* * * * * *", "CRON_TZ=UTC"})
    EXPECT_NE(message(bad), "ok") << bad;
}

/// Looks at each minute in turn, by what a local clock shows; understands plain lists only.
struct NaiveField {
  bool star;
  std::vector<int64_t> values;
  [[nodiscard]] bool has(int64_t v) const { return star || std::find(values.begin(), values.end(), v) != values.end(); }
  [[nodiscard]] std::string text() const {
    if (star) return "*";
    std::string out;
    for (const int64_t v : values) out += fmt::format("{}{}", out.empty() ? "" : ",", v);
    return out;
  }
};

NaiveField draw(std::mt19937& random, int64_t low, int64_t high, unsigned star_of_ten) {
  NaiveField out{random() % 10 < star_of_ten, {}};
  const size_t count = 1 + random() % 3;
  for (size_t i = 0; i < count; ++i)
    out.values.push_back(low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1)));
  return out;
}

TEST(Cron, EqualsTheMinuteByMinuteTwin) {
  using namespace std::chrono;
  std::mt19937 random(7);
  const char* zones[] = {"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo"};
  for (int round = 0; round < 400; ++round) {
    const std::string name = zones[random() % std::size(zones)];
    const Zone zone = *Zone::load(name);
    const NaiveField minute = draw(random, 0, 59, 4), hour = draw(random, 0, 23, 6), day = draw(random, 1, 31, 7),
                     month = draw(random, 1, 12, 8), weekday = draw(random, 0, 6, 7);
    const std::string text = fmt::format("CRON_TZ={} {} {} {} {} {}", name, minute.text(), hour.text(), day.text(),
                                         month.text(), weekday.text());
    const Result<Cron> cron = Cron::parse(text);
    ASSERT_TRUE(cron.ok()) << text;
    // near a change of the clocks as often as not
    const char* bases[] = {"2026-03-28T20:00:00Z", "2026-10-24T18:00:00Z", "2018-11-03T20:00:00Z",
                           "2026-04-04T10:00:00Z", "2010-11-06T20:00:00Z", "2027-12-30T00:00:00Z"};
    const Time after = at(bases[random() % std::size(bases)]) + minutes(random() % 600) + seconds(random() % 60);
    std::optional<Time> expected;
    Time t = floor<minutes>(after);
    for (int i = 0; i < 60 * 24 * 20 && !expected; ++i) {
      t += minutes(1);
      const int64_t unix = floor<seconds>(t).time_since_epoch().count();
      const sys_seconds local(seconds(unix + zone.at(unix).offset));
      const sys_days date = floor<days>(local);
      const year_month_day ymd(date);
      const hh_mm_ss clock(local - date);
      const bool d = day.has(static_cast<unsigned>(ymd.day()));
      const bool w = weekday.has(std::chrono::weekday(date).c_encoding());
      if (minute.has(clock.minutes().count()) && hour.has(clock.hours().count()) &&
          month.has(static_cast<unsigned>(ymd.month())) && (day.star || weekday.star ? d && w : d || w))
        expected = t;
    }
    const std::optional<Time> got = cron->next(after);
    if (expected) {
      ASSERT_TRUE(got.has_value()) << text;
      EXPECT_EQ(format_rfc3339(*got), format_rfc3339(*expected)) << text << " after " << format_rfc3339(after);
    } else {
      EXPECT_TRUE(!got || *got > t) << text << " after " << format_rfc3339(after);
    }
  }
}

TEST(Zone, DamagedFilesAreRefused) {
  EXPECT_TRUE(Zone::parse("").is(ErrorCode::corrupt));
  EXPECT_TRUE(Zone::parse("TZif2").is(ErrorCode::corrupt));
  EXPECT_TRUE(Zone::load("zone.tab").is(ErrorCode::not_found));
  EXPECT_TRUE(Zone::load("Europe").ok() == false);
}

Schedule schedule(const char* expression) {
  Schedule out;
  out.metadata.name = "s1";
  out.metadata.namespace_ = "velero";
  out.metadata.creation_timestamp = at("2026-11-21T06:00:30Z");
  out.spec.schedule = expression;
  return out;
}

TEST(Schedule, TextsAreVeleros) {
  EXPECT_EQ(schedule_cron(schedule("61 * * * *")).error().message(),
            "invalid schedule: End of range (61) above maximum (59): 61");
  EXPECT_EQ(schedule_cron(schedule("")).error().message(), "Schedule must be a non-empty valid Cron expression");
  EXPECT_FALSE(schedule_cron(schedule("@every 1s")).ok());
  EXPECT_FALSE(schedule_cron(schedule("@every 100ms")).ok());
  EXPECT_TRUE(schedule_cron(schedule("@every 2s")).ok());
}

TEST(Schedule, Decisions) {
  using Act = ScheduleDecision::Act;
  Schedule s = schedule("*/5 * * * *");
  const Cron cron = *schedule_cron(s);
  ScheduleState state{.now = at("2026-11-21T06:04:59Z"), .backup_running = false, .skip_immediately_default = false};
  EXPECT_EQ(decide(s, cron, state).act, Act::wait);
  EXPECT_EQ(decide(s, cron, state).next, at("2026-11-21T06:05:00Z"));
  state.now = at("2026-11-21T08:00:00Z");  // many runs missed: one backup
  EXPECT_EQ(decide(s, cron, state).act, Act::make_backup);
  s.status.last_backup = state.now;
  EXPECT_EQ(decide(s, cron, state).act, Act::wait);
  EXPECT_EQ(decide(s, cron, state).next, at("2026-11-21T08:05:00Z"));
  state.now = at("2026-11-21T08:05:00Z");
  state.backup_running = true;
  EXPECT_EQ(decide(s, cron, state).act, Act::overlap);
  state.backup_running = false;
  s.spec.skip_immediately = true;
  EXPECT_EQ(decide(s, cron, state).act, Act::skip);
  s.spec.skip_immediately = false;
  s.status.last_skipped = state.now;
  EXPECT_EQ(decide(s, cron, state).next, at("2026-11-21T08:10:00Z"));
  s.spec.paused = true;
  EXPECT_EQ(decide(s, cron, state).act, Act::wait);
  EXPECT_EQ(decide(s, cron, state).next, std::nullopt);
}

TEST(Schedule, SkipDefaultAppliesOnce) {
  using Act = ScheduleDecision::Act;
  Schedule s = schedule("@every 5s");
  const Cron cron = *schedule_cron(s);
  ScheduleState state{.now = at("2026-11-21T07:00:00Z"), .backup_running = false, .skip_immediately_default = true};
  EXPECT_EQ(decide(s, cron, state).act, Act::skip);
  s.status.last_skipped = state.now;
  EXPECT_EQ(decide(s, cron, state).act, Act::wait);
}

TEST(Schedule, BackupFromTemplate) {
  Schedule s = schedule("@every 5s");
  s.metadata.uid = "u1";
  s.metadata.labels["team"] = "a";
  s.metadata.annotations["note"] = "n";
  s.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"] = "{}";
  s.spec.use_owner_references_in_backup = true;
  s.spec.template_.included_namespaces = {"web-app2"};
  s.spec.template_.ttl = std::chrono::hours(24);
  const Backup backup = backup_from(s, at("2026-11-21T06:18:56.9Z"));
  EXPECT_EQ(json::compact(encode(backup)),
            R"({"kind":"Backup","apiVersion":"velero.io/v1","metadata":{"name":"s1-20261121061856",)"
            R"("namespace":"velero","labels":{"team":"a","velero.io/schedule-name":"s1"},"annotations":{"note":"n"},)"
            R"("ownerReferences":[{"apiVersion":"velero.io/v1","kind":"Schedule","name":"s1","uid":"u1",)"
            R"("controller":true}]},"spec":{"metadata":{},"includedNamespaces":["web-app2"],"ttl":"24h0m0s",)"
            R"("hooks":{}},"status":{}})");
  s.spec.template_.metadata.labels["only"] = "this";
  EXPECT_EQ(backup_from(s, at("2026-11-21T06:18:56Z")).metadata.labels,
            (StringMap{{"only", "this"}, {"velero.io/schedule-name", "s1"}}));
}

}  // namespace
}  // namespace holdfast::velero
