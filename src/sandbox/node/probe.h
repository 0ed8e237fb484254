// Readiness, liveness and startup probes: when one is due, and what its answers mean. The asking itself is handed in.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/json.h"

namespace holdfast::sandbox {

/// Asks once: true, the container answered well. `probe` is the Probe object of the pod's spec.
using ProbeAsk = std::function<bool(const json::value& probe, Duration timeout)>;

/// One probe of one running container.
class Probe {
 public:
  /// `success_at_start`: what holds before the first answer (liveness: true, readiness: false).
  Probe(json::value spec, BootTime container_start, bool success_at_start);
  /// Asks where it is due.
  void tick(BootTime now, const ProbeAsk& ask);
  [[nodiscard]] bool success() const { return success_; }

 private:
  json::value spec_;
  BootTime container_start_;
  std::optional<BootTime> last_;
  bool success_;
  int64_t in_a_row_ = 0;
  bool last_answer_;
};

}  // namespace holdfast::sandbox
