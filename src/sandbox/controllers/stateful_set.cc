// StatefulSet: pods NAME-0, NAME-1, ... in order, each with its own claims.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const kube::ResourceType& stateful_sets() {
  static const kube::ResourceType type = resource_type("apps", "v1", "statefulsets", "StatefulSet");
  return type;
}
const kube::ResourceType& revisions() {
  static const kube::ResourceType type = resource_type("apps", "v1", "controllerrevisions", "ControllerRevision");
  return type;
}
const char kRevisionLabel[] = "controller-revision-hash";

// The name of the ControllerRevision that holds the present template; a restored one with the same content counts.
Result<std::string> current_revision(const ControllerFacts& facts, const json::value& set) {
  const Objects all = TRY(list(facts.api, revisions(), facts.ns, facts.stop));
  json::value content = set.at("spec").at("template");
  content.as_object()["$patch"] = "replace";
  for (const json::value& revision : TRY(owned(facts.api, stateful_sets(), set, revisions(), all, facts.stop))) {
    const json::value* held = json::find(revision, {"data", "spec", "template"});
    if (held != nullptr && bare_template(*held) == bare_template(content)) return name_of(revision);
  }
  const std::string name = name_of(set) + "-" + content_hash(content);
  json::object revision{{"apiVersion", "apps/v1"}, {"kind", "ControllerRevision"}};
  json::set(revision, {"metadata", "name"}, json::value(name));
  json::set(revision, {"metadata", "labels"}, json::object_at(set, {"spec", "selector", "matchLabels"}));
  json::set(revision, {"metadata", "ownerReferences"}, json::array{controller_reference(stateful_sets(), set)});
  json::set(revision, {"data", "spec", "template"}, std::move(content));
  revision["revision"] = 1;
  const Result<json::value> made = facts.api.create(revisions(), facts.ns, revision, {}, facts.stop);
  if (!made.ok() && !made.is(ErrorCode::exists)) return made.error();
  return name;
}

Status make_claims(const ControllerFacts& facts, const json::value& set, const std::string& pod_name,
                   json::object& pod) {
  json::array volumes = json::array_at(pod, {"spec", "volumes"});
  for (const json::value& claim_template : json::array_at(set, {"spec", "volumeClaimTemplates"})) {
    const std::string volume = name_of(claim_template);
    const std::string claim_name = volume + "-" + pod_name;
    json::object claim = claim_template.as_object();
    json::set(claim, {"metadata", "name"}, json::value(claim_name));
    for (const auto& [label, text] : json::object_at(set, {"spec", "selector", "matchLabels"})) {
      json::set(claim, {"metadata", "labels", label}, text);
    }
    claim.erase("status");
    const Result<json::value> made =
        facts.api.create(kube::types::persistent_volume_claims(), facts.ns, claim, {}, facts.stop);
    if (!made.ok() && !made.is(ErrorCode::exists)) return made.error();
    drop_if(volumes, [&](const json::value& v) { return json::string_at(v, {"name"}) == volume; });
    volumes.push_back(
        json::object{{"name", volume}, {"persistentVolumeClaim", json::object{{"claimName", claim_name}}}});
  }
  if (!volumes.empty()) json::set(pod, {"spec", "volumes"}, std::move(volumes));
  return {};
}

Status make_pod(const ControllerFacts& facts, const json::value& set, int64_t ordinal, const std::string& revision) {
  const std::string name = name_of(set) + "-" + std::to_string(ordinal);
  json::object pod =
      pod_of_template(set.at("spec").at("template"), controller_reference(stateful_sets(), set), facts.ns);
  json::set(pod, {"metadata", "name"}, json::value(name));
  json::set(pod, {"metadata", "labels", "statefulset.kubernetes.io/pod-name"}, json::value(name));
  json::set(pod, {"metadata", "labels", "apps.kubernetes.io/pod-index"}, json::value(std::to_string(ordinal)));
  json::set(pod, {"metadata", "labels", kRevisionLabel}, json::value(revision));
  json::set(pod, {"spec", "hostname"}, json::value(name));
  const std::string service = json::string_at(set, {"spec", "serviceName"});
  if (!service.empty()) json::set(pod, {"spec", "subdomain"}, json::value(service));
  TRY(make_claims(facts, set, name, pod));
  const Result<json::value> made = facts.api.create(kube::types::pods(), facts.ns, pod, {}, facts.stop);
  if (!made.ok() && !made.is(ErrorCode::exists)) return made.error();
  return {};
}

