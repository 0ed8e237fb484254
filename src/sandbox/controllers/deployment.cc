// Deployment: one ReplicaSet for each template it has had; replicas move from the old ones to the newest.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const char kRevision[] = "deployment.kubernetes.io/revision";

int64_t replicas_of(const json::value& set) {
  return json::int_at(set, {"spec", "replicas"});
}
int64_t status_of(const json::value& set, std::string_view field) {
  return json::int_at(set, {"status", field});
}

int64_t revision_number(const json::value& set) {
  return parse_int(json::string_at(set, {"metadata", "annotations", kRevision}, "0")).value_or(0);
}

enum class Round { up, down };
// "25%" of the replicas, or a number.
int64_t share(const json::value& deployment, std::string_view field, int64_t replicas, Round round) {
  const json::value* found = json::find(deployment, {"spec", "strategy", "rollingUpdate", field});
  if (found == nullptr) return 0;
  if (found->is_int64()) return found->as_int64();
  const std::string text = found->is_string() ? std::string(std::string_view(found->as_string())) : "0%";
  const auto percent = static_cast<double>(parse_int(text.substr(0, text.find('%'))).value_or(0));
  const double exact = static_cast<double>(replicas) * percent / 100.0;
  return static_cast<int64_t>(round == Round::up ? std::ceil(exact) : std::floor(exact));
}

Status scale(const ControllerFacts& facts, const json::value& set, int64_t replicas) {
  if (replicas_of(set) == replicas) return {};
  const json::value patch = json::object{{"spec", json::object{{"replicas", replicas}}}};
  TRY(facts.api.patch(replica_sets(), facts.ns, name_of(set), kube::PatchKind::merge, patch, {}, facts.stop));
  return {};
}

Result<json::value> make_newest(const ControllerFacts& facts, const json::value& deployment, const Objects& sets) {
  const json::value pod_template = deployment.at("spec").at("template");
  const std::string hash = content_hash(pod_template);
  int64_t revision = 0;
  for (const json::value& set : sets) revision = std::max(revision, revision_number(set));
  json::object set{{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}};
  json::set(set, {"metadata", "name"}, json::value(name_of(deployment) + "-" + hash));
  json::set(set, {"metadata", "labels"}, json::object_at(pod_template, {"metadata", "labels"}));
  json::set(set, {"metadata", "labels", "pod-template-hash"}, json::value(hash));
  json::set(set, {"metadata", "annotations", kRevision}, json::value(std::to_string(revision + 1)));
  json::set(set, {"metadata", "ownerReferences"}, json::array{controller_reference(deployments(), deployment)});
  json::set(set, {"spec", "replicas"}, json::value(0));
  json::set(set, {"spec", "selector"}, deployment.at("spec").at("selector"));
  json::set(set, {"spec", "selector", "matchLabels", "pod-template-hash"}, json::value(hash));
  json::set(set, {"spec", "template"}, pod_template);
  json::set(set, {"spec", "template", "metadata", "labels", "pod-template-hash"}, json::value(hash));
  return facts.api.create(replica_sets(), facts.ns, set, {}, facts.stop);
}

struct Sets {
  json::value newest;
  Objects old;
  [[nodiscard]] int64_t sum(std::string_view field) const {
    int64_t total = status_of(newest, field);
    for (const json::value& set : old) total += status_of(set, field);
    return total;
  }
  [[nodiscard]] int64_t wanted() const {
    int64_t total = replicas_of(newest);
    for (const json::value& set : old) total += replicas_of(set);
    return total;
  }
};

// Everything old goes, and has gone, before anything new starts.
Status recreate(const ControllerFacts& facts, const Sets& sets, int64_t replicas, const Objects& pods) {
  bool old_runs = false;
  for (const json::value& set : sets.old) {
    TRY(scale(facts, set, 0));
    old_runs = old_runs || std::any_of(pods.begin(), pods.end(),
                                       [&](const json::value& pod) { return controller_uid(pod) == uid_of(set); });
  }
  return old_runs ? Status() : scale(facts, sets.newest, replicas);
}

