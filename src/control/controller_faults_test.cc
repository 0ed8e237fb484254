// Backups and restores whose calls to the API fail or whose answers get lost, one at a time.
#include <fmt/format.h>

#include "control/backup_controller.h"
#include "control/restore_controller.h"
#include "control/test_site.h"

namespace holdfast::control {
namespace {

using When = kube::FakeApi::Fault::When;

constexpr const char* kObjects = R"(
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}, data: {colour: blue}}
---
{apiVersion: velero.io/v1, kind: Backup, metadata: {name: b, namespace: velero, labels: {velero.io/schedule-name: s}}, spec: {includedNamespaces: [web]}}
)";

/// Reconciles as the queue does: again after an error, again when told to.
template <typename Controller>
void work(Controller& controller, const std::string& name) {
  for (int i = 0; i < 5; ++i) {
    const Result<kube::After> after = controller.reconcile(name, {});
    if (after.ok() && !after->delay.has_value()) return;
  }
}

/// Fails the n-th call with that error, for every n, until a run has fewer calls; `check` is told where it was.
void sweep(const std::function<void(TestSite&)>& prepare, const std::function<void(TestSite&)>& act,
           const std::function<void(TestSite&, const std::string&)>& check) {
  const std::vector<std::pair<ErrorCode, When>> kinds = {{ErrorCode::unavailable, When::before},
                                                         {ErrorCode::unavailable, When::after},
                                                         {ErrorCode::conflict, When::before}};
  for (const auto& [code, when] : kinds) {
    bool hit = true;
    for (int n = 1; hit; ++n) {
      ASSERT_LT(n, 500);
      TestSite site;
      TestDirectory directory;
      site.make_location("default", directory.path());
      site.api.seed_yaml(kObjects);
      prepare(site);
      site.api.forget_calls();
      kube::FakeApi::Fault fault;
      fault.nth = n;
      fault.when = when;
      fault.error = Error(code, "told to fail");
      site.api.inject(fault);
      act(site);
      hit = site.api.calls().size() >= static_cast<size_t>(n);
      site.api.clear_faults();
      check(site, fmt::format("call {}, {}, {}", n, when == When::before ? "before" : "after", to_string(code)));
      if (testing::Test::HasFailure()) return;
    }
  }
}

bool in_store(TestSite& site) {
  const auto location = site.locations.get("default");
  return location->store->head("backups/b/velero-backup.json").ok();
}

TEST(ControllerFaults, ABackupAlwaysEndsAndSaysWhatIsInTheStore) {
  sweep([](TestSite&) {},
        [](TestSite& site) {
          BackupController controller(site.context);
          work(controller, "b");
        },
        [](TestSite& site, const std::string& where) {
          const auto backup = site.get<velero::Backup>("b");
          EXPECT_TRUE(velero::is_final(backup.status.phase)) << where << ": " << backup.status.phase;
          const bool whole = backup.status.phase == "Completed" || backup.status.phase == "PartiallyFailed";
          EXPECT_EQ(whole, in_store(site)) << where << ": " << backup.status.phase;
          EXPECT_EQ(backup.status.phase == "Failed", !backup.status.failure_reason.empty()) << where;
        });
}

TEST(ControllerFaults, WhatASuccessorHasEndedIsNotWrittenOver) {
  TestSite site;
  TestDirectory directory;
  site.make_location("default", directory.path());
  site.api.seed_yaml(kObjects);
  site.api.inject({.verb = "list", .resource = "configmaps", .meanwhile = [&site] {
                     site.patch("backups", "b",
                                R"({"status": {"phase": "Failed", "failureReason": "controller lost"}})");
                   }});
  BackupController controller(site.context);
  work(controller, "b");
  const auto backup = site.get<velero::Backup>("b");
  EXPECT_EQ(backup.status.phase, "Failed");
  EXPECT_EQ(backup.status.failure_reason, "controller lost");
  EXPECT_FALSE(in_store(site));
  EXPECT_FALSE(directory.has("backups/b/b.tar.gz"));
}

TEST(ControllerFaults, ARestoreAlwaysEndsAndItsObjectsAreThereWhenItSaysSo) {
  sweep(
      [](TestSite& site) {
        BackupController controller(site.context);
        work(controller, "b");
        ASSERT_EQ(site.get<velero::Backup>("b").status.phase, "Completed");
        ASSERT_TRUE(site.api.remove(kube::types::config_maps(), "web", "c").ok());
        site.api.seed_yaml(
            "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: {scheduleName: "
            "s}}");
      },
      [](TestSite& site) {
        BackupSync sync(site.context);
        RestoreController controller(site.context, sync);
        work(controller, "r");
      },
      [](TestSite& site, const std::string& where) {
        const auto restore = site.get<velero::Restore>("r");
        EXPECT_TRUE(velero::is_final(restore.status.phase)) << where << ": " << restore.status.phase;
        if (restore.status.phase == "Completed") {
          EXPECT_TRUE(site.api.peek(kube::types::config_maps(), "web", "c").is_object()) << where;
        }
      });
}

/// Two views of one cluster would show the same objects; here they are two clusters, so that each write tells whose it
/// was.
TEST(RestoreAccount, ObjectsAreMadeAsItAndRecordsAsTheController) {
  TestSite site;
  TestDirectory directory;
  site.make_location("default", directory.path());
  site.api.seed_yaml(kObjects);
  BackupController backups(site.context);
  work(backups, "b");
  ASSERT_EQ(site.get<velero::Backup>("b").status.phase, "Completed");
  site.api.seed_yaml(
      "{apiVersion: velero.io/v1, kind: Restore, metadata: {name: r, namespace: velero}, spec: {backupName: b, "
      "namespaceMapping: {web: copy}}}");
  kube::FakeApi acting;
  BackupSync sync(site.context);
  RestoreController restores(site.context, sync, &acting);
  work(restores, "r");
  EXPECT_EQ(site.get<velero::Restore>("r").status.phase, "Completed");
  EXPECT_TRUE(acting.peek(kube::types::config_maps(), "copy", "c").is_object());
  EXPECT_TRUE(site.api.peek(kube::types::config_maps(), "copy", "c").is_null());
}

}  // namespace
}  // namespace holdfast::control
