#include "control/schedule_controller.h"

#include "control/backup_controller.h"
#include "control/test_site.h"
#include "velero/schedule.h"

namespace holdfast::control {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class ScheduleTest : public testing::Test, protected TestSite {
 protected:
  void make(const std::string& cron, const std::string& more = "") {
    api.seed_yaml("{apiVersion: velero.io/v1, kind: Schedule, metadata: {name: s, namespace: velero, labels: {a: b}" +
                  std::string("}, spec: {schedule: '") + cron +
                  "', template: {includedNamespaces: [web], ttl: 1h0m0s}" + more + "}}");
    patch("schedules", "s", R"({"metadata":{"creationTimestamp":")" + format_rfc3339(clock.now()) + "\"}}");
  }
  /// Reconciles until it says how long it waits; a second worker would find nothing to do.
  kube::After settle() {
    for (int i = 0; i < 10; ++i) {
      Result<kube::After> after = controller.reconcile("s", {});
      EXPECT_TRUE(after.ok()) << after.error().to_string();
      if (!after.ok() || after->delay != Duration::zero()) return std::move(after).value_or({});
    }
    ADD_FAILURE() << "never settles";
    return {};
  }
  std::vector<std::string> backups() {
    std::vector<std::string> names;
    for (const velero::Backup& one : all<velero::Backup>()) names.push_back(one.metadata.name);
    return names;
  }
  void end(const std::string& backup, const std::string& phase = "Completed", const std::string& reason = "") {
    patch("backups", backup, R"({"status":{"phase":")" + phase + R"(","failureReason":")" + reason + "\"}}");
  }
  ScheduleController controller{context};
};

TEST_F(ScheduleTest, WakesAtTheDueTimeAndMakesOneBackup) {
  make("@every 5s");
  EXPECT_EQ(settle().delay, seconds(5));
  EXPECT_TRUE(backups().empty());
  EXPECT_EQ(get<velero::Schedule>("s").status.phase, "Enabled");
  clock.advance(seconds(5));
  const Time due = clock.now();
  EXPECT_EQ(settle().delay, seconds(5));
  const std::vector<std::string> made = backups();
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0], velero::scheduled_backup_name("s", due));
  const auto backup = get<velero::Backup>(made[0]);
  EXPECT_EQ(backup.metadata.label(velero::label::kScheduleName), "s");
  EXPECT_EQ(backup.metadata.label("a"), "b");
  EXPECT_THAT(backup.spec.included_namespaces, ElementsAre("web"));
  EXPECT_EQ(backup.spec.ttl, std::chrono::hours(1));
  EXPECT_EQ(get<velero::Schedule>("s").status.last_backup, due);
  settle();
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, ManyMissedRunsAreOneBackup) {
  make("@every 5s");
  clock.advance(std::chrono::hours(3));
  settle();
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, WaitsWhileItsBackupRuns) {
  make("@every 5s");
  clock.advance(seconds(5));
  settle();
  const std::string first = backups().at(0);
  for (const char* phase : {"", "New", "InProgress", "Finalizing"}) {
    end(first, phase);
    clock.advance(seconds(5));
    EXPECT_LT(settle().delay, seconds(1)) << phase;
    EXPECT_EQ(backups().size(), 1U) << phase;
  }
  end(first);
  settle();
  EXPECT_EQ(backups().size(), 2U);
}

