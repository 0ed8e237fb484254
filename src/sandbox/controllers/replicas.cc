// ReplicaSet and ReplicationController: as many pods of a template as asked for.
#include <algorithm>

#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

constexpr int64_t kBurst = 50;  // pods made or deleted in one pass

// Pods that serve least go first: unbound, then not ready, then the newest.
void order_for_deletion(Objects& pods) {
  std::stable_sort(pods.begin(), pods.end(), [](const json::value& a, const json::value& b) {
    const auto rank = [](const json::value& pod) {
      return json::string_at(pod, {"spec", "nodeName"}).empty() ? 0 : is_ready(pod) ? 2 : 1;
    };
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return json::string_at(a, {"metadata", "creationTimestamp"}) >
           json::string_at(b, {"metadata", "creationTimestamp"});
  });
}

Status sync_one(const ControllerFacts& facts, const kube::ResourceType& type, const json::value& owner,
                const Objects& all_pods) {
  const Objects pods = TRY(owned(facts.api, type, owner, kube::types::pods(), all_pods, facts.stop));
  Objects active;
  for (const json::value& pod : pods) {
    if (is_active(pod)) active.push_back(pod);
  }
  const int64_t wanted = json::int_at(owner, {"spec", "replicas"}, 1);
  const auto have = static_cast<int64_t>(active.size());
  int64_t made = 0;
  if (!is_deleting(owner)) {
    const json::value* pod_template = json::find(owner, {"spec", "template"});
    for (; pod_template != nullptr && have + made < wanted && made < kBurst; ++made) {
      json::object pod = pod_of_template(*pod_template, controller_reference(type, owner), facts.ns);
      json::set(pod, {"metadata", "generateName"}, json::value(name_of(owner) + "-"));
      TRY(facts.api.create(kube::types::pods(), facts.ns, pod, {}, facts.stop));
    }
    order_for_deletion(active);
    for (int64_t i = 0; i < std::min(have - wanted, kBurst); ++i) {
      TRY(remove_if_there(facts.api, kube::types::pods(), active[static_cast<size_t>(i)], {}, facts.stop));
    }
  }
  const auto ready = std::count_if(active.begin(), active.end(), is_ready);
  json::object status{{"replicas", std::min(have, std::max(wanted, int64_t{0})) + made},
                      {"fullyLabeledReplicas", have},
                      {"readyReplicas", ready},
                      {"availableReplicas", ready},
                      {"observedGeneration", json::int_at(owner, {"metadata", "generation"})}};
  return write_status(facts.api, type, owner, std::move(status), facts.stop);
}

Result<kube::After> reconcile(const ControllerFacts& facts, const kube::ResourceType& type) {
  const Objects owners = TRY(list(facts.api, type, facts.ns, facts.stop));
  if (owners.empty()) return kube::After::done();
  const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
  for (const json::value& owner : owners) TRY(sync_one(facts, type, owner, pods).in(type.kind + " " + name_of(owner)));
  return kube::After::done();
}

}  // namespace

ControllerSpec replica_set_controller() {
  return {.name = "replicaset",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {replica_sets(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) { return reconcile(facts, replica_sets()); }};
}

ControllerSpec replication_controller_controller() {
  return {.name = "replicationcontroller",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {replication_controllers(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) { return reconcile(facts, replication_controllers()); }};
}

}  // namespace holdfast::sandbox
