// Job: pods until enough of them have succeeded, or too many failed.
#include <algorithm>

#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

const kube::ResourceType& jobs() {
  static const kube::ResourceType type = resource_type("batch", "v1", "jobs", "Job");
  return type;
}

bool is_finished(const json::value& job) {
  for (const json::value& condition : json::array_at(job, {"status", "conditions"})) {
    const std::string type = json::string_at(condition, {"type"});
    if ((type == "Complete" || type == "Failed") && json::string_at(condition, {"status"}) == "True") return true;
  }
  return false;
}

json::array finished(const char* type, const char* reason, const std::string& when) {
  return {json::object{{"type", type},
                       {"status", "True"},
                       {"reason", reason},
                       {"message", ""},
                       {"lastProbeTime", when},
                       {"lastTransitionTime", when}}};
}

Status sync_one(const ControllerFacts& facts, const json::value& job, const Objects& all_pods) {
  if (is_deleting(job) || is_finished(job) || json::find(job, {"spec", "template"}) == nullptr) return {};
  const Objects pods = TRY(owned(facts.api, jobs(), job, kube::types::pods(), all_pods, facts.stop));
  const auto in_phase = [&](const char* phase) {
    return std::count_if(pods.begin(), pods.end(), [&](const json::value& p) {
      return json::string_at(p, {"status", "phase"}) == phase;
    });
  };
  const int64_t succeeded = in_phase("Succeeded");
  const int64_t failed = in_phase("Failed");
  const int64_t active = std::count_if(pods.begin(), pods.end(), is_active);
  const int64_t wanted = json::int_at(job, {"spec", "completions"}, 1);
  const std::string now = format_rfc3339(facts.clock.now());
  json::object status{{"succeeded", succeeded}, {"failed", failed}};
  status["startTime"] = json::value(json::string_at(job, {"status", "startTime"}, now));
  int64_t made = 0;
  if (succeeded >= wanted) {
    status["conditions"] = finished("Complete", "CompletionsReached", now);
    status["completionTime"] = now;
  } else if (failed > json::int_at(job, {"spec", "backoffLimit"}, 6)) {
    status["conditions"] = finished("Failed", "BackoffLimitExceeded", now);
    for (const json::value& pod : pods) {
      if (is_active(pod)) TRY(remove_if_there(facts.api, kube::types::pods(), pod, {}, facts.stop));
    }
  } else if (!json::bool_at(job, {"spec", "suspend"})) {
    const int64_t room = std::min(json::int_at(job, {"spec", "parallelism"}, 1), wanted - succeeded) - active;
    for (; made < room; ++made) {
      json::object pod = pod_of_template(job.at("spec").at("template"), controller_reference(jobs(), job), facts.ns);
      json::set(pod, {"metadata", "generateName"}, json::value(name_of(job) + "-"));
      TRY(facts.api.create(kube::types::pods(), facts.ns, pod, {}, facts.stop));
    }
  }
  status["active"] = active + made;
  return write_status(facts.api, jobs(), job, std::move(status), facts.stop);
}

}  // namespace

ControllerSpec job_controller() {
  return {.name = "job",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {jobs(), kube::types::pods()},
          .reconcile = [](const ControllerFacts& facts) -> Result<kube::After> {
            const Objects all = TRY(list(facts.api, jobs(), facts.ns, facts.stop));
            if (all.empty()) return kube::After::done();
            const Objects pods = TRY(list(facts.api, kube::types::pods(), facts.ns, facts.stop));
            for (const json::value& job : all) TRY(sync_one(facts, job, pods).in("Job " + name_of(job)));
            return kube::After::done();
          }};
}

}  // namespace holdfast::sandbox
