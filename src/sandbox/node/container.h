// Containers and pod networks of this machine, as the node sees them: started, signalled, waited for, entered.
//
// Each is a child process (the program itself with a hidden verb, see container_process.h), so that everything inside
// ends with it, and with the node. A ContainerHandle may be used from several threads.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/process.h"
#include "sandbox/node/container_process.h"

namespace holdfast::sandbox {

/// How to start this program again: its path and the verb that leads to the entry points.
struct Runtime {
  std::string program;  ///< path of the holdfast binary
  std::vector<std::string> verb = {"sandbox-internal"};
  std::string directory;  ///< where specs and roots are kept; on a file system that may hold mounts
};

class Container {
 public:
  /// Starts it; output goes to `log_path` (appended). Fails only where the process itself cannot be started: what goes
  /// wrong inside is its exit code and the log's last line.
  [[nodiscard]] static Result<std::unique_ptr<Container>> start(const Runtime& runtime, const std::string& id,
                                                                ContainerSpec spec, const std::string& log_path);
  ~Container();

  [[nodiscard]] std::optional<ProcessExit> poll();
  void signal(int number);
  /// SIGTERM, the grace, SIGKILL.
  ProcessExit terminate(Duration grace);

  /// Starts a command inside with these descriptors as 0, 1 and 2. unavailable while pid 1 is not running.
  [[nodiscard]] Result<Process> exec(const std::vector<std::string>& argv, int in, int out, int err) const;

 private:
  Container(Runtime runtime, std::string spec_file, std::string root, Process process);
  const Runtime runtime_;
  const std::string spec_file_;
  const std::string root_;
  std::mutex mutex_;
  Process process_;
};

/// "0a:58:0a:f0:01:07" for "10.240.1.7/24". Devices get their hardware address from their own: a bridge left to itself
/// takes over the least of its ports' and changes it as ports come and go, and an address that is used again would
/// have a new one. In both cases packets go to the old one until the neighbours have noticed, for up to a minute.
[[nodiscard]] std::string hardware_address(const std::string& address);

/// A network namespace for a pod. It goes with this object.
class PodNetwork {
 public:
  [[nodiscard]] static Result<PodNetwork> start(const Runtime& runtime);
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

  /// Connects it by a veth pair with the node's bridge. `address` like "10.244.0.7/24", `gateway` the bridge's own.
  [[nodiscard]] Status connect(const std::string& bridge, const std::string& address, const std::string& gateway) const;

 private:
  explicit PodNetwork(Process process) : process_(std::move(process)) {}
  Process process_;
};

}  // namespace holdfast::sandbox