Status roll(const ControllerFacts& facts, const json::value& deployment, const Sets& sets, int64_t replicas) {
  const int64_t surge = share(deployment, "maxSurge", replicas, Round::up);
  int64_t unavailable = share(deployment, "maxUnavailable", replicas, Round::down);
  if (surge == 0 && unavailable == 0) unavailable = 1;
  const int64_t room = replicas + surge - sets.wanted();
  const int64_t present = replicas_of(sets.newest);
  const int64_t target = present > replicas ? replicas : std::min(replicas, present + std::max<int64_t>(0, room));
  TRY(scale(facts, sets.newest, target));
  int64_t spare = sets.sum("availableReplicas") - (replicas - unavailable);
  for (const json::value& set : sets.old) {
    // Pods that never became available protect nobody.
    const int64_t idle = std::max<int64_t>(0, replicas_of(set) - status_of(set, "availableReplicas"));
    const int64_t cut = std::min(replicas_of(set), idle + std::max<int64_t>(0, spare));
    spare -= std::max<int64_t>(0, cut - idle);
    TRY(scale(facts, set, replicas_of(set) - cut));
  }
  return {};
}

json::object condition(const json::value& object, const char* type, bool holds, const char* reason, Time now) {
  std::string since = format_rfc3339(now);
  const char* status = holds ? "True" : "False";
  for (const json::value& old : json::array_at(object, {"status", "conditions"})) {
    if (json::string_at(old, {"type"}) == type && json::string_at(old, {"status"}) == status) {
      since = json::string_at(old, {"lastTransitionTime"}, since);
    }
  }
  return {
      {"type", type},           {"status", status}, {"reason", reason}, {"message", ""}, {"lastTransitionTime", since},
      {"lastUpdateTime", since}};
}

json::object status_fields(const json::value& deployment, const Sets& sets, int64_t replicas, Time now) {
  const int64_t available = sets.sum("availableReplicas");
  const int64_t unavailable = share(deployment, "maxUnavailable", replicas, Round::down);
  const bool complete = status_of(sets.newest, "availableReplicas") >= replicas && sets.sum("replicas") == replicas;
  return {{"observedGeneration", json::int_at(deployment, {"metadata", "generation"})},
          {"replicas", sets.sum("replicas")},
          {"updatedReplicas", status_of(sets.newest, "replicas")},
          {"readyReplicas", sets.sum("readyReplicas")},
          {"availableReplicas", available},
          {"unavailableReplicas", std::max<int64_t>(0, replicas - available)},
          {"conditions",
           json::array{condition(deployment, "Available", available >= replicas - unavailable, "MinimumReplicas", now),
                       condition(deployment, "Progressing", true,
                                 complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated", now)}}};
}

Status sync_one(const ControllerFacts& facts, const json::value& deployment, const Objects& all_sets,
                const Objects& pods) {
  if (is_deleting(deployment) || json::find(deployment, {"spec", "template"}) == nullptr) return {};
  const Objects mine = TRY(owned(facts.api, deployments(), deployment, replica_sets(), all_sets, facts.stop));
  const json::value wanted = bare_template(deployment.at("spec").at("template"));
  Sets sets;
  for (const json::value& set : mine) {
    const json::value* its = json::find(set, {"spec", "template"});
    if (sets.newest.is_null() && its != nullptr && bare_template(*its) == wanted) {
      sets.newest = set;
    } else {
      sets.old.push_back(set);
    }
  }
  const bool paused = json::bool_at(deployment, {"spec", "paused"});
  const int64_t replicas = replicas_of(deployment);
  if (sets.newest.is_null() && !paused) sets.newest = TRY(make_newest(facts, deployment, mine));
  if (!paused) {
    const bool all_at_once = json::string_at(deployment, {"spec", "strategy", "type"}) == "Recreate";
    TRY(all_at_once ? recreate(facts, sets, replicas, pods) : roll(facts, deployment, sets, replicas));
  } else if (!sets.newest.is_null() && sets.old.empty()) {
    TRY(scale(facts, sets.newest, replicas));
  }
  return write_status(facts.api, deployments(), deployment,
                      status_fields(deployment, sets, replicas, facts.clock.now()), facts.stop);
}

}  // namespace

ControllerSpec deployment_controller() {
  return {.name = "deployment",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {deployments(), replica_sets(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) -> Result<kube::After> {
            const Objects all = TRY(list(facts.api, deployments(), facts.ns, facts.stop));
            if (all.empty()) return kube::After::done();
            const Objects sets = TRY(list(facts.api, replica_sets(), facts.ns, facts.stop));
            const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
            for (const json::value& deployment : all) {
              TRY(sync_one(facts, deployment, sets, pods).in("Deployment " + name_of(deployment)));
            }
            return kube::After::done();
          }};
}

}  // namespace holdfast::sandbox