// One step: the first thing that is not as it should be, unless all pods may be handled at once.
Status step(const ControllerFacts& facts, const json::value& set, std::map<int64_t, json::value>& pods,
            const std::string& revision) {
  const int64_t wanted = json::int_at(set, {"spec", "replicas"}, 1);
  const bool parallel = json::string_at(set, {"spec", "podManagementPolicy"}) == "Parallel";
  for (int64_t ordinal = 0; ordinal < wanted; ++ordinal) {
    const auto found = pods.find(ordinal);
    if (found == pods.end()) {
      TRY(make_pod(facts, set, ordinal, revision));
      if (!parallel) return {};
    } else if (!is_active(found->second)) {
      if (!is_deleting(found->second))
        TRY(remove_if_there(facts.api, kube::types::pods(), found->second, {}, facts.stop));
      if (!parallel) return {};
    } else if (!is_ready(found->second) && !parallel) {
      return {};
    }
  }
  for (auto pod = pods.rbegin(); pod != pods.rend() && pod->first >= wanted; ++pod) {
    if (!is_deleting(pod->second)) TRY(remove_if_there(facts.api, kube::types::pods(), pod->second, {}, facts.stop));
    if (!parallel) return {};
  }
  if (json::string_at(set, {"spec", "updateStrategy", "type"}) == "OnDelete") return {};
  for (auto pod = pods.rbegin(); pod != pods.rend(); ++pod) {
    const bool outdated = json::string_at(pod->second, {"metadata", "labels", kRevisionLabel}) != revision;
    if (outdated && is_active(pod->second)) {
      return remove_if_there(facts.api, kube::types::pods(), pod->second, {}, facts.stop);
    }
    if (!is_ready(pod->second)) return {};
  }
  return {};
}

Status sync_one(const ControllerFacts& facts, const json::value& set, const Objects& all_pods) {
  if (json::find(set, {"spec", "template"}) == nullptr) return {};
  const Objects mine = TRY(owned(facts.api, stateful_sets(), set, kube::types::pods(), all_pods, facts.stop));
  const std::string prefix = name_of(set) + "-";
  std::map<int64_t, json::value> pods;
  int64_t ready = 0;
  for (const json::value& pod : mine) {
    const std::string name = name_of(pod);
    if (name.rfind(prefix, 0) != 0) continue;
    const Result<int64_t> ordinal = parse_int(std::string_view(name).substr(prefix.size()));
    if (ordinal.ok()) pods[*ordinal] = pod;
    ready += is_ready(pod) && is_active(pod);
  }
  const std::string revision = TRY(current_revision(facts, set));
  if (!is_deleting(set)) TRY(step(facts, set, pods, revision));
  const auto current = std::count_if(pods.begin(), pods.end(), [&](const auto& entry) {
    return json::string_at(entry.second, {"metadata", "labels", kRevisionLabel}) == revision;
  });
  return write_status(facts.api, stateful_sets(), set,
                      {{"observedGeneration", json::int_at(set, {"metadata", "generation"})},
                       {"replicas", static_cast<int64_t>(pods.size())},
                       {"readyReplicas", ready},
                       {"availableReplicas", ready},
                       {"currentReplicas", current},
                       {"updatedReplicas", current},
                       {"currentRevision", revision},
                       {"updateRevision", revision}},
                      facts.stop);
}

}  // namespace

ControllerSpec stateful_set_controller() {
  return {.name = "statefulset",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {stateful_sets(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) -> Result<kube::After> {
            const Objects sets = TRY(list(facts.api, stateful_sets(), facts.ns, facts.stop));
            if (sets.empty()) return kube::After::done();
            const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
            for (const json::value& set : sets) TRY(sync_one(facts, set, pods).in("StatefulSet " + name_of(set)));
            return kube::After::done();
          }};
}

}  // namespace holdfast::sandbox
