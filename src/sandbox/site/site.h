// One sandbox site: a cluster of its own on this machine, which can be lost whole and booted again.
//
// The site is a process that is pid 1 in its own pid, mount, network, uts and ipc namespaces, joined to the hub by a
// veth pair. Below it run the API server, the controllers and the node, each a process that is started again when it
// ends. Its loss is SIGKILL to that pid 1: nothing gets to say good-bye. State lies in the site's directory and
// survives.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "sandbox/site/forwarder.h"
#include "sandbox/site/hub.h"

namespace holdfast::sandbox {

struct SiteOptions {
  int number = 1;         ///< 1..9: decides names and addresses
  std::string directory;  ///< state of this site
  std::string images_directory;
  std::string store_directory;  ///< bound to the same path inside; empty: none
  Runtime runtime;
  uint16_t host_port = 0;  ///< of the API server on this machine's loopback; 0: a free one
};

class Site {
 public:
  /// Boots it and waits until its API server is ready (deadline 30 s). The Hub must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<Site>> boot(const Hub& hub, SiteOptions options, Clock& clock);
  /// Kills it.
  ~Site();

  /// The loss of the whole site, at once. Harmless when it is down.
  void kill();
  [[nodiscard]] bool up();
  [[nodiscard]] const std::string& name() const { return name_; }
  /// "10.88.0.11": where node ports answer, as seen from the hub.
  [[nodiscard]] std::string address() const { return Hub::address_of(options_.number); }
  /// A kubeconfig that works on this machine, as administrator.
  [[nodiscard]] std::string kubeconfig() const { return options_.directory + "/kubeconfig"; }
  /// Process id of the site's pid 1 as seen from here.
  [[nodiscard]] pid_t init_pid() const { return init_pid_; }

 private:
  Site(SiteOptions options, std::string name) : options_(std::move(options)), name_(std::move(name)) {}
  Status bring_up(const Hub& hub, Clock& clock);

  const SiteOptions options_;
  const std::string name_;
  std::optional<Process> process_;
  std::optional<Forwarder> door_;
  pid_t init_pid_ = -1;
};

/// The site's pid 1, given the file that Site::boot wrote. Ends only with the site.
int run_site(const std::string& config_file);
/// One of its programs: site-apiserver, site-controllers, site-node. Returns only when it fails.
int run_site_part(const std::string& part, const std::string& config_file);

}  // namespace holdfast::sandbox
