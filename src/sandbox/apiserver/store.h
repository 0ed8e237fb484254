// The objects of one cluster: a map from key to JSON object, one revision counter, and a window of past changes.
//
// Keys are "RESOURCE/NAMESPACE/NAME" ("pods/web/web-0", "deployments.apps/...", "namespaces//web"). Every change takes
// the next revision and stamps it into metadata.resourceVersion. Writes are compare-and-swap. Objects handed out are
// immutable and shared. All members may be called from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sandbox/apiserver/store_log.h"

namespace holdfast::sandbox {

using Object = std::shared_ptr<const json::value>;

struct StoreEvent {
  enum class Kind { added, modified, deleted } kind = Kind::added;
  uint64_t revision = 0;
  std::string key;
  Object object;    ///< as it is now; of a deletion: as it was, with the deletion's revision
  Object previous;  ///< as it was before; null when added
};

struct StoreOptions {
  std::string directory;
  size_t history_max = 20'000;            ///< changes kept for watchers
  uint64_t log_max = uint64_t{64} << 20;  ///< a longer log is folded into a snapshot
};

class Store {
 public:
  /// Errors as StoreLog::open.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(StoreOptions options);

  [[nodiscard]] uint64_t revision() const;
  /// Null where there is none.
  [[nodiscard]] Object get(const std::string& key) const;

  struct Listing {
    std::vector<Object> objects;
    uint64_t revision = 0;  ///< the state listed
    std::string last_key;   ///< where the next page starts after; empty: this was the last
    int64_t remaining = 0;
  };
  /// Objects whose key begins with `prefix` and comes after `after`, in order of keys; at most `limit` (0: all).
  /// `at`: the state at that revision (0: now). conflict: that state is no longer known.
  [[nodiscard]] Result<Listing> list(std::string_view prefix, const std::string& after = {}, size_t limit = 0,
                                     uint64_t at = 0) const;

  /// Writes if the object's revision still is `expected` (0: there is none). exists, conflict or not_found otherwise.
  [[nodiscard]] Result<Object> put(const std::string& key, json::value object, uint64_t expected);
  /// Deletes if the object's revision still is `expected`. Answers the object of the event.
  [[nodiscard]] Result<Object> remove(const std::string& key, uint64_t expected);

  /// Changes after `revision` of keys with the prefix, oldest first; `seen` becomes the revision looked at. conflict:
  /// the window begins later.
  [[nodiscard]] Result<std::vector<StoreEvent>> events_after(std::string_view prefix, uint64_t revision,
                                                             uint64_t& seen) const;
  /// Waits until there is a change after `revision`; false when `limit` or `stop` came first.
  bool wait_beyond(uint64_t revision, const std::stop_token& stop, Duration limit) const;

 private:
  explicit Store(StoreOptions options) : options_(std::move(options)) {}
  void apply(StoreRecord record);
  Status commit(StoreRecord record);
  [[nodiscard]] Result<std::map<std::string, Object>> differences_since(std::string_view prefix, uint64_t at) const;
  void compact_if_long();

  const StoreOptions options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::unique_ptr<StoreLog> log_;
  std::map<std::string, Object, std::less<>> objects_;
  uint64_t revision_ = 0;
  std::deque<StoreEvent> history_;  // revisions without a gap, the last is revision_
};

/// metadata.resourceVersion as a number; 0 where there is none.
[[nodiscard]] uint64_t revision_of(const json::value& object);

}  // namespace holdfast::sandbox
