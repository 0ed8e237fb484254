// The hub: a network of its own that joins the sites, as the internet joins two data centres.
//
// A bridge 10.88.0.0/24 in a network namespace that a child process holds. 10.88.0.1 is where clients sit; 10.88.0.2 is
// for a store's server and 10.88.0.3 for the other site's controller, so that a cut can drop some and leave others.
// Site N has 10.88.0.(10+N) there. Destroying the hub takes the network away.
#pragma once

#include <string>
#include <vector>

#include "sandbox/node/container.h"

namespace holdfast::sandbox {

class Hub {
 public:
  [[nodiscard]] static Result<Hub> start(const Runtime& runtime);

  /// Gives a site's network namespace its link: eth0 with that address ("10.88.0.11") and a default route by the hub.
  [[nodiscard]] Status attach(int site, pid_t site_process) const;
  /// Takes the link of a site down, or up again: it then reaches nobody outside.
  [[nodiscard]] Status set_link(int site, bool up) const;
  [[nodiscard]] static std::string address_of(int site) { return "10.88.0." + std::to_string(10 + site); }
  /// First three numbers of the addresses of a site's pods ("10.241.0"). The hub's route to them leads through the
  /// site's own address.
  [[nodiscard]] static std::string pods_of(int site) { return "10." + std::to_string(240 + site) + ".0"; }

  [[nodiscard]] pid_t pid() const { return network_.pid(); }
  /// The words to put in front of a command that shall run in the hub's network.
  [[nodiscard]] std::vector<std::string> prefix() const { return {"nsenter", "-t", std::to_string(pid()), "-n"}; }

 private:
  explicit Hub(PodNetwork network) : network_(std::move(network)) {}
  PodNetwork network_;
};

}  // namespace holdfast::sandbox
