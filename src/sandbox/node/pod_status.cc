#include "sandbox/node/pod_status.h"

#include <algorithm>

namespace holdfast::sandbox {

namespace {

using State = ContainerState::State;

json::object state_object(const ContainerState& container) {
  switch (container.state) {
    case State::running:
      return {{"running", json::object{{"startedAt", format_rfc3339(container.since)}}}};
    case State::terminated: {
      json::object o{{"exitCode", container.exit_code},
                     {"reason", container.reason},
                     {"startedAt", format_rfc3339(container.since)},
                     {"finishedAt", format_rfc3339(container.finished)}};
      if (!container.message.empty()) o["message"] = container.message;
      return {{"terminated", std::move(o)}};
    }
    case State::waiting:
      break;
  }
  json::object o{{"reason", container.reason.empty() ? "ContainerCreating" : container.reason}};
  if (!container.message.empty()) o["message"] = container.message;
  return {{"waiting", std::move(o)}};
}

json::array container_statuses(const std::vector<ContainerState>& containers) {
  json::array out;
  for (const ContainerState& container : containers) {
    out.push_back(json::object{{"name", container.name},
                               {"image", container.image},
                               {"imageID", container.image},
                               {"containerID", "sandbox://" + container.name},
                               {"ready", container.ready},
                               {"started", container.started},
                               {"restartCount", container.restarts},
                               {"state", state_object(container)},
                               {"lastState", json::object{}}});
  }
  return out;
}

bool all_initialized(const PodState& state) {
  return std::all_of(state.init.begin(), state.init.end(), [](const ContainerState& container) {
    return container.state == State::terminated && container.exit_code == 0;
  });
}

json::object condition(const char* type, bool holds, const json::value& before, Time now, const char* reason) {
  const std::string status = holds ? "True" : "False";
  std::string since = format_rfc3339(now);
  for (const json::value& old : json::array_at(before, {"conditions"})) {
    if (json::string_at(old, {"type"}) == type && json::string_at(old, {"status"}) == status) {
      since = json::string_at(old, {"lastTransitionTime"}, since);
    }
  }
  json::object o{{"type", type}, {"status", status}, {"lastProbeTime", nullptr}, {"lastTransitionTime", since}};
  if (!holds) o["reason"] = reason;
  return o;
}

}  // namespace

std::string pod_phase(const PodState& state, const std::string& restart_policy) {
  const auto ended = [](const ContainerState& c) { return c.state == State::terminated; };
  const auto failed = [&](const ContainerState& c) { return ended(c) && c.exit_code != 0; };
  if (restart_policy == "Never" && std::any_of(state.init.begin(), state.init.end(), failed)) return "Failed";
  if (!all_initialized(state)) return "Pending";
  if (!state.containers.empty() && std::all_of(state.containers.begin(), state.containers.end(), ended)) {
    const bool any_failed = std::any_of(state.containers.begin(), state.containers.end(), failed);
    if (restart_policy == "Never" || (restart_policy == "OnFailure" && !any_failed)) {
      return any_failed ? "Failed" : "Succeeded";
    }
    return "Running";
  }
  const bool begun = std::any_of(state.containers.begin(), state.containers.end(),
                                 [](const ContainerState& c) { return c.state != State::waiting || c.restarts > 0; });
  return begun ? "Running" : "Pending";
}

json::object pod_status(const PodState& state, const std::string& restart_policy, const json::value& before, Time now) {
  const bool initialized = all_initialized(state);
  const bool ready =
      initialized && !state.containers.empty() &&
      std::all_of(state.containers.begin(), state.containers.end(), [](const ContainerState& c) { return c.ready; });
  const std::string phase = pod_phase(state, restart_policy);
  const char* not_ready = phase == "Succeeded" ? "PodCompleted" : "ContainersNotReady";
  json::object out{
      {"phase", phase},
      {"conditions", json::array{condition("Initialized", initialized, before, now, "ContainersNotInitialized"),
                                 condition("Ready", ready, before, now, not_ready),
                                 condition("ContainersReady", ready, before, now, not_ready),
                                 condition("PodScheduled", true, before, now, "")}},
      {"hostIP", state.host_ip},
      {"qosClass", "BestEffort"},
      {"startTime", format_rfc3339(state.started)},
      {"containerStatuses", container_statuses(state.containers)}};
  if (!state.init.empty()) out["initContainerStatuses"] = container_statuses(state.init);
  if (!state.pod_ip.empty()) {
    out["podIP"] = state.pod_ip;
    out["podIPs"] = json::array{json::object{{"ip", state.pod_ip}}};
  }
  return out;
}

}  // namespace holdfast::sandbox
