// The control loop: names from a WorkQueue, reconciled by a number of workers.
//
//   Controller controller({.name = "backup", .workers = 2, .log = log}, [&](const std::string& name, std::stop_token) {
//     return reconcile_backup(name);
//   });
//   controller.start();
//   informer.on_change([&](const std::string& name) { controller.enqueue(name); });
//
// `reconcile` reads the present facts, acts, and answers done, again after a time, or an Error. It must be idempotent;
// the same name never runs twice at once. An Error is logged once, here, and the name comes again after its back-off.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "kube/work_queue.h"

namespace holdfast::kube {

/// What a reconcile asks for: nothing more, or to be called again.
struct After {
  std::optional<Duration> delay = {};
  [[nodiscard]] static After done() { return {}; }
  [[nodiscard]] static After in(Duration delay) { return {delay}; }
};

struct ControllerOptions {
  std::string name;
  size_t workers = 1;
  log::Logger log = {};
  WorkQueue::Options queue = {};
};

class Controller {
 public:
  using Reconcile = std::function<Result<After>(const std::string& name, std::stop_token stop)>;
  Controller(ControllerOptions options, Reconcile reconcile);
  /// Stops and joins.
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  /// Starts the workers. Names may be queued before.
  void start();
  /// Asks every reconcile's token, and joins the workers. Queued names are dropped. Harmless twice.
  void stop();
  void enqueue(const std::string& name) { queue_.add(name); }
  void enqueue_after(const std::string& name, Duration delay) { queue_.add_after(name, delay); }
  [[nodiscard]] const WorkQueue& queue() const { return queue_; }

 private:
  void work(const std::stop_token& stop);

  const ControllerOptions options_;
  const Reconcile reconcile_;
  WorkQueue queue_;
  std::vector<std::jthread> workers_;
};

}  // namespace holdfast::kube
