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

TEST_F(BackupControllerTest, ResourcePoliciesChooseVolumes) {
  make_location("default", directory.path());
  api.seed_yaml(R"(
{apiVersion: v1, kind: ConfigMap, metadata: {name: p, namespace: velero}, data: {p.yaml: "version: v1\nvolumePolicies:\n- conditions: {storageClass: [scratch]}\n  action: {type: skip}\n- conditions: {volumeTypes: [emptyDir]}\n  action: {type: fs-backup}\n"}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv1}, spec: {storageClassName: scratch, capacity: {storage: 1Gi}, csi: {driver: d}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: web}, spec: {volumeName: pv1}, status: {phase: Bound}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: web, annotations: {backup.velero.io/backup-volumes: d}}, spec: {nodeName: n1, containers: [{name: c, volumeMounts: [{name: d, mountPath: /d}, {name: e, mountPath: /e}]}], volumes: [{name: d, persistentVolumeClaim: {claimName: data}}, {name: e, emptyDir: {}}]}, status: {phase: Running}}
)");
  ask("b", ", resourcePolicy: {kind: configmap, name: p}");
  const velero::Backup backup = run("b");
  // No node agent runs here: what was asked of one is told by name.
  EXPECT_EQ(backup.status.phase, "PartiallyFailed");
  const std::string files = directory.path() + "/backups/b/b-";
  const std::string results = velero::gunzip(read_file(files + "results.gz").value()).value();
  EXPECT_THAT(results, HasSubstr("volume e of pod web/p: no node agent runs on node n1"));
  EXPECT_THAT(results, testing::Not(HasSubstr("volume d of pod")));
  const std::string infos = velero::gunzip(read_file(files + "volumeinfo.json.gz").value()).value();
  EXPECT_THAT(infos, HasSubstr("podvolume: matched action is 'skip' in chosen resource policies;"));
}

TEST_F(BackupControllerTest, BadResourcePoliciesAreFailedValidation) {
  make_location("default", directory.path());
  const std::array<std::string, 3> policies[] = {
      {"snapshot", "version: v1\\nvolumePolicies: [{conditions: {}, action: {type: snapshot}}]",
       "resource policies velero/snapshot: action type snapshot is not supported"},
      {"version", "version: v2", "resource policies velero/version: incompatible version number v2 with supported"},
      {"yaml", "{", "resource policies velero/yaml: failed to decode yaml data into resource policies  "}};
  for (const auto& [name, text, fault] : policies) {
    api.seed_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name +
                  ", namespace: velero}, data: {p.yaml: \"" + text + "\"}}");
    ask(name, ", resourcePolicy: {kind: configmap, name: " + name + "}");
    const velero::Backup backup = run(name);
    EXPECT_EQ(backup.status.phase, "FailedValidation");
    EXPECT_THAT(backup.status.validation_errors, ElementsAre(HasSubstr(fault)));
  }
  ask("kind", ", resourcePolicy: {kind: secret, name: p}");
  EXPECT_THAT(run("kind").status.validation_errors, ElementsAre(HasSubstr("\"secret\" is no kind")));
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
