// SiteControl over the sandbox's sites.
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "base/file.h"
#include "base/text.h"
#include "config/command.h"
#include "demo/site_control.h"
#include "sandbox/site/forwarder.h"
#include "sandbox/site/hub.h"
#include "sandbox/site/site.h"

namespace holdfast::demo {

namespace {

bool on_path(const std::string& program) {
  const std::string path = config::process_environment()("PATH").value_or("/usr/bin:/bin");
  for (const std::string& directory : split(path, ':')) {
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

class SandboxSites final : public SiteControl {
 public:
  SandboxSites(SandboxOptions options, sandbox::Runtime runtime, sandbox::Hub hub, Clock& clock)
      : options_(std::move(options)), runtime_(std::move(runtime)), hub_(std::move(hub)), clock_(clock) {}

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

  std::string name(int site) const override { return fmt::format("site{}", site); }
  std::string kubeconfig(int site) const override { return directory(site) + "/kubeconfig"; }
  std::string address(int site) const override { return sandbox::Hub::address_of(site); }
  std::vector<std::string> client_prefix() const override { return hub_.prefix(); }

  Result<std::string> door(int site, uint16_t node_port) override {
    const auto key = std::make_pair(site, node_port);
    auto found = doors_.find(key);
    if (found == doors_.end()) {
      found =
          doors_.emplace(key, TRY(sandbox::Forwarder::start(runtime_, 0, hub_.pid(), address(site), node_port))).first;
    }
    return fmt::format("http://127.0.0.1:{}", found->second.port());
  }

 private:
  std::string directory(int site) const { return fmt::format("{}/{}", options_.directory, name(site)); }

  const SandboxOptions options_;
  const sandbox::Runtime runtime_;
  const sandbox::Hub hub_;
  Clock& clock_;
  std::map<int, std::unique_ptr<sandbox::Site>> sites_;
  std::map<std::pair<int, uint16_t>, sandbox::Forwarder> doors_;
};

}  // namespace

std::vector<std::string> sandbox_obstacles(const SandboxOptions& options) {
  std::vector<std::string> out;
  if (::geteuid() != 0) out.emplace_back("sites need root for their namespaces: run it with sudo");
  const std::pair<const char*, const char*> programs[] = {
      {"ip", "iproute2"}, {"unshare", "util-linux"}, {"nsenter", "util-linux"}, {"setpriv", "util-linux"}};
  for (const auto& [program, package] : programs) {
    if (!on_path(program)) out.push_back(fmt::format("program {} is missing: apt-get install {}", program, package));
  }
  for (const char* image : {"holdfast", "ledger"}) {
    const std::string path = fmt::format("{}/{}", options.images_directory, image);
    if (::access(path.c_str(), R_OK) != 0) {
      out.push_back(fmt::format("image {} is missing: ./dev demo makes it, or tools/image.sh {}", image, path));
    }
  }
  return out;
}

Result<std::unique_ptr<SiteControl>> sandbox_sites(SandboxOptions options, Clock& clock) {
  TRY(make_directories(options.directory));
  TRY(make_directories(options.store_directory));
  sandbox::Runtime runtime{options.program, {"sandbox-internal"}, options.directory + "/hub"};
  sandbox::Hub hub = TRY(sandbox::Hub::start(runtime));
  return std::unique_ptr<SiteControl>(
      std::make_unique<SandboxSites>(std::move(options), std::move(runtime), std::move(hub), clock));
}

}  // namespace holdfast::demo
