// --wait: a dot a second until an object is in a final phase, as velero shows it.
#pragma once

#include <string>

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

}  // namespace holdfast::app
