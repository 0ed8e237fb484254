// --wait: a dot a second until an object is in a final phase, as velero shows it; and what the wait ends with.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "app/cli/cluster.h"
#include "velero/names.h"

namespace holdfast::app {

/// Polls until is_final(phase). A cluster that cannot be reached is asked again for a minute before that is an Error;
/// not_found: somebody has deleted the object.
template <class T>
[[nodiscard]] Result<T> follow(const Surroundings& surroundings, const Cluster& cluster, const std::string& name) {
  Duration silent = Duration::zero();
  while (true) {
    Result<T> object = get_object<T>(cluster, name);
    if (object && velero::is_final(object->status.phase)) return object;
    if (object) {
      silent = Duration::zero();
    } else if (!object.error().retryable() || silent >= std::chrono::minutes(1)) {
      return std::move(object).error();
    }
    surroundings.out(".");
    TRY(surroundings.clock->sleep({}, std::chrono::seconds(1)));
    silent += std::chrono::seconds(1);
  }
}

/// Exit code of a verb that waited for what then was PartiallyFailed.
constexpr int kEndedInPart = 3;

/// What the failed ones among these volumes say.
template <class Volume>
[[nodiscard]] std::vector<std::string> failed_volumes(const Cluster& cluster, std::string_view label,
                                                      const std::string& owner) {
  std::vector<std::string> out;
  const auto volumes = list_objects<Volume>(cluster, fmt::format("{}={}", label, velero::label_value(owner)));
  if (!volumes) return out;  // the counts of errors are told instead
  for (const Volume& volume : *volumes) {
    if (volume.status.phase != velero::phase::kFailed && volume.status.phase != velero::phase::kCanceled) continue;
    out.push_back(fmt::format("volume {} of pod {}/{}: {}", volume.spec.volume, volume.spec.pod.namespace_,
                              volume.spec.pod.name, volume.status.message));
  }
  return out;
}

/// The exit code: 0 for Completed, 3 for PartiallyFailed, 1 for the rest (velero's always is 0, but a script must not
/// go on with a backup that is none). What is not Completed is told on stderr with its object, its reasons and the next
/// step. `verb` is "backup" or "restore"; `reasons`: of its volumes.
template <class T>
int tell_end(const Surroundings& surroundings, const std::string& verb, const T& object,
             std::vector<std::string> reasons) {
  const auto& status = object.status;
  if (status.phase == velero::phase::kCompleted) return 0;
  const std::string& name = object.metadata.name;
  reasons.insert(reasons.begin(), status.validation_errors.begin(), status.validation_errors.end());
  if (!status.failure_reason.empty()) reasons.push_back(status.failure_reason);
  if (reasons.empty()) reasons.push_back(fmt::format("{} errors, {} warnings", status.errors, status.warnings));
  surroundings.err(
      fmt::format("An error occurred: {0} {1} is {2}: {3}\n"
                  "`holdfast {0} describe {1} --details` tells more; when the cause is mended, create the {0} again "
                  "under another name.\n",
                  verb, name, status.phase, fmt::join(reasons, "; ")));
  return status.phase == velero::phase::kPartiallyFailed ? kEndedInPart : 1;
}

}  // namespace holdfast::app
