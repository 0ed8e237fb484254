// SiteControl over the sandbox's sites.
#include <fmt/format.h>

#include <map>

#include "base/file.h"
#include "demo/doors.h"
#include "demo/obstacles.h"
#include "demo/site_control.h"
#include "sandbox/site/hub.h"
#include "sandbox/site/site.h"

namespace holdfast::demo {

namespace {

class SandboxSites final : public SiteControl {
 public:
  SandboxSites(SandboxOptions options, sandbox::Runtime runtime, sandbox::Hub hub, Clock& clock)
      : options_(std::move(options)),
        runtime_(std::move(runtime)),
        hub_(std::move(hub)),
        clock_(clock),
        doors_(runtime_) {}

  Status boot(int site) override {
    sandbox::SiteOptions options;
    options.number = site;
    options.directory = directory(site);
    options.images_directory = options_.images_directory;
    options.store_directory = options_.store_directory;
    options.runtime = runtime_;
    sites_.erase(site);
    sites_.emplace(site, TRY(sandbox::Site::boot(hub_, std::move(options), clock_)));
    return {};
  }

  Status kill(int site) override {
    const auto found = sites_.find(site);
    if (found == sites_.end()) return Error(ErrorCode::not_found, fmt::format("{} is not up", name(site)));
    found->second->kill();
    if (found->second->up()) return Error(ErrorCode::timeout, fmt::format("{} did not die", name(site)));
    return {};
  }

  Status end() override {
    doors_.close_all();
    sites_.clear();
    return {};
  }

  std::string kind() const override { return "sandbox"; }
  std::string name(int site) const override { return fmt::format("site{}", site); }
  std::string kubeconfig(int site) const override { return directory(site) + "/kubeconfig"; }
  std::string address(int site) const override { return sandbox::Hub::address_of(site); }
  std::vector<std::string> client_prefix() const override { return hub_.prefix(); }

  Result<std::string> door(int site, uint16_t node_port) override {
    return "http://" + TRY(doors_.open({}, {sandbox::network_of(hub_.pid()), address(site), node_port}));
  }
  Result<std::string> way_out(const std::string& host, uint16_t port) override {
    return doors_.open({sandbox::network_of(hub_.pid()), "10.88.0.2"}, {.address = host, .port = port});
  }

 private:
  std::string directory(int site) const { return fmt::format("{}/{}", options_.directory, name(site)); }

  const SandboxOptions options_;
  const sandbox::Runtime runtime_;
  const sandbox::Hub hub_;
  Clock& clock_;
  std::map<int, std::unique_ptr<sandbox::Site>> sites_;
  Doors doors_;
};

}  // namespace

std::vector<std::string> sandbox_obstacles(const SandboxOptions& options) {
  std::vector<std::string> out = machine_obstacles(
      {{"ip", "iproute2"}, {"unshare", "util-linux"}, {"nsenter", "util-linux"}, {"setpriv", "util-linux"}});
  for (std::string& obstacle : image_obstacles(options.images_directory)) out.push_back(std::move(obstacle));
  return out;
}

Result<std::unique_ptr<SiteControl>> sandbox_sites(SandboxOptions options, Clock& clock) {
  TRY(make_directories(options.directory));
  if (!options.store_directory.empty()) TRY(make_directories(options.store_directory));
  sandbox::Runtime runtime{options.program, {"sandbox-internal"}, options.directory + "/hub"};
  sandbox::Hub hub = TRY(sandbox::Hub::start(runtime));
  return std::unique_ptr<SiteControl>(
      std::make_unique<SandboxSites>(std::move(options), std::move(runtime), std::move(hub), clock));
}

}  // namespace holdfast::demo
