#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using testing::HasSubstr;

TEST(Metrics, RendersWhatWasCounted) {
  metrics::Registry registry;
  registry.counter("velero_backup_total", "Backups", {{"schedule", "s1"}}).add();
  registry.counter("velero_backup_total", "Backups", {{"schedule", "s1"}}).add(2);
  registry.gauge("holdfast_rpo_age_seconds", "Age").set(4.5);
  registry.histogram("holdfast_step_seconds", "Steps", {}, {1, 10}).observe(3);
  const std::string text = registry.render();
  EXPECT_THAT(text, HasSubstr("velero_backup_total{schedule=\"s1\"} 3"));
  EXPECT_THAT(text, HasSubstr("holdfast_rpo_age_seconds 4.5"));
  EXPECT_THAT(text, HasSubstr("holdfast_step_seconds_bucket{le=\"10\"} 1"));
}

}  // namespace
}  // namespace holdfast
