// DaemonSet: one pod on each node that its nodeSelector admits.
#include <algorithm>

#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const kube::ResourceType& daemon_sets() {
  static const kube::ResourceType type = resource_type("apps", "v1", "daemonsets", "DaemonSet");
  return type;
}
const char kRevisionLabel[] = "controller-revision-hash";

bool admits(const json::value& set, const json::value& node) {
  const json::object& labels = json::object_at(node, {"metadata", "labels"});
  for (const auto& [label, text] : json::object_at(set, {"spec", "template", "spec", "nodeSelector"})) {
    const json::value* found = labels.if_contains(label);
    if (found == nullptr || *found != text) return false;
  }
  return !is_deleting(node);
}

struct Count {
  int64_t nodes = 0, present = 0, ready = 0, updated = 0;
};

Status sync_node(const ControllerFacts& facts, const json::value& set, const json::value& node, const Objects& pods,
                 const std::string& revision, Count& count) {
  ++count.nodes;
  const auto pod = std::find_if(pods.begin(), pods.end(), [&](const json::value& p) {
    return json::string_at(p, {"spec", "nodeName"}) == name_of(node);
  });
  if (pod == pods.end()) {
    json::object made =
        pod_of_template(set.at("spec").at("template"), controller_reference(daemon_sets(), set), facts.ns);
    json::set(made, {"metadata", "generateName"}, json::value(name_of(set) + "-"));
    json::set(made, {"metadata", "labels", kRevisionLabel}, json::value(revision));
    json::set(made, {"spec", "nodeName"}, json::value(name_of(node)));
    TRY(facts.api.create(kube::types::pods(), facts.ns, made, {}, facts.stop));
    return {};
  }
  const bool is_current = json::string_at(*pod, {"metadata", "labels", kRevisionLabel}) == revision;
  ++count.present;
  count.ready += is_ready(*pod);
  count.updated += is_current;
  const bool replaced = !is_current && json::string_at(set, {"spec", "updateStrategy", "type"}) != "OnDelete";
  if (!is_deleting(*pod) && (replaced || !is_active(*pod))) {
    return remove_if_there(facts.api, kube::types::pods(), *pod, {}, facts.stop);
  }
  return {};
}

Status sync_one(const ControllerFacts& facts, const json::value& set, const Objects& nodes, const Objects& all_pods) {
  if (is_deleting(set) || json::find(set, {"spec", "template"}) == nullptr) return {};
  const Objects pods = TRY(owned(facts.api, daemon_sets(), set, kube::types::pods(), all_pods, facts.stop));
  const std::string revision = content_hash(set.at("spec").at("template"));
  Count count;
  for (const json::value& node : nodes) {
    if (admits(set, node)) TRY(sync_node(facts, set, node, pods, revision, count));
  }
  return write_status(facts.api, daemon_sets(), set,
                      {{"observedGeneration", json::int_at(set, {"metadata", "generation"})},
                       {"desiredNumberScheduled", count.nodes},
                       {"currentNumberScheduled", count.present},
                       {"updatedNumberScheduled", count.updated},
                       {"numberReady", count.ready},
                       {"numberAvailable", count.ready},
                       {"numberMisscheduled", 0}},
                      facts.stop);
}

}  // namespace

ControllerSpec daemon_set_controller() {
  return {.name = "daemonset",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {daemon_sets(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) -> Result<kube::After> {
            const Objects sets = TRY(list(facts.api, daemon_sets(), facts.ns, facts.stop));
            if (sets.empty()) return kube::After::done();
            const Objects nodes = TRY(list(facts.api, kube::types::nodes(), "", facts.stop));
            const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
            for (const json::value& set : sets) TRY(sync_one(facts, set, nodes, pods).in("DaemonSet " + name_of(set)));
            return kube::After::in(std::chrono::seconds(5));  // nodes come and go without a change in this namespace
          }};
}

}  // namespace holdfast::sandbox
