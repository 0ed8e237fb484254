// One pod on this node: a thread that brings it up, keeps it running, and takes it down.
//
// Volumes, network, init containers in order (native sidecars stay), containers with restarts under back-off, probes,
// status to the API, and at the end: SIGTERM, the grace, SIGKILL, volumes away, the object's removal. Destroying a
// runner kills the pod's processes at once and leaves the object and the volumes as they are: that is what the loss of
// a node does.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "kube/api.h"
#include "sandbox/node/container.h"

namespace holdfast::sandbox {

/// Addresses of a pod network like 10.244.0.0/24, handed out once each.
class AddressPool {
 public:
  /// `prefix` like "10.244.0": .1 is the bridge, .2 to .254 are for pods.
  explicit AddressPool(std::string prefix) : prefix_(std::move(prefix)) {}
  [[nodiscard]] Result<std::string> take();
  void give_back(const std::string& address);
  [[nodiscard]] std::string gateway() const { return prefix_ + ".1"; }

 private:
  const std::string prefix_;
  std::mutex mutex_;
  std::set<int> taken_;
  int next_ = 2;
};

struct NodeContext {
  kube::Api& api;
  Clock& clock;
  log::Logger log;
  Runtime runtime;
  std::string name;
  std::string address;  ///< the node's own
  std::string bridge;   ///< network device that pods are connected to
  AddressPool& addresses;
  std::string pods_directory;  ///< "/var/lib/kubelet/pods"
  std::string logs_directory;
  std::string images_directory;
  std::string ca_pem;
  std::string kubernetes_service_host;
  std::string kubernetes_service_port;
};

class PodRunner {
 public:
  PodRunner(const NodeContext& context, json::value pod);
  ~PodRunner();
  PodRunner(const PodRunner&) = delete;
  PodRunner& operator=(const PodRunner&) = delete;

  /// The object has a deletionTimestamp: end the pod within that grace. Later calls may only shorten it.
  void end(Duration grace);
  /// True once the thread has nothing left to do; the runner can be destroyed.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] const std::string& uid() const { return uid_; }

  /// Starts a command in a running container ("": the only or first one).
  [[nodiscard]] Result<Process> exec(const std::string& container, const std::vector<std::string>& argv, int in,
                                     int out, int err);
  [[nodiscard]] Result<std::string> logs(const std::string& container);

 private:
  class Life;
  [[nodiscard]] Duration grace_left();
  const NodeContext& context_;
  const json::value pod_;
  const std::string uid_;
  std::mutex mutex_;
  std::optional<BootTime> end_by_;
  std::map<std::string, std::shared_ptr<Container>> running_;
  std::stop_source ending_;
  std::atomic<bool> finished_ = false;
  std::jthread thread_;
};

}  // namespace holdfast::sandbox
