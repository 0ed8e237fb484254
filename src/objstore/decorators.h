// The decorators: stores in front of a store. They share the inner store and may be stacked; the usual order is, from
// the outside in, prefixed, retry, limit, driver.
#pragma once

#include "objstore/store.h"
#include "sync/retry.h"

namespace holdfast::objstore {

/// Repeats what may be repeated under one schedule a call. Never put_if_absent, whose second attempt would meet its own
/// first; never the parts of an upload once it has begun (only its start).
[[nodiscard]] std::shared_ptr<Store> with_retry(std::shared_ptr<Store> inner, sync::RetrySchedule schedule,
                                                Clock& clock = system_clock());

struct Limits {
  uint64_t bytes_per_second = 0;  ///< each way; 0: no limit
  size_t operations = 0;          ///< at once; 0: no limit
};
/// Keeps to limits that all users of the decorator share.
[[nodiscard]] std::shared_ptr<Store> with_limits(std::shared_ptr<Store> inner, Limits limits,
                                                 Clock& clock = system_clock());

/// A store less some of its capabilities (those that a probe disproved): what needs them is `unsupported`.
[[nodiscard]] std::shared_ptr<Store> without(std::shared_ptr<Store> inner, std::set<Capability> missing);

/// The part of a store below a prefix ("a/b", with or without '/' at its end; "": the store itself). Keys lose the
/// prefix. invalid where it is no beginning of a key.
[[nodiscard]] Result<std::shared_ptr<Store>> below(std::shared_ptr<Store> inner, const std::string& prefix);

}  // namespace holdfast::objstore
