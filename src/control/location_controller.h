// BackupStorageLocations: is it there, is it ours, can it be written to the way we must.
//
// Every validationFrequency, and at once when the spec changes: open, list the top level (foreign directories make it
// Unavailable, as in Velero), and for a writable one the conditional-put probe of safety.md 1 (location::Locations
// keeps its verdict). What was found stands in the status: a location without an atomic conditional put is Available,
// and its message says what that means.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

class LocationController {
 public:
  explicit LocationController(const Context& context) : context_(context) {}
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  struct Look {
    std::string spec;
    std::string phase;
    BootTime at;
  };
  /// How long the last verdict still holds; nothing where it does not.
  std::optional<Duration> holds_for(const velero::BackupStorageLocation& object, Duration period);
  /// What is to be said of a location that can be used; mostly nothing.
  Result<std::string> check(const std::string& name, std::stop_token stop);
  const Context& context_;
  std::mutex mutex_;
  std::map<std::string, Look> looks_;  ///< by location: the last one
};

}  // namespace holdfast::control
