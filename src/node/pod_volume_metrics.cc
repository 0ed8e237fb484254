#include "node/pod_volume_metrics.h"

#include <fmt/format.h>

namespace holdfast::node {

namespace {

std::string_view word(PodVolumeMetrics::Kind kind) {
  return kind == PodVolumeMetrics::Kind::backup ? "backup" : "restore";
}

}  // namespace

void PodVolumeMetrics::began(Kind kind) {
  registry_
      .counter(fmt::format("podVolume_pod_volume_{}_enqueue_count", word(kind)),
               fmt::format("Pod volume {}s that this node began", word(kind)), {{"node", node_}})
      .add();
}

void PodVolumeMetrics::ended(Kind kind, const std::string& phase, Duration took, uint64_t bytes) {
  const std::string operation(word(kind));
  registry_
      .counter(fmt::format("podVolume_pod_volume_{}_dequeue_count", operation),
               fmt::format("Pod volume {}s that this node ended", operation), {{"node", node_}, {"phase", phase}})
      .add();
  registry_
      .histogram("podVolume_pod_volume_operation_latency_seconds", "Time that one pod volume took",
                 {{"node", node_}, {"operation", operation}}, {1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400})
      .observe(std::chrono::duration<double>(took).count());
  registry_
      .counter("podVolume_pod_volume_bytes_total", "Bytes of files that were backed up or restored",
               {{"node", node_}, {"operation", operation}})
      .add(static_cast<double>(bytes));
}

}  // namespace holdfast::node
