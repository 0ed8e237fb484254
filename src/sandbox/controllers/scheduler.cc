// The scheduler: binds each waiting pod to the ready node with the fewest pods that may hold it.
#include <algorithm>
#include <map>

#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const char kSelectedNode[] = "volume.kubernetes.io/selected-node";

struct Cluster {
  Objects nodes;
  std::map<std::string, json::value> claims;   // by "NAMESPACE/NAME"
  std::map<std::string, json::value> volumes;  // by name
  std::map<std::string, int> pods_on;
};

bool node_ready(const json::value& node) {
  return is_ready(node) && !is_deleting(node) && !json::bool_at(node, {"spec", "unschedulable"});
}

bool has_labels(const json::value& node, const json::object& wanted) {
  const json::object& labels = json::object_at(node, {"metadata", "labels"});
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
    const json::value* found = labels.if_contains(entry.key());
    return found != nullptr && *found == entry.value();
  });
}

// Local volumes name their node by its host name.
bool volume_admits(const json::value& volume, const json::value& node) {
  const std::string host = json::string_at(node, {"metadata", "labels", "kubernetes.io/hostname"}, name_of(node));
  for (const json::value& term : json::array_at(volume, {"spec", "nodeAffinity", "required", "nodeSelectorTerms"})) {
    for (const json::value& expression : json::array_at(term, {"matchExpressions"})) {
      const std::vector<std::string> hosts = json::strings(json::array_at(expression, {"values"}));
      if (json::string_at(expression, {"key"}) == "kubernetes.io/hostname" &&
          std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
        return false;
      }
    }
  }
  return true;
}

struct Claims {
  bool missing = false;
  std::vector<const json::value*> unbound;
  std::vector<const json::value*> volumes;
};

Claims claims_of(const Cluster& cluster, const json::value& pod) {
  Claims claims;
  for (const json::value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string name = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
    if (name.empty()) continue;
    const auto claim = cluster.claims.find(json::string_at(pod, {"metadata", "namespace"}) + "/" + name);
    if (claim == cluster.claims.end()) {
      claims.missing = true;
    } else if (json::string_at(claim->second, {"status", "phase"}) != "Bound") {
      claims.unbound.push_back(&claim->second);
    } else if (const auto found = cluster.volumes.find(json::string_at(claim->second, {"spec", "volumeName"}));
               found != cluster.volumes.end()) {
      claims.volumes.push_back(&found->second);
    }
  }
  return claims;
}

const json::value* choose_node(const Cluster& cluster, const json::value& pod, const Claims& claims) {
  const json::value* best = nullptr;
  const auto load = [&](const json::value& node) {
    const auto found = cluster.pods_on.find(name_of(node));
    return found == cluster.pods_on.end() ? 0 : found->second;
  };
  for (const json::value& node : cluster.nodes) {
    if (!node_ready(node) || !has_labels(node, json::object_at(pod, {"spec", "nodeSelector"}))) continue;
    const bool reachable = std::all_of(claims.volumes.begin(), claims.volumes.end(),
                                       [&](const json::value* volume) { return volume_admits(*volume, node); });
    if (reachable && (best == nullptr || load(node) < load(*best))) best = &node;
  }
  return best;
}

Status place(const ControllerFacts& facts, Cluster& cluster, const json::value& pod) {
  const Claims claims = claims_of(cluster, pod);
  if (claims.missing) return {};
  const json::value* node = choose_node(cluster, pod, claims);
  if (node == nullptr) return {};
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  for (const json::value* claim : claims.unbound) {
    if (!json::string_at(*claim, {"metadata", "annotations", kSelectedNode}).empty()) continue;
    json::object patch;
    json::set(patch, {"metadata", "annotations", kSelectedNode}, json::value(name_of(*node)));
    TRY(facts.api.patch(kube::types::persistent_volume_claims(), ns, name_of(*claim), kube::PatchKind::merge, patch, {},
                        facts.stop));
  }
  if (!claims.unbound.empty()) return {};  // the claims' binding brings us back
  json::object binding{{"apiVersion", "v1"}, {"kind", "Binding"}};
  json::set(binding, {"metadata", "name"}, json::value(name_of(pod)));
  json::set(binding, {"target"}, json::object{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", name_of(*node)}});
  const Result<json::value> bound =
      facts.api.create(kube::types::pods(), ns, binding, {.subresource = "binding"}, facts.stop);
  if (!bound.ok() && !bound.is(ErrorCode::conflict) && !bound.is(ErrorCode::not_found)) return bound.error();
  ++cluster.pods_on[name_of(*node)];
  return {};
}

Result<kube::After> reconcile(const ControllerFacts& facts) {
  Cluster cluster;
  const Objects pods = TRY(list(facts.api, kube::types::pods(), "", facts.stop));
  Objects waiting;
  for (const json::value& pod : pods) {
    const std::string node = json::string_at(pod, {"spec", "nodeName"});
    if (!node.empty()) {
      cluster.pods_on[node] += is_active(pod);
    } else if (is_active(pod) &&
               json::string_at(pod, {"spec", "schedulerName"}, "default-scheduler") == "default-scheduler") {
      waiting.push_back(pod);
    }
  }
  if (waiting.empty()) return kube::After::done();
  cluster.nodes = TRY(list(facts.api, kube::types::nodes(), "", facts.stop));
  for (json::value& claim : TRY(list(facts.api, kube::types::persistent_volume_claims(), "", facts.stop))) {
    const std::string key = json::string_at(claim, {"metadata", "namespace"}) + "/" + name_of(claim);
    cluster.claims.emplace(key, std::move(claim));
  }
  for (json::value& volume : TRY(list(facts.api, kube::types::persistent_volumes(), "", facts.stop))) {
    std::string name = name_of(volume);
    cluster.volumes.emplace(std::move(name), std::move(volume));
  }
  for (const json::value& pod : waiting) TRY(place(facts, cluster, pod).in("Pod " + name_of(pod)));
  return kube::After::done();
}

}  // namespace

ControllerSpec scheduler() {
  return {.name = "scheduler",
          .scope = ControllerSpec::Scope::cluster,
          .watches = {kube::types::pods(), kube::types::nodes(), kube::types::persistent_volume_claims()},
          .reconcile = reconcile};
}

}  // namespace holdfast::sandbox
