// Proves what a store only claims (safety.md 1): of two puts of one fresh key, exactly one must win.
#pragma once

#include "objstore/store.h"

namespace holdfast::objstore {

inline constexpr std::string_view kProbePrefix = "plugins/holdfast/probe/";

struct ProbeReport {
  std::set<Capability> capabilities;         ///< what the store claims, less what the probe disproved
  std::string without_conditional_put = {};  ///< why that capability is off; empty where it is on
};

/// Races puts of fresh keys below kProbePrefix (relative to the store's own prefix) and removes them again, together
/// with those that dead probes left an hour ago or earlier. Errors where the race could not be run: denied on a
/// read-only location, unavailable and timeout where nothing is proved.
[[nodiscard]] Result<ProbeReport> probe(Store& store, Clock& clock = system_clock(), std::stop_token stop = {});

}  // namespace holdfast::objstore
