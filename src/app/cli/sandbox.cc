// `holdfast sandbox up`: two sites on this machine until Ctrl-C; and the hidden entry points that its processes are
// started by.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "app/cli/commands.h"
#include "app/cli/signals.h"
#include "base/file.h"
#include "base/text.h"
#include "sandbox/controllers/controllers.h"
#include "sandbox/node/container_process.h"
#include "sandbox/site/site.h"

namespace holdfast::app {

namespace {

using config::Kind;

int fail(const Error& error) {
  fmt::print(stderr, "holdfast sandbox: {}\n", error.to_string());
  return 1;
}

Status stay_up(const config::Arguments& arguments) {
  const std::string directory = std::filesystem::absolute(arguments.text("dir"));
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  std::string images = arguments.text("images");
  if (images.empty()) images = std::filesystem::path(program).parent_path() / "images";
  if (const int64_t sites = arguments.number("sites"); sites < 1 || sites > 9)
    return Error(ErrorCode::invalid, fmt::format("--sites {}: there are 1 to 9 sites", sites));
  TRY(make_directories(directory));
  const sandbox::Runtime runtime{program, {"sandbox-internal"}, directory + "/hub"};
  const sandbox::Hub hub = TRY(sandbox::Hub::start(runtime));
  std::vector<std::unique_ptr<sandbox::Site>> sites;
  for (int number = 1; number <= arguments.number("sites"); ++number) {
    sandbox::SiteOptions options;
    options.number = number;
    options.directory = fmt::format("{}/site{}", directory, number);
    options.images_directory = images;
    options.store_directory = directory + "/store";
    options.runtime = runtime;
    sites.push_back(TRY(sandbox::Site::boot(hub, options, system_clock())));
    fmt::print("{}: kubectl --kubeconfig {} get nodes\n", sites.back()->name(), sites.back()->kubeconfig());
    std::fflush(stdout);
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  int received = 0;
  sigwait(&ends, &received);
  return {};
}

Result<int> run_controllers(const Surroundings& surroundings, const config::Arguments& arguments) {
  const EndSignals signals;
  const auto api = TRY(surroundings.open({.kubeconfig = arguments.text("kubeconfig"), .context = {}}));
  sandbox::ControllersOptions options;
  options.names = arguments.list("names");
  options.clock = surroundings.clock;
  options.log = log::Logger(log::descriptor_sink(2, log::Level::info, log::Format::text));
  const auto controllers = TRY(sandbox::Controllers::start(*api, std::move(options)));
  while (surroundings.clock->sleep(signals.token(), std::chrono::hours(1))) {
  }
  return 0;
}

int up(const config::Arguments& arguments) {
  // Every child starts with its own clean mask; here the two signals end the wait.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const Status status = stay_up(arguments);
  return status.ok() ? 0 : fail(status.error());
}

int internal(const config::Arguments& arguments) {
  const std::vector<std::string>& words = arguments.positionals();
  const std::string verb = words.at(0);
  const auto word = [&](size_t at) { return at < words.size() ? words[at] : std::string(); };
  const auto number = [&](size_t at) {
    const Result<int64_t> parsed = parse_int(word(at));
    return parsed.ok() ? static_cast<int>(*parsed) : -1;
  };
  if (verb == "container-run") return sandbox::container_run(word(1));
  if (verb == "container-exec") {
    return sandbox::container_exec(word(1), number(2), std::vector<std::string>(words.begin() + 3, words.end()));
  }
  if (verb == "pod-network") return sandbox::pod_network();
  if (verb == "forward") return sandbox::forward_connections({word(3), word(1), static_cast<uint16_t>(number(2))});
  if (verb == "site") return sandbox::run_site(word(1));
  return sandbox::run_site_part(verb, word(1));
}

}  // namespace

config::Command sandbox_command(const Surroundings& surroundings) {
  config::Command up_command;
  up_command.name = "up";
  up_command.summary = "Boot sites and keep them up until Ctrl-C";
  up_command.examples = {"holdfast sandbox up --dir /tmp/sandbox", "holdfast sandbox up --dir /tmp/sandbox --sites 1"};
  up_command.options = {{.name = "dir", .help = "directory of the sites' state", .fallback = "sandbox"},
                        {.name = "sites", .kind = Kind::number, .help = "how many", .fallback = "2"},
                        {.name = "images", .help = "directory of images; without it the one beside the program"}};
  up_command.run = up;
  config::Command controllers_command;
  controllers_command.name = "controllers";
  controllers_command.summary = "Run controllers of the sandbox against any cluster until Ctrl-C";
  controllers_command.description =
      "A sandbox cluster runs all of them by itself. Against another cluster that serves the types, some stand in for "
      "what it lacks: deploymentconfig does what OpenShift's controller does with a DeploymentConfig, on a cluster "
      "that "
      "has OpenShift's kinds by definition only.";
  controllers_command.examples = {"holdfast sandbox controllers --kubeconfig lab.yaml --names deploymentconfig"};
  controllers_command.options = {
      {.name = "kubeconfig", .help = "the cluster; KUBECONFIG or the pod's own without it", .value_name = "FILE"},
      {.name = "names", .kind = Kind::list, .help = "which controllers; all without it"}};
  controllers_command.run = runs(surroundings, run_controllers);
  config::Command command;
  command.name = "sandbox";
  command.summary = "Small clusters on this machine, for the demo and for tests";
  command.examples = {"holdfast sandbox up --dir /tmp/sandbox --sites 1"};
  command.subcommands = {up_command, controllers_command};
  return command;
}

config::Command sandbox_internal_command() {
  config::Command command;
  command.name = "sandbox-internal";
  command.summary = "Entry points of the sandbox's processes";
  command.positionals = {{.name = "WORDS", .help = "the entry point and its arguments", .repeated = true}};
  command.hidden = true;
  command.run = internal;
  return command;
}

}  // namespace holdfast::app
