// A pod's status from what its containers do: phase, conditions, container statuses. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace holdfast::sandbox {

struct ContainerState {
  std::string name;
  std::string image;
  enum class State { waiting, running, terminated } state = State::waiting;
  std::string reason;  ///< waiting: "PodInitializing", "CrashLoopBackOff", "ErrImageNeverPull"; terminated:
                       ///< "Completed", "Error"
  std::string message;
  int exit_code = 0;
  int restarts = 0;
  bool ready = false;
  bool started = false;
  Time since{};     ///< start of this state
  Time finished{};  ///< terminated only
};

struct PodState {
  std::vector<ContainerState> init;
  std::vector<ContainerState> containers;
  std::string pod_ip;
  std::string host_ip;
  Time started{};
};

/// The status object of a pod with that restart policy. `before`: its status so far, for transition times.
[[nodiscard]] json::object pod_status(const PodState& state, const std::string& restart_policy,
                                      const json::value& before, Time now);
/// Running or not, as the phase of a pod: "Pending", "Running", "Succeeded", "Failed".
[[nodiscard]] std::string pod_phase(const PodState& state, const std::string& restart_policy);

}  // namespace holdfast::sandbox
