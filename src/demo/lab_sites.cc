// SiteControl over the lab's clusters: complete Kubernetes nodes that tests/lab/cluster.sh boots and ends.
//
// OpenShift's kinds are served there by definitions alone. What OpenShift's controller makes of a DeploymentConfig is
// done for each site by a child process, `holdfast sandbox controllers`, a plain client of the site's API server. The
// loss of a site is SIGKILL to its node's process 1, by a descriptor that was opened when it was up.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <map>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "demo/doors.h"
#include "demo/obstacles.h"
#include "demo/site_control.h"
#include "install/installation.h"
#include "sandbox/site/hub.h"

namespace holdfast::demo {

namespace {

constexpr int kSites[] = {1, 2};
constexpr const char* kHub = "/run/netns/hf-hub";
constexpr const char* kHubAddress = "10.88.0.1";
constexpr const char* kLedgerImage = "localhost/ledger:1";
constexpr Duration kScriptLimit = std::chrono::minutes(5);

/// Runs cluster.sh; what it says is kept in the log, and its last line becomes the error.
Result<std::string> cluster(const LabOptions& options, const std::vector<std::string>& words) {
  std::vector<std::string> argv = {"env", "HOLDFAST_LAB_DIR=" + options.directory, options.scripts + "/cluster.sh"};
  argv.insert(argv.end(), words.begin(), words.end());
  const CommandOutput output = TRY(run_command(argv, {}, kScriptLimit));
  TRY(make_directories(options.directory));
  UniqueFd log(::open((options.directory + "/cluster.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (log.valid()) TRY(write_all(log.get(), output.err, "cluster.log"));
  const std::string command = fmt::format("cluster.sh {}", fmt::join(words, " "));
  if (output.code != 0) return Error(ErrorCode::unavailable, fmt::format("{}: {}", command, trim(output.err)));
  return std::string(trim(output.out));
}

class LabSites final : public SiteControl {
 public:
  explicit LabSites(LabOptions options)
      : options_(std::move(options)), doors_(sandbox::Runtime{.program = options_.program, .directory = {}}) {}

  ~LabSites() override {
    if (!ended_) static_cast<void>(end());
  }

  Status end() override {
    ended_ = true;
    controllers_.clear();
    nodes_.clear();
    doors_.close_all();
    return clear_lab(options_);
  }

  Status pack_images() const {
    const std::pair<std::string, std::string> images[] = {{"holdfast", install::default_image()},
                                                          {"ledger", kLedgerImage}};
    TRY(make_directories(archives()));
    for (const auto& [name, reference] : images) {
      TRY(run_checked({"python3", options_.scripts + "/oci_image.py", fmt::format("{}/{}.tar", archives(), name),
                       reference, fmt::format("{}/{}", options_.images_directory, name)},
                      kScriptLimit));
    }
    return {};
  }

  Status boot(int site) override {
    const std::string number = std::to_string(site);
    TRY(cluster(options_, {"up", number, "--openshift", "--storage-class", "hf-local", "--images", archives()}));
    const int64_t pid = TRY(parse_int(TRY(cluster(options_, {"pid", number}))));
    UniqueFd node(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0U)));
    if (!node.valid()) return errno_error(errno, fmt::format("{}: its node is gone", name(site)));
    nodes_.insert_or_assign(site, std::move(node));
    const std::string log = fmt::format("{}/controllers-{}.log", options_.directory, site);
    const UniqueFd out(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!out.valid()) return errno_error(errno, "open " + log);
    controllers_.erase(site);
    controllers_.emplace(
        site, TRY(Process::spawn({.argv = {"setpriv", "--pdeathsig", "KILL", options_.program, "sandbox", "controllers",
                                           "--names", "deploymentconfig", "--kubeconfig", kubeconfig(site)},
                                  .out = out.get(),
                                  .err = out.get()})));
    return {};
  }

  Status kill(int site) override {
    const auto node = nodes_.find(site);
    if (node == nodes_.end()) return Error(ErrorCode::not_found, fmt::format("{} is not up", name(site)));
    if (::syscall(SYS_pidfd_send_signal, node->second.get(), SIGKILL, nullptr, 0U) != 0)
      return errno_error(errno, "kill " + name(site));
    nodes_.erase(node);
    controllers_.erase(site);
    TRY(cluster(options_, {"kill", std::to_string(site)}));
    return {};
  }

  std::string kind() const override { return "real"; }
  std::string name(int site) const override { return fmt::format("site{}", site); }
  std::string kubeconfig(int site) const override { return fmt::format("{}/kubeconfig-{}", options_.directory, site); }
  std::string address(int site) const override { return sandbox::Hub::address_of(site); }
  std::vector<std::string> client_prefix() const override { return {"nsenter", std::string("--net=") + kHub, "--"}; }

  Result<std::string> door(int site, uint16_t node_port) override {
    return "http://" + TRY(doors_.open({}, {kHub, address(site), node_port}));
  }
  Result<std::string> way_out(const std::string& host, uint16_t port) override {
    return doors_.open({kHub, kHubAddress}, {.address = host, .port = port});
  }

 private:
  std::string archives() const { return options_.directory + "/archives"; }

  const LabOptions options_;
  std::map<int, UniqueFd> nodes_;  ///< process descriptors of the nodes' first processes
  std::map<int, Process> controllers_;
  Doors doors_;
  bool ended_ = false;
};

}  // namespace

std::vector<std::string> lab_obstacles(const LabOptions& options) {
  std::vector<std::string> out = machine_obstacles(
      {{"ip", "iproute2"}, {"nsenter", "util-linux"}, {"setpriv", "util-linux"}, {"python3", "python3"}});
  for (std::string& obstacle : image_obstacles(options.images_directory)) out.push_back(std::move(obstacle));
  if (::access((options.scripts + "/cluster.sh").c_str(), X_OK) != 0) {
    out.push_back(fmt::format("{}/cluster.sh is missing: name the directory tests/lab of the sources with --lab",
                              options.scripts));
    return out;
  }
  const Result<CommandOutput> peer = run_command({options.scripts + "/../peers/peers.sh", "path", "kubernetes"});
  if (!peer || peer->code != 0) out.emplace_back("Kubernetes is not built: ./dev peers kubernetes, which needs Go");
  return out;
}

Status clear_lab(const LabOptions& options) {
  Status out;
  for (const int site : kSites) {
    const auto ended = cluster(options, {"down", std::to_string(site), "--wipe"});
    if (!ended) out = ended.error();
  }
  return out;
}

Result<std::unique_ptr<SiteControl>> lab_sites(LabOptions options) {
  TRY(make_directories(options.directory));
  auto sites = std::make_unique<LabSites>(std::move(options));
  TRY(sites->pack_images());
  return std::unique_ptr<SiteControl>(std::move(sites));
}

}  // namespace holdfast::demo
