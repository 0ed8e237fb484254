#include "sandbox/node/container.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/random.h"
#include "base/text.h"

namespace holdfast::sandbox {

static std::vector<std::string> command_line(const Runtime& runtime, std::vector<std::string> words) {
  std::vector<std::string> argv = {runtime.program};
  argv.insert(argv.end(), runtime.verb.begin(), runtime.verb.end());
  // What follows are words, also where they begin with a dash.
  argv.emplace_back("--");
  argv.insert(argv.end(), std::make_move_iterator(words.begin()), std::make_move_iterator(words.end()));
  return argv;
}

Container::Container(Runtime runtime, std::string spec_file, std::string root, Process process)
    : runtime_(std::move(runtime)),
      spec_file_(std::move(spec_file)),
      root_(std::move(root)),
      process_(std::move(process)) {}

Container::~Container() {
  { const Process ended = std::move(process_); }
  std::error_code ignored;
  std::filesystem::remove(spec_file_, ignored);
  std::filesystem::remove(spec_file_ + ".pid", ignored);
  std::filesystem::remove(root_, ignored);
}

Result<std::unique_ptr<Container>> Container::start(const Runtime& runtime, const std::string& id, ContainerSpec spec,
                                                    const std::string& log_path) {
  const std::string unique = id + "-" + random_hex(4);
  spec.root = runtime.directory + "/roots/" + unique;
  TRY(make_directories(spec.root));
  TRY(make_directories(runtime.directory + "/specs", 0700));
  const std::string spec_file = runtime.directory + "/specs/" + unique;
  // Environments hold secrets: the file is ours alone.
  TRY(write_file_atomically(spec_file, json::compact(to_json(spec)), 0600));
  const UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!log.valid()) return errno_error(errno, "open " + log_path);
  Process process = TRY(Process::spawn(
      {.argv = command_line(runtime, {"container-run", spec_file}), .out = log.get(), .err = log.get()}));
  return std::unique_ptr<Container>(new Container(runtime, spec_file, spec.root, std::move(process)));
}

std::optional<ProcessExit> Container::poll() {
  std::lock_guard lock(mutex_);
  return process_.poll();
}

void Container::signal(int number) {
  std::lock_guard lock(mutex_);
  process_.signal(number);
}

ProcessExit Container::terminate(Duration grace) {
  std::lock_guard lock(mutex_);
  return process_.terminate(grace);
}

Result<Process> Container::exec(const std::vector<std::string>& argv, int in, int out, int err) const {
  const Result<std::string> pid = read_file(spec_file_ + ".pid");
  if (!pid) return Error(ErrorCode::unavailable, "the container is not running");
  std::vector<std::string> words = {"container-exec", spec_file_, std::string(trim(*pid))};
  words.insert(words.end(), argv.begin(), argv.end());
  return Process::spawn({.argv = command_line(runtime_, std::move(words)), .in = in, .out = out, .err = err});
}

Result<PodNetwork> PodNetwork::start(const Runtime& runtime) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  PodNetwork network(TRY(Process::spawn({.argv = command_line(runtime, {"pod-network"}), .out = write_end.get()})));
  write_end.reset();
  char answer[8] = {};
  const ssize_t n = ::read(read_end.get(), answer, sizeof answer);
  if (n <= 0) return Error(ErrorCode::unavailable, "the pod's network namespace could not be made");
  return network;
}

std::string hardware_address(const std::string& address) {
  std::string out = "0a:58";
  for (const std::string& part : split(address.substr(0, address.find('/')), '.')) {
    out += fmt::format(":{:02x}", parse_int(part).value_or(0));
  }
  return out;
}

Status PodNetwork::connect(const std::string& bridge, const std::string& address, const std::string& gateway) const {
  const std::string pid = std::to_string(process_.pid());
  const std::string outer = "ve" + pid;
  const auto inside = [&](std::vector<std::string> words) {
    std::vector<std::string> argv = {"nsenter", "-t", pid, "-n", "ip"};
    argv.insert(argv.end(), words.begin(), words.end());
    return run_checked(argv);
  };
  TRY(run_checked({"ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "address",
                   hardware_address(address), "netns", pid}));
  TRY(run_checked({"ip", "link", "set", outer, "master", bridge, "up"}));
  TRY(inside({"addr", "add", address, "dev", "eth0"}));
  TRY(inside({"link", "set", "eth0", "up"}));
  return inside({"route", "add", "default", "via", gateway});
}

}  // namespace holdfast::sandbox
