#include "control/backup_controller.h"

#include "control/location_controller.h"
#include "control/test_site.h"
#include "objstore/fault.h"
#include "objstore/odd_store.h"
#include "velero/gzip.h"
#include "velero/metadata.h"

namespace holdfast::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BackupControllerTest : public testing::Test, protected TestSite {
 protected:
  BackupControllerTest() {
    api.seed_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}, data: {colour: blue}}");
  }
  void ask(const std::string& name, const std::string& more = "") {
    api.seed_yaml("{apiVersion: velero.io/v1, kind: Backup, metadata: {name: " + name +
                  ", namespace: velero}, spec: {includedNamespaces: [web]" + more + "}}");
  }
  velero::Backup run(const std::string& name) {
    BackupController controller(context);
    const auto after = controller.reconcile(name, {});
    EXPECT_TRUE(after.ok()) << after.error().to_string();
    return get<velero::Backup>(name);
  }
  std::string log_of(const std::string& name) {
    return velero::gunzip(read_file(directory.path() + "/backups/" + name + "/" + name + "-logs.gz").value()).value();
  }
  TestDirectory directory;
};

TEST_F(BackupControllerTest, WithoutConditionalPutAFreshLookGuardsTheMetadata) {
  for (const auto& odd : {objstore::OddStore::overwriting, objstore::OddStore::refusing}) {
    const std::string name = odd == objstore::OddStore::refusing ? "refusing" : "overwriting";
    decorate = odd;
    make_location(name, directory.path());
    // No validation before it: a new leader's first backup must not believe what the store claims.
    ask("b-" + name, ", storageLocation: " + name);
    const velero::Backup backup = run("b-" + name);
    EXPECT_EQ(backup.status.phase, "Completed") << backup.status.failure_reason;
    EXPECT_EQ(backup.status.warnings, 1);
    EXPECT_THAT(log_of("b-" + name), HasSubstr("the store has no atomic conditional put"));
    EXPECT_TRUE(directory.has("backups/b-" + name + "/velero-backup.json"));
  }
}

TEST_F(BackupControllerTest, WithoutConditionalPutMetadataThatAppearedMeanwhileIsKept) {
  const std::string metadata = directory.path() + "/backups/b/velero-backup.json";
  decorate = [&](std::shared_ptr<objstore::Store> store) { return objstore::OddStore::refusing(std::move(store)); };
  make_location("default", directory.path());
  ask("b");
  // Between our first look at the directory and the metadata somebody else finishes a backup of this name.
  kube::FakeApi::Fault fault;
  fault.verb = "list";
  fault.resource = "configmaps";
  fault.meanwhile = [&] { directory.write("backups/b/velero-backup.json", "somebody's"); };
  fault.delay = Duration::zero();
  api.inject(fault);
  const velero::Backup backup = run("b");
  EXPECT_EQ(backup.status.phase, "Failed");
  EXPECT_THAT(backup.status.failure_reason, HasSubstr("velero-backup.json exists already"));
  EXPECT_EQ(read_file(metadata).value(), "somebody's");
}

TEST_F(BackupControllerTest, ADirectoryHasConditionalPut) {
  make_location("default", directory.path());
  ask("b");
  const velero::Backup backup = run("b");
  EXPECT_EQ(backup.status.phase, "Completed");
  EXPECT_EQ(backup.status.warnings, 0);
}

TEST_F(BackupControllerTest, SiteEpochAndAttemptStandOnTheObjectWhileItRuns) {
  make_location("default", directory.path());
  ask("b");
  velero::Backup running;
  kube::FakeApi::Fault fault;
  fault.verb = "list";
  fault.resource = "configmaps";
  fault.meanwhile = [&] { running = *context.objects.get<velero::Backup>("b"); };
  api.inject(fault);
  const velero::Backup backup = run("b");
  EXPECT_EQ(running.status.phase, "InProgress");
  EXPECT_EQ(running.metadata.annotation(velero::annotation::kSite), "east");
  EXPECT_EQ(running.metadata.annotation(velero::annotation::kEpoch), "0");
  const std::string attempt = running.metadata.annotation(velero::annotation::kAttempt);
  EXPECT_EQ(attempt.size(), 32U);
  EXPECT_EQ(backup.metadata.annotation(velero::annotation::kAttempt), attempt);
  EXPECT_THAT(log_of("b"), HasSubstr("attempt=" + attempt));
  const auto stored = velero::decode_metadata(read_file(directory.path() + "/backups/b/velero-backup.json").value());
  EXPECT_EQ(stored->metadata.annotation(velero::annotation::kAttempt), attempt);
}

}  // namespace
}  // namespace holdfast::control
