// The agent's metrics under Velero's names (velero.md 1.16). Any thread; the registry outlives it.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/metrics.h"

namespace holdfast::node {

class PodVolumeMetrics {
 public:
  enum class Kind { backup, restore };
  PodVolumeMetrics(metrics::Registry& registry, std::string node) : registry_(registry), node_(std::move(node)) {}
  void began(Kind kind);
  void ended(Kind kind, const std::string& phase, Duration took, uint64_t bytes);

 private:
  metrics::Registry& registry_;
  const std::string node_;
};

}  // namespace holdfast::node
