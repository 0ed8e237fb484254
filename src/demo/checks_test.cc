// A run that went well passes; each way in which a run can go wrong fails its own check, and only that.
#include "demo/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace holdfast::demo {
namespace {

Time at(double seconds) {
  return Time(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1000 + seconds)));
}

constexpr int64_t kBurst = 220;
const std::string kLost = "http://10.0.0.1:1";
const std::string kOther = "http://10.0.0.2:1";

Posting posting(int64_t number, double answered, bool acknowledged, const std::string& target) {
  Posting out;
  out.key = "k-" + std::to_string(number);
  out.amount = number;
  out.sent = at(answered - 0.01);
  out.answered = at(answered);
  out.acknowledged = acknowledged;
  out.target = target;
  return out;
}

/// Three backups at 10, 20 and 30; the loss at 34; entry N acknowledged at N seconds. The third backup came back, with
/// entry 31, which was committed before the freeze and acknowledged after it.
ApplicationSeen application(const std::string& name) {
  ApplicationSeen out;
  out.name = name;
  out.lost_target = kLost;
  for (int64_t n = 1; n <= 33; ++n) out.postings.push_back(posting(n, static_cast<double>(n), true, kLost));
  Posting cut = posting(34, 39, false, kLost);
  cut.sent = at(33.9);
  out.postings.push_back(cut);
  out.postings.push_back(posting(35, 50, true, kOther));
  for (const double taken : {10.0, 20.0, 30.5}) {
    Freeze freeze;
    freeze.manifest_sha256 = "sha-" + std::to_string(static_cast<int>(taken));
    freeze.taken = at(taken);
    freeze.frozen_ms = 10 * taken;
    freeze.manifest_ms = taken;
    out.freezes.push_back(freeze);
  }
  for (int64_t n = 1; n <= 31; ++n) {
    out.entries.push_back({n, "k-" + std::to_string(n), n});
    out.total_sum += n;
  }
  // What a loaded second looks like.
  for (int64_t n = 0; n < kBurst; ++n) {
    out.postings.push_back(posting(1000 + n, 5 + 0.004 * static_cast<double>(n), true, kLost));
    out.entries.push_back({100 + n, "k-" + std::to_string(1000 + n), 1000 + n});
    out.total_sum += 1000 + n;
  }
  out.total_count = 31 + kBurst;
  out.integrity = "ok";
  out.restored = true;
  out.files_compared = 30;
  out.manifest_sha256 = "sha-30";
  out.objects_compared = 11;
  out.bytes_restored = 1000;
  out.serving = at(45);
  return out;
}

Facts good() {
  Facts out;
  out.lost = at(34);
  for (int i = 1; i <= 3; ++i) {
    BackupSeen backup;
    backup.name = "demo-2026010100000" + std::to_string(i);
    backup.phase = "Completed";
    backup.completed = at(10 * i + 2);
    for (const char* name : {"web-app1", "web-app2"})
      backup.volumes.push_back({name, 100'000'000, i == 1 ? 90'000'000U : 1'000'000U, at(10 * i), at(10 * i + 1)});
    out.backups.push_back(backup);
  }
  out.restore.name = "demo";
  out.restore.phase = "Completed";
  out.restore.backup = out.backups.back().name;
  out.restore.created = at(40);
  out.restore.completed = at(48);
  out.applications = {application("web-app1"), application("web-app2")};
  return out;
}

std::vector<std::string> failed(const Facts& facts) {
  std::vector<std::string> out;
  for (const Check& check : judge(facts).checks)
    if (!check.passed) out.push_back(check.name);
  return out;
}

