#include "sandbox/site/hub.h"

#include <fmt/format.h>

namespace holdfast::sandbox {

namespace {

Status in_network(pid_t pid, const std::vector<std::string>& words) {
  std::vector<std::string> argv = {"nsenter", "-t", std::to_string(pid), "-n", "ip"};
  argv.insert(argv.end(), words.begin(), words.end());
  return run_checked(argv);
}

}  // namespace

Result<Hub> Hub::start(const Runtime& runtime) {
  Hub hub(TRY(PodNetwork::start(runtime).in("make the hub's network")));
  TRY(in_network(hub.pid(), {"link", "add", "br0", "address", hardware_address("10.88.0.1"), "type", "bridge"}));
  for (const char* address : {"10.88.0.1/24", "10.88.0.2/24", "10.88.0.3/24"}) {
    TRY(in_network(hub.pid(), {"addr", "add", address, "dev", "br0"}));
  }
  TRY(in_network(hub.pid(), {"link", "set", "br0", "up"}));
  return hub;
}

Status Hub::attach(int site, pid_t site_process) const {
  const std::string outer = fmt::format("ve-site{}", site);
  const std::string inner_pid = std::to_string(site_process);
  TRY(in_network(pid(), {"link", "add", outer, "type", "veth", "peer", "name", "eth0", "address",
                         hardware_address(address_of(site)), "netns", inner_pid}));
  TRY(in_network(pid(), {"link", "set", outer, "master", "br0", "up"}));
  TRY(in_network(site_process, {"link", "set", "lo", "up"}));
  TRY(in_network(site_process, {"addr", "add", address_of(site) + "/24", "dev", "eth0"}));
  TRY(in_network(site_process, {"link", "set", "eth0", "up"}));
  TRY(in_network(site_process, {"route", "add", "default", "via", "10.88.0.1"}));
  return in_network(pid(), {"route", "replace", pods_of(site) + ".0/24", "via", address_of(site)});
}

Status Hub::set_link(int site, bool up) const {
  return in_network(pid(), {"link", "set", fmt::format("ve-site{}", site), up ? "up" : "down"});
}

}  // namespace holdfast::sandbox
