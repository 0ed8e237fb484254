// OpenShift's DeploymentConfig: a ReplicationController NAME-N for each version, the newest one running.
//
// What OpenShift leaves to deployer pods happens here: the new controller is scaled up and the old ones down. Version N
// begins when the template differs from that of N-1 and the ConfigChange trigger is there. Labels, annotations and
// owner references are OpenShift's, so that tools which look for them find them. Only the types are needed from the
// server; on a real cluster its own ReplicationController controller makes the pods.
#include <algorithm>

#include "base/text.h"
#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const char kName[] = "openshift.io/deployment-config.name";
const char kVersion[] = "openshift.io/deployment-config.latest-version";
const char kPhase[] = "openshift.io/deployment.phase";
const char kDeployment[] = "openshift.io/deployment.name";
const char kEncoded[] = "openshift.io/encoded-deployment-config";

const kube::ResourceType& deployment_configs() {
  static const kube::ResourceType type =
      resource_type("apps.openshift.io", "v1", "deploymentconfigs", "DeploymentConfig");
  return type;
}

int64_t version_of(const json::value& controller) {
  return parse_int(json::string_at(controller, {"metadata", "annotations", kVersion}, "0")).value_or(0);
}

bool has_config_change(const json::value& config) {
  const json::array& triggers = json::array_at(config, {"spec", "triggers"});
  return std::any_of(triggers.begin(), triggers.end(),
                     [](const json::value& t) { return json::string_at(t, {"type"}) == "ConfigChange"; });
}

json::object new_controller(const json::value& config, int64_t version) {
  const std::string name = name_of(config);
  const std::string deployment = name + "-" + std::to_string(version);
  json::object made{{"apiVersion", "v1"}, {"kind", "ReplicationController"}};
  json::set(made, {"metadata", "name"}, json::value(deployment));
  json::set(made, {"metadata", "labels"}, json::object_at(config, {"metadata", "labels"}));
  json::set(made, {"metadata", "labels", kName}, json::value(name));
  json::set(made, {"metadata", "annotations"},
            json::object{{kName, name},
                         {kVersion, std::to_string(version)},
                         {kPhase, "New"},
                         {"openshift.io/deployment.replicas", ""},
                         {"openshift.io/deployment.status-reason", "config change"},
                         {kEncoded, json::compact(json::object{{"kind", "DeploymentConfig"},
                                                               {"apiVersion", "apps.openshift.io/v1"},
                                                               {"metadata", json::object{{"name", name}}},
                                                               {"spec", config.at("spec")}})}});
  json::set(made, {"metadata", "ownerReferences"}, json::array{controller_reference(deployment_configs(), config)});
  json::set(made, {"spec", "replicas"}, json::value(0));
  json::set(made, {"spec", "template"}, config.at("spec").at("template"));
  json::set(made, {"spec", "selector"}, json::object_at(config, {"spec", "selector"}));
  for (const auto& [label, text] : {std::pair{"deployment", deployment}, std::pair{"deploymentconfig", name}}) {
    json::set(made, {"spec", "selector", label}, json::value(text));
    json::set(made, {"spec", "template", "metadata", "labels", label}, json::value(text));
  }
  json::set(made, {"spec", "template", "metadata", "annotations", kName}, json::value(name));
  json::set(made, {"spec", "template", "metadata", "annotations", kVersion}, json::value(std::to_string(version)));
  json::set(made, {"spec", "template", "metadata", "annotations", kDeployment}, json::value(deployment));
  return made;
}

// A server fills defaults into a controller's template that it knows nothing of in a DeploymentConfig's: what the
// controller was made from stands in its annotation.
bool made_from(const json::value& controller, const json::value& config) {
  const json::value& wanted = config.at("spec").at("template");
  const Result<json::value> encoded = json::parse(json::string_at(controller, {"metadata", "annotations", kEncoded}));
  const json::value* then = encoded.ok() ? json::find(*encoded, {"spec", "template"}) : nullptr;
  return bare_template(then != nullptr ? *then : controller.at("spec").at("template")) == bare_template(wanted);
}

// Its controllers, the newest version first; restored ones without an owner are adopted by their annotation.
Result<Objects> controllers_of(const ControllerFacts& facts, const json::value& config, const Objects& all) {
  Objects mine;
  for (const json::value& controller : all) {
    if (json::string_at(controller, {"metadata", "annotations", kName}) != name_of(config)) continue;
    if (const std::string owner = controller_uid(controller); !owner.empty()) {
      if (owner == uid_of(config)) mine.push_back(controller);
      continue;
    }
    if (!TRY(still_lives(facts.api, deployment_configs(), config, facts.stop))) continue;
    const json::value patch = json::object{
        {"metadata",
         json::object{{"uid", uid_of(controller)},
                      {"ownerReferences", json::array{controller_reference(deployment_configs(), config)}}}}};
    mine.push_back(TRY(facts.api.patch(replication_controllers(), facts.ns, name_of(controller), kube::PatchKind::merge,
                                       patch, {}, facts.stop)));
  }
  std::sort(mine.begin(), mine.end(), [](const auto& a, const auto& b) { return version_of(a) > version_of(b); });
  return mine;
}