TEST(Checks, AGoodRunPassesWithItsFigures) {
  const Report report = judge(good());
  EXPECT_THAT(failed(good()), testing::IsEmpty());
  EXPECT_TRUE(report.passed());
  EXPECT_GE(report.checks.size(), 8U);
  ASSERT_EQ(report.applications.size(), 2U);
  const ApplicationReport& first = report.applications.front();
  EXPECT_DOUBLE_EQ(first.rpo_seconds.value_or(0), 3.5);
  EXPECT_EQ(first.lost_entries, 2);  // 32 and 33
  EXPECT_EQ(first.in_doubt, 1);
  EXPECT_EQ(first.acknowledged, 33 + kBurst);
  EXPECT_EQ(first.commits_per_second, kBurst + 1);  // and entry 5
  EXPECT_DOUBLE_EQ(first.restore_seconds, 8);
  EXPECT_DOUBLE_EQ(first.outage_seconds.value_or(0), 17);
  EXPECT_DOUBLE_EQ(first.freeze_ms_max, 305);
  EXPECT_DOUBLE_EQ(first.freeze_manifest_ms, 30.5);
  EXPECT_EQ(first.bytes_restored, 1000U);
}

TEST(Checks, NothingSeenIsNoPass) {
  EXPECT_FALSE(judge(Facts{}).passed());
}

struct Fault {
  const char* check;
  std::function<void(Facts&)> make;
};

class ChecksFault : public testing::TestWithParam<Fault> {};

TEST_P(ChecksFault, FailsItsOwnCheckOnly) {
  Facts facts = good();
  GetParam().make(facts);
  EXPECT_THAT(failed(facts), testing::ElementsAre(GetParam().check));
}

ApplicationSeen& second(Facts& facts) {
  return facts.applications[1];
}

INSTANTIATE_TEST_SUITE_P(
    Each, ChecksFault,
    testing::Values(Fault{"backups",
                          [](Facts& f) {
                            f.backups.push_back(f.backups.back());
                            f.backups.back().name = "demo-20260101000000";
                            f.backups.back().phase = "PartiallyFailed";
                          }},
                    Fault{"incremental",
                          [](Facts& f) {
                            for (BackupSeen& backup : f.backups) backup.volumes[1].bytes_stored = 90'000'000;
                          }},
                    Fault{"freezes", [](Facts& f) { second(f).freezes[1].frozen_ms = 30'000; }},
                    Fault{"commit_rate",
                          [](Facts& f) {
                            for (Posting& p : second(f).postings)
                              if (p.amount >= 1000) p.answered = at(5 + 0.02 * static_cast<double>(p.amount - 1000));
                          }},
                    Fault{"lost_in_mid_write",
                          [](Facts& f) {
                            for (Posting& p : second(f).postings) {
                              if (p.target == kLost && p.answered >= at(32) && p.acknowledged) p.target = kOther;
                              if (!p.acknowledged) p.answered = at(33.95);
                            }
                          }},
                    Fault{"restore", [](Facts& f) { f.restore.errors = 1; }},
                    Fault{"restore", [](Facts& f) { f.restore.phase = "PartiallyFailed"; }},
                    Fault{"restore", [](Facts& f) { f.restore.backup = f.backups.front().name; }},
                    Fault{"objects", [](Facts& f) { second(f).object_differences = {"Route/ledger is missing"}; }},
                    Fault{"integrity", [](Facts& f) { second(f).integrity = "row 3 missing from index"; }},
                    Fault{"recovery_point", [](Facts& f) { f.lost = at(30.2); }},
                    Fault{"acknowledged_entries",
                          [](Facts& f) {
                            second(f).total_sum -= second(f).entries[4].amount;
                            second(f).total_count -= 1;
                            second(f).entries.erase(second(f).entries.begin() + 4);
                          }},
                    Fault{"no_invented_entries",
                          [](Facts& f) {
                            second(f).entries.push_back({999, "k-99", 99});
                            second(f).total_sum += 99;
                            second(f).total_count += 1;
                          }},
                    Fault{"no_invented_entries",
                          [](Facts& f) {  // the same entry twice
                            second(f).entries.push_back({32, "k-7", 7});
                            second(f).total_sum += 7;
                            second(f).total_count += 1;
                          }},
                    Fault{"totals", [](Facts& f) { second(f).total_sum += 1; }},
                    Fault{"files", [](Facts& f) { second(f).file_differences = {"start-1/fifo: missing"}; }},
                    Fault{"serves_again", [](Facts& f) {
                            std::erase_if(second(f).postings, [](const Posting& p) { return p.target == kOther; });
                          }}));

}  // namespace
}  // namespace holdfast::demo