TEST_F(ScheduleTest, OtherSchedulesBackupsDoNotHoldItUp) {
  make("@every 5s");
  api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Backup, metadata: {name: x, namespace: velero, labels: {velero.io/"
      "schedule-name: other}}, status: {phase: InProgress}}");
  clock.advance(seconds(5));
  settle();
  EXPECT_EQ(backups().size(), 2U);
}

TEST_F(ScheduleTest, PausedMakesNoneAndUnpausedOneAtOnce) {
  make("@every 5s", ", paused: true");
  clock.advance(std::chrono::hours(1));
  EXPECT_FALSE(settle().delay.has_value());
  EXPECT_TRUE(backups().empty());
  patch("schedules", "s", R"({"spec":{"paused":false}})");
  settle();
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, SkipImmediatelyForgoesTheMissedRunAndResetsItself) {
  make("@every 1h", ", skipImmediately: true");
  clock.advance(std::chrono::hours(5));
  const Time now = clock.now();
  EXPECT_EQ(settle().delay, std::chrono::hours(1));
  EXPECT_TRUE(backups().empty());
  const auto schedule = get<velero::Schedule>("s");
  EXPECT_EQ(schedule.spec.skip_immediately, false);
  EXPECT_EQ(schedule.status.last_skipped, now);
  clock.advance(std::chrono::hours(1));
  settle();
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, AMalformedCronIsFailedValidationUntilItIsMended) {
  make("not a cron");
  EXPECT_FALSE(settle().delay.has_value());
  auto schedule = get<velero::Schedule>("s");
  EXPECT_EQ(schedule.status.phase, "FailedValidation");
  ASSERT_EQ(schedule.status.validation_errors.size(), 1U);
  EXPECT_THAT(schedule.status.validation_errors[0], HasSubstr("invalid schedule"));
  clock.advance(std::chrono::hours(1));
  settle();
  EXPECT_TRUE(backups().empty());
  patch("schedules", "s", R"({"spec":{"schedule":"@every 5s"}})");
  settle();
  schedule = get<velero::Schedule>("s");
  EXPECT_EQ(schedule.status.phase, "Enabled");
  EXPECT_TRUE(schedule.status.validation_errors.empty());
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, AnotherControllerGoesOnWhereTheLastOneWas) {
  make("@every 5s");
  clock.advance(seconds(5));
  settle();
  end(backups().at(0));
  ScheduleController next(context);
  const auto after = next.reconcile("s", {});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->delay, seconds(5));
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, ADeathAtAnyCallNeitherLosesNorDoublesARun) {
  for (int n = 1; n <= 5; ++n) {
    for (auto when : {kube::FakeApi::Fault::When::before, kube::FakeApi::Fault::When::after}) {
      TestSite site;
      site.api.seed_yaml(
          "{apiVersion: velero.io/v1, kind: Schedule, metadata: {name: s, namespace: velero}, spec: {schedule: '@every "
          "1h', template: {}}}");
      site.clock.advance(std::chrono::minutes(90));
      kube::FakeApi::Fault fault;
      fault.nth = n;
      fault.when = when;
      fault.error = Error(ErrorCode::unavailable, "gone");
      site.api.inject(fault);
      // The first controller ends at its first failure, as at a kill; the second one works three seconds later.
      ScheduleController first(site.context);
      for (int i = 0; i < 5; ++i) {
        const auto after = first.reconcile("s", {});
        if (!after.ok()) break;
      }
      site.api.clear_faults();
      site.clock.advance(seconds(3));
      ScheduleController second(site.context);
      for (int i = 0; i < 5; ++i) ASSERT_TRUE(second.reconcile("s", {}).ok());
      EXPECT_EQ(site.all<velero::Backup>().size(), 1U) << n;
    }
  }
}

TEST_F(ScheduleTest, ABackupWhoseControllerWasLostIsMadeAgainAtOnce) {
  make("0 3 * * *");
  clock.advance(std::chrono::hours(48));
  settle();
  const std::string first = backups().at(0);
  end(first, "InProgress");
  clock.advance(std::chrono::minutes(1));
  BackupController backup_controller(context);
  ASSERT_TRUE(backup_controller.take_over({}).ok());
  EXPECT_EQ(get<velero::Backup>(first).status.phase, "Failed");
  EXPECT_THAT(get<velero::Backup>(first).status.failure_reason, HasSubstr("controller lost"));
  settle();
  ASSERT_EQ(backups().size(), 2U);
  // Once: the second one runs now, and when it ends by itself the next due time counts.
  const std::string second = backups().at(1);
  end(second, "Failed", "the disk is full");
  clock.advance(std::chrono::minutes(1));
  EXPECT_GT(settle().delay, std::chrono::minutes(1));
  EXPECT_EQ(backups().size(), 2U);
}

TEST_F(ScheduleTest, APausedScheduleDoesNotMakeALostBackupAgain) {
  make("0 3 * * *");
  clock.advance(std::chrono::hours(48));
  settle();
  end(backups().at(0), "Failed", "controller lost: gone");
  patch("schedules", "s", R"({"spec":{"paused":true}})");
  clock.advance(std::chrono::minutes(1));
  settle();
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(ScheduleTest, AScheduleThatIsGoneIsDone) {
  const auto after = controller.reconcile("nosuch", {});
  ASSERT_TRUE(after.ok());
  EXPECT_FALSE(after->delay.has_value());
}

}  // namespace
}  // namespace holdfast::control
