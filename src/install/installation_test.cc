#include "install/installation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace holdfast::install {
namespace {

Options whole() {
  Options options;
  options.use_node_agent = true;
  options.location = LocationOptions{.bucket = "apps", .prefix = "oadp", .config = {{"region", "us-east-1"}}};
  options.credentials = "[default]\naws_access_key_id = a\naws_secret_access_key = b\n";
  return options;
}

std::vector<json::value> made(const Options& options) {
  Result<std::vector<json::value>> out = installation(options);
  EXPECT_TRUE(out.ok()) << (out ? "" : out.error().to_string());
  return out ? *out : std::vector<json::value>();
}

const json::value* named(const std::vector<json::value>& objects, std::string_view kind, std::string_view name) {
  for (const json::value& object : objects)
    if (json::string_at(object, {"kind"}) == kind && json::string_at(object, {"metadata", "name"}) == name)
      return &object;
  return nullptr;
}

bool allows(const json::value& role, std::string_view group, std::string_view resource, std::string_view verb) {
  const auto has = [](const json::value& rule, std::string_view list, std::string_view word) {
    const std::vector<std::string> words = json::strings(json::array_at(rule, {list}));
    return std::any_of(words.begin(), words.end(), [&](const std::string& w) { return w == "*" || w == word; });
  };
  for (const json::value& rule : json::array_at(role, {"rules"}))
    if (rule.as_object().if_contains("resourceNames") == nullptr && has(rule, "apiGroups", group) &&
        has(rule, "resources", resource) && has(rule, "verbs", verb))
      return true;
  return false;
}

TEST(Installation, CreatesWhatLaterObjectsNeedFirst) {
  const std::vector<json::value> objects = made(whole());
  std::vector<std::string> kinds;
  for (const json::value& object : objects) {
    const std::string kind = json::string_at(object, {"kind"});
    if (kinds.empty() || kinds.back() != kind) kinds.push_back(kind);
  }
  const auto place = [&](std::string_view kind) { return std::find(kinds.begin(), kinds.end(), kind) - kinds.begin(); };
  EXPECT_EQ(place("CustomResourceDefinition"), 0);
  EXPECT_EQ(place("Namespace"), 1);
  EXPECT_LT(place("ServiceAccount"), place("ClusterRoleBinding"));
  EXPECT_LT(place("Secret"), place("Deployment"));
  EXPECT_LT(place("BackupStorageLocation"), place("Deployment"));
  EXPECT_EQ(kinds.back(), "DaemonSet");
  EXPECT_EQ(definitions().size(), 13u);
}

TEST(Installation, NamesTheProgramOfEveryContainerAndTheFieldsItNeeds) {
  const std::vector<json::value> objects = made(whole());
  for (const auto& [kind, name] : {std::pair("Deployment", "velero"), std::pair("DaemonSet", "node-agent")}) {
    const json::value* workload = named(objects, kind, name);
    ASSERT_NE(workload, nullptr) << name;
    EXPECT_EQ(json::string_at(*workload, {"metadata", "labels", "component"}), "velero");
    const json::array& containers = json::array_at(*workload, {"spec", "template", "spec", "containers"});
    ASSERT_EQ(containers.size(), 1u);
    const std::vector<std::string> command = json::strings(json::array_at(containers[0], {"command"}));
    ASSERT_GE(command.size(), 2u);
    EXPECT_EQ(command[0], "/usr/bin/holdfast");
    EXPECT_EQ(json::string_at(containers[0], {"imagePullPolicy"}), "IfNotPresent");
    EXPECT_EQ(json::string_at(containers[0], {"image"}), default_image());
    std::set<std::string> variables;
    for (const json::value& v : json::array_at(containers[0], {"env"})) variables.insert(json::string_at(v, {"name"}));
    EXPECT_TRUE(variables.contains("NODE_NAME") && variables.contains("POD_NAMESPACE") &&
                variables.contains("POD_NAME"));
    // The selector must match the pods' labels, else the API server refuses the object.
    const json::object& labels = json::object_at(*workload, {"spec", "template", "metadata", "labels"});
    for (const auto& [key, value] : json::object_at(*workload, {"spec", "selector", "matchLabels"}))
      EXPECT_EQ(labels.at(key), value);
  }
  EXPECT_EQ(json::int_at(*named(objects, "Deployment", "velero"), {"spec", "replicas"}), 2);
}

TEST(Installation, LetsTheAgentSeeVolumesThatAreMountedLater) {
  const std::vector<json::value> objects = made(whole());
  const json::value& spec = *json::find(*named(objects, "DaemonSet", "node-agent"), {"spec", "template", "spec"});
  const json::value& mount = json::array_at(json::array_at(spec, {"containers"})[0], {"volumeMounts"})[0];
  EXPECT_EQ(json::string_at(mount, {"mountPath"}), "/host_pods");
  EXPECT_EQ(json::string_at(mount, {"mountPropagation"}), "HostToContainer");
  EXPECT_EQ(json::string_at(json::array_at(spec, {"volumes"})[0], {"hostPath", "path"}), "/var/lib/kubelet/pods");
}

TEST(Installation, GivesEachAccountItsOwnRights) {
  const std::vector<json::value> objects = made(whole());
  const json::value& backup = *named(objects, "ClusterRole", "velero-backup");
  const json::value& restore = *named(objects, "ClusterRole", "velero-restore");
  const json::value& agent = *named(objects, "ClusterRole", "velero-node-agent");
  const json::value& agent_own = *named(objects, "Role", "velero-node-agent");
  EXPECT_TRUE(allows(backup, "apps", "deployments", "list"));
  EXPECT_TRUE(allows(backup, "", "pods/exec", "create"));
  for (const char* resource : {"deployments", "statefulsets"}) EXPECT_FALSE(allows(backup, "apps", resource, "create"));
  EXPECT_FALSE(allows(backup, "", "secrets", "update"));
  EXPECT_TRUE(allows(restore, "apps.openshift.io", "deploymentconfigs", "create"));
  EXPECT_TRUE(allows(restore, "rbac.authorization.k8s.io", "roles", "escalate"));
  EXPECT_TRUE(allows(restore, "rbac.authorization.k8s.io", "clusterroles", "bind"));
  EXPECT_FALSE(allows(agent, "", "secrets", "get"));
  EXPECT_TRUE(allows(agent, "", "pods", "watch"));
  EXPECT_FALSE(allows(agent, "", "pods", "create"));
  EXPECT_TRUE(allows(agent_own, "", "secrets", "get"));
  for (const char* verb : {"list", "watch", "create", "update", "patch", "delete"})
    EXPECT_FALSE(allows(agent_own, "", "secrets", verb)) << verb;
  for (const char* verb : {"create", "update", "patch", "delete"})
    EXPECT_FALSE(allows(agent_own, "velero.io", "backuprepositories", verb)) << verb;
  EXPECT_TRUE(allows(agent_own, "velero.io", "podvolumebackups", "patch"));
  EXPECT_FALSE(allows(agent_own, "velero.io", "backups", "create"));
  const json::array& subjects = json::array_at(*named(objects, "ClusterRoleBinding", "velero-restore"), {"subjects"});
  ASSERT_EQ(subjects.size(), 1u);
  EXPECT_EQ(json::string_at(subjects[0], {"name"}), "velero-restore");
}

TEST(Installation, TheControllersActAsTheRestoreAccountOfTheirOwnNamespaceOnly) {
  const std::vector<json::value> objects = made(whole());
  size_t found = 0;
  for (const json::value& object : objects) {
    for (const json::value& rule : json::array_at(object, {"rules"})) {
      const std::vector<std::string> verbs = json::strings(json::array_at(rule, {"verbs"}));
      if (std::find(verbs.begin(), verbs.end(), "impersonate") == verbs.end()) continue;
      ++found;
      EXPECT_EQ(json::string_at(object, {"kind"}), "Role") << "a ClusterRole would reach into other namespaces";
      EXPECT_EQ(json::strings(json::array_at(rule, {"resources"})), std::vector<std::string>{"serviceaccounts"});
      EXPECT_EQ(json::strings(json::array_at(rule, {"resourceNames"})), std::vector<std::string>{"velero-restore"});
    }
  }
  EXPECT_EQ(found, 1U);
  const std::vector<std::string> command = json::strings(json::array_at(
      json::array_at(*named(objects, "Deployment", "velero"), {"spec", "template", "spec", "containers"})[0],
      {"command"}));
  const auto account = std::find(command.begin(), command.end(), "--restore-account");
  ASSERT_NE(account, command.end());
  EXPECT_EQ(*std::next(account), "velero-restore");
  for (const json::value& object : objects) {
    EXPECT_NE(json::string_at(object, {"spec", "template", "spec", "serviceAccountName"}), "velero-restore")
        << "no pod runs under it";
  }
}

TEST(Installation, BindsOnlyAccountsAndRolesThatItMakes) {
  for (const std::string ns : {"velero", "staging"}) {
    Options options = whole();
    options.ns = ns;
    const std::vector<json::value> objects = made(options);
    size_t bindings = 0;
    for (const json::value& object : objects) {
      if (!json::string_at(object, {"kind"}).ends_with("RoleBinding")) continue;
      ++bindings;
      EXPECT_NE(
          named(objects, json::string_at(object, {"roleRef", "kind"}), json::string_at(object, {"roleRef", "name"})),
          nullptr);
      for (const json::value& subject : json::array_at(object, {"subjects"})) {
        EXPECT_NE(named(objects, "ServiceAccount", json::string_at(subject, {"name"})), nullptr);
        EXPECT_EQ(json::string_at(subject, {"namespace"}), ns);
      }
    }
    EXPECT_EQ(bindings, 5u);
    for (const std::string& name : cluster_names(ns).roles) EXPECT_NE(named(objects, "ClusterRole", name), nullptr);
    for (const std::string& name : cluster_names(ns).bindings)
      EXPECT_NE(named(objects, "ClusterRoleBinding", name), nullptr);
  }
}

TEST(Installation, MountsAStoreDirectoryAtTheSamePathEverywhere) {
  Options options;
  options.use_node_agent = true;
  options.store_directory = "/srv/store";
  options.site = "a";
  const std::vector<json::value> objects = made(options);
  const json::value& location = *named(objects, "BackupStorageLocation", "default");
  EXPECT_EQ(json::string_at(location, {"spec", "provider"}), "holdfast.dev/directory");
  EXPECT_EQ(json::string_at(location, {"spec", "config", "path"}), "/srv/store");
  for (const auto& [kind, name] : {std::pair("Deployment", "velero"), std::pair("DaemonSet", "node-agent")}) {
    const json::value& spec = *json::find(*named(objects, kind, name), {"spec", "template", "spec"});
    const json::array& mounts = json::array_at(json::array_at(spec, {"containers"})[0], {"volumeMounts"});
    EXPECT_TRUE(std::any_of(mounts.begin(), mounts.end(), [](const json::value& m) {
      return json::string_at(m, {"name"}) == "store" && json::string_at(m, {"mountPath"}) == "/srv/store";
    })) << name;
    const json::array& volumes = json::array_at(spec, {"volumes"});
    EXPECT_TRUE(std::any_of(volumes.begin(), volumes.end(), [](const json::value& v) {
      return json::string_at(v, {"hostPath", "path"}) == "/srv/store" &&
             json::string_at(v, {"hostPath", "type"}) == "DirectoryOrCreate";
    })) << name;
  }
  const std::vector<std::string> command = json::strings(json::array_at(
      json::array_at(*named(objects, "Deployment", "velero"), {"spec", "template", "spec", "containers"})[0],
      {"command"}));
  const auto site = std::find(command.begin(), command.end(), "--site");
  ASSERT_NE(site, command.end());
  EXPECT_EQ(*std::next(site), "a");
  options.default_location = false;
  const std::vector<json::value> without = made(options);
  EXPECT_EQ(named(without, "BackupStorageLocation", "default"), nullptr);
  EXPECT_EQ(*named(without, "DaemonSet", "node-agent"), *named(objects, "DaemonSet", "node-agent"));
}

TEST(Installation, RefusesWhatNoClusterWouldTake) {
  Options both = whole();
  both.store_directory = "/srv/store";
  EXPECT_TRUE(installation(both).is(ErrorCode::invalid));
  Options relative;
  relative.store_directory = "srv/store";
  EXPECT_TRUE(installation(relative).is(ErrorCode::invalid));
  Options bucketless = whole();
  bucketless.location->bucket.clear();
  EXPECT_TRUE(installation(bucketless).is(ErrorCode::invalid));
}

}  // namespace
}  // namespace holdfast::install