Status change(const ControllerFacts& facts, json::value& controller, int64_t replicas, const char* phase) {
  json::object patch;
  if (json::int_at(controller, {"spec", "replicas"}) != replicas)
    json::set(patch, {"spec", "replicas"}, json::value(replicas));
  if (json::string_at(controller, {"metadata", "annotations", kPhase}) != phase) {
    json::set(patch, {"metadata", "annotations", kPhase}, json::value(phase));
  }
  if (patch.empty()) return {};
  controller = TRY(facts.api.patch(replication_controllers(), facts.ns, name_of(controller), kube::PatchKind::merge,
                                   patch, {}, facts.stop));
  return {};
}

bool pods_left(const json::value& controller, const Objects& pods) {
  return std::any_of(pods.begin(), pods.end(),
                     [&](const json::value& pod) { return controller_uid(pod) == uid_of(controller); });
}

// Moves replicas from the old controllers to the newest: with strategy Recreate only once the old pods are gone.
Status roll_out(const ControllerFacts& facts, const json::value& config, Objects& controllers, const Objects& pods) {
  const int64_t replicas = json::int_at(config, {"spec", "replicas"}, 1);
  const bool recreate = json::string_at(config, {"spec", "strategy", "type"}) == "Recreate";
  json::value& newest = controllers.front();
  const int64_t ready = json::int_at(newest, {"status", "readyReplicas"});
  bool old_left = false;
  for (size_t i = 1; i < controllers.size(); ++i) {
    const bool may_go = recreate || ready >= replicas;
    const int64_t keep = may_go ? 0 : json::int_at(controllers[i], {"spec", "replicas"});
    TRY(change(facts, controllers[i], keep,
               json::string_at(controllers[i], {"metadata", "annotations", kPhase}).c_str()));
    old_left = old_left || keep > 0 || pods_left(controllers[i], pods);
  }
  if (recreate && old_left) return change(facts, newest, json::int_at(newest, {"spec", "replicas"}), "Pending");
  const bool was_complete = json::string_at(newest, {"metadata", "annotations", kPhase}) == "Complete";
  const bool complete = was_complete || (!old_left && ready >= replicas);
  return change(facts, newest, replicas, complete ? "Complete" : "Running");
}

Status sync_one(const ControllerFacts& facts, const json::value& config, const Objects& all_controllers_there,
                const Objects& pods) {
  if (is_deleting(config) || json::find(config, {"spec", "template"}) == nullptr) return {};
  Objects mine = TRY(controllers_of(facts, config, all_controllers_there));
  int64_t version = json::int_at(config, {"status", "latestVersion"});
  if (!mine.empty()) version = std::max(version, version_of(mine.front()));
  const bool current = !mine.empty() && version_of(mine.front()) == version;
  const bool same = current && made_from(mine.front(), config);
  const bool starts = has_config_change(config) && !json::bool_at(config, {"spec", "paused"});
  if (starts && !same) {
    version += current || version == 0 ? 1 : 0;  // else the version was counted, but its controller not made yet
    TRY(write_status(facts.api, deployment_configs(), config, {{"latestVersion", version}}, facts.stop));
    mine.insert(mine.begin(), TRY(facts.api.create(replication_controllers(), facts.ns, new_controller(config, version),
                                                   {}, facts.stop)));
    return {};  // the new object brings us back with what is there then
  }
  if (!mine.empty()) TRY(roll_out(facts, config, mine, pods));
  int64_t total = 0;
  int64_t ready = 0;
  for (const json::value& controller : mine) {
    total += json::int_at(controller, {"status", "replicas"});
    ready += json::int_at(controller, {"status", "readyReplicas"});
  }
  const int64_t wanted = json::int_at(config, {"spec", "replicas"}, 1);
  return write_status(facts.api, deployment_configs(), config,
                      {{"latestVersion", version},
                       {"observedGeneration", json::int_at(config, {"metadata", "generation"})},
                       {"replicas", total},
                       {"updatedReplicas", mine.empty() ? 0 : json::int_at(mine.front(), {"status", "replicas"})},
                       {"readyReplicas", ready},
                       {"availableReplicas", ready},
                       {"unavailableReplicas", std::max<int64_t>(0, wanted - ready)}},
                      facts.stop);
}

}  // namespace

ControllerSpec deployment_config_controller() {
  return {.name = "deploymentconfig",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {deployment_configs(), replication_controllers(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) -> Result<kube::After> {
            const Objects configs = TRY(list(facts.api, deployment_configs(), facts.ns, facts.stop));
            if (configs.empty()) return kube::After::done();
            const Objects controllers = TRY(list(facts.api, replication_controllers(), facts.ns, facts.stop));
            const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
            for (const json::value& config : configs) {
              TRY(sync_one(facts, config, controllers, pods).in("DeploymentConfig " + name_of(config)));
            }
            return kube::After::done();
          }};
}

}  // namespace holdfast::sandbox
