#include <gtest/gtest.h>

#include "backup/actions.h"
#include "backup/json_edit.h"
#include "base/yaml.h"

namespace holdfast::backup {
namespace {

json::object yaml_object(std::string_view text) {
  return yaml::parse(text).value().get_object();
}

std::string names(const std::vector<ItemKey>& keys) {
  std::string all;
  for (const ItemKey& key : keys) all += (all.empty() ? "" : ", ") + key.to_string();
  return all;
}

TEST(BackupActions, ABoundClaimBringsItsVolumeAndLosesLeftovers) {
  BackupFacts facts;
  facts.backup_name = "now";
  const Outcome out = run_backup_actions("persistentvolumeclaims", yaml_object(R"(
kind: PersistentVolumeClaim
metadata: {name: c, namespace: a, labels: {velero.io/backup-name: then, velero.io/restore-name: r, app: x}}
spec: {volumeName: pv1, storageClassName: fast, selector: {matchLabels: {a: b}}, dataSource: {name: s}, dataSourceRef: {name: s}}
status: {phase: Bound}
)"),
                                         facts)
                          .value();
  EXPECT_EQ(names(out.additional), "persistentvolumes pv1");
  EXPECT_EQ(json::compact(out.object.at("spec")), R"({"volumeName":"pv1","storageClassName":"fast"})");
  EXPECT_EQ(json::compact(out.object.at("metadata").at("labels")), R"({"app":"x"})");
}

TEST(BackupActions, AnUnboundClaimBringsNothingAndAStaticOneKeepsItsSelector) {
  const Outcome out = run_backup_actions("persistentvolumeclaims", yaml_object(R"(
metadata: {name: c, namespace: a}
spec: {storageClassName: "", selector: {matchLabels: {a: b}}}
status: {phase: Pending}
)"),
                                         {})
                          .value();
  EXPECT_TRUE(out.additional.empty());
  EXPECT_NE(json::find(out.object, {"spec", "selector"}), nullptr);
}

TEST(BackupActions, APodBringsClaimsAndPriorityClassAndLosesItsGate) {
  const Outcome out = run_backup_actions("pods", yaml_object(R"(
metadata: {name: p, namespace: a}
spec:
  priorityClassName: high
  initContainers: [{name: holdfast-gate}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}, {name: e, emptyDir: {}}]
status: {initContainerStatuses: [{name: holdfast-gate}]}
)"),
                                         {})
                          .value();
  EXPECT_EQ(names(out.additional), "persistentvolumeclaims a/c, priorityclasses.scheduling.k8s.io high");
  EXPECT_EQ(json::find(out.object, {"spec", "initContainers"}), nullptr);
  EXPECT_EQ(json::find(out.object, {"status", "initContainerStatuses"}), nullptr);
}

TEST(BackupActions, AnAccountBringsTheClusterRolesThatNameIt) {
  BackupFacts facts;
  facts.cluster_role_bindings = {
      yaml::parse("{metadata: {name: mine}, roleRef: {kind: ClusterRole, name: power}, subjects: [{kind: "
                  "ServiceAccount, name: robot, namespace: a}]}")
          .value(),
      yaml::parse("{metadata: {name: other}, roleRef: {kind: ClusterRole, name: x}, subjects: [{kind: ServiceAccount, "
                  "name: robot, namespace: b}]}")
          .value(),
      yaml::parse("{metadata: {name: none}, roleRef: {kind: ClusterRole, name: y}}").value()};
  facts.security_context_constraints = {
      yaml::parse("{metadata: {name: anyuid}, users: ['system:serviceaccount:a:robot']}").value(),
      yaml::parse("{metadata: {name: other}, users: ['system:serviceaccount:b:robot']}").value()};
  const Outcome out =
      run_backup_actions("serviceaccounts", yaml_object("{metadata: {name: robot, namespace: a}}"), facts).value();
  EXPECT_EQ(names(out.additional),
            "clusterrolebindings.rbac.authorization.k8s.io mine, clusterroles.rbac.authorization.k8s.io power, "
            "securitycontextconstraints.security.openshift.io anyuid");
}

TEST(BackupActions, OnlyOpenShiftAnnotatesEverything) {
  BackupFacts facts;
  const json::object object = yaml_object("{metadata: {name: m, namespace: a}}");
  EXPECT_EQ(run_backup_actions("configmaps", object, facts).value().object, object);
  facts.openshift_version = "1.29";
  facts.registry_hostname = "registry:5000";
  const Outcome out = run_backup_actions("configmaps", object, facts).value();
  EXPECT_EQ(annotation(out.object, "openshift.io/backup-server-version"), "1.29");
  EXPECT_EQ(annotation(out.object, "openshift.io/backup-registry-hostname"), "registry:5000");
}

TEST(BackupActions, NoActionChangesOrNeedsWhatIsNotThere) {
  for (const BackupAction& action : backup_actions()) {
    const Result<Outcome> out = action.act(json::object(), BackupFacts());
    ASSERT_TRUE(out.ok()) << action.name;
    EXPECT_TRUE(out->additional.empty()) << action.name;
    // Members of the wrong kind are no reason to fall either.
    const json::object odd = yaml_object("{metadata: 1, spec: [x], status: {phase: {}}, subjects: {}}");
    EXPECT_TRUE(action.act(odd, BackupFacts()).ok()) << action.name;
  }
}

}  // namespace
}  // namespace holdfast::backup
