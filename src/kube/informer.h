// A local copy of one type's objects, kept fresh by list and watch, for reads that need not ask the server.
//
// One thread lists, then watches from there; it resumes a broken watch where it was, lists anew after a 410, and backs
// off after failures (one log line each). The copy may be behind the server: a writer must rely on resourceVersion.
// Handlers only learn names ("NAMESPACE/NAME", or "NAME" of cluster-scoped types) and must look up the facts; they run
// on the informer's thread, must not block, and must not be added after start(). Other members: any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "kube/api.h"
#include "sync/retry.h"

namespace holdfast::kube {

struct InformerOptions {
  ResourceType type;
  std::string ns = {};  ///< empty: all
  std::string label_selector = {};
  std::string field_selector = {};
  Clock* clock = &system_clock();
  log::Logger log = {};
  sync::RetrySchedule back_off = {.first = std::chrono::milliseconds(500), .longest = std::chrono::seconds(30)};
  Duration watch_timeout = std::chrono::minutes(5);
};

class Informer {
 public:
  using Object = std::shared_ptr<const json::value>;
  using Handler = std::function<void(const std::string& name)>;

  Informer(Api& api, InformerOptions options);
  /// Stops and joins.
  ~Informer();
  Informer(const Informer&) = delete;
  Informer& operator=(const Informer&) = delete;

  /// Called for every object that was added, changed or deleted, and for each one of the first list.
  void on_change(Handler handler);
  void start();
  /// Harmless twice.
  void stop();

  /// True once a list has been taken in whole (and its handlers have run).
  [[nodiscard]] bool synced() const;
  /// Waits for that; timeout names the last failure.
  [[nodiscard]] Status wait_until_synced(std::stop_token stop, Duration limit) const;

  /// The object as last seen; null where there is none.
  [[nodiscard]] Object get(const std::string& name) const;
  [[nodiscard]] std::vector<Object> list() const;
  /// "NAMESPACE/NAME" or "NAME".
  [[nodiscard]] static std::string name_of(const json::value& object);

 private:
  void run(const std::stop_token& stop);
  Status list_anew(const std::stop_token& stop);
  Status watch_on(const std::stop_token& stop);
  Status take(const WatchEvent& event);
  void replace(const ListPage& page);
  void tell(const std::vector<std::string>& names) const;

  Api& api_;
  const InformerOptions options_;
  std::vector<Handler> handlers_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::map<std::string, Object> objects_;
  bool synced_ = false;
  std::string last_failure_;
  // Of the thread only.
  std::string resource_version_;
  int failures_ = 0;
  std::jthread thread_;
};

/// Splits "NAMESPACE/NAME" or "NAME".
[[nodiscard]] std::pair<std::string, std::string> split_name(const std::string& name);

}  // namespace holdfast::kube
