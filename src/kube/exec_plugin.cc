// Runs a credential plugin: a child process with its own environment, its answer on standard output, a deadline.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "kube/credentials.h"

extern char** environ;

namespace holdfast::kube {

namespace {

constexpr size_t kAnswerMax = size_t{1} << 20;
constexpr int kPollMilliseconds = 50;

/// Kills what still runs, and reaps it, in any case.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Its wait status once it has ended.
  std::optional<int> ended() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

std::string exec_info(const ExecPlugin& plugin, const ClusterAccess& access) {
  json::object info;
  json::set(info, {"apiVersion"}, plugin.api_version);
  json::set(info, {"kind"}, "ExecCredential");
  json::set(info, {"spec", "interactive"}, false);
  if (plugin.provide_cluster) {
    json::set(info, {"spec", "cluster", "server"}, access.server);
    if (!access.tls.ca_pem.empty()) {
      json::set(info, {"spec", "cluster", "certificate-authority-data"}, to_base64(access.tls.ca_pem));
    }
    if (!access.tls.server_name.empty()) {
      json::set(info, {"spec", "cluster", "tls-server-name"}, access.tls.server_name);
    }
    if (access.tls.verify == net::TlsOptions::Verify::none) {
      json::set(info, {"spec", "cluster", "insecure-skip-tls-verify"}, true);
    }
    if (!access.proxy.empty() && access.proxy != "-") json::set(info, {"spec", "cluster", "proxy-url"}, access.proxy);
  }
  return json::compact(info);
}

std::vector<std::string> environment(const ExecPlugin& plugin, const ClusterAccess& access) {
  std::vector<std::string> all;
  const auto overridden = [&](std::string_view entry) {
    if (entry.starts_with("KUBERNETES_EXEC_INFO=")) return true;
    for (const auto& [name, value] : plugin.env) {
      if (entry.starts_with(name + "=")) return true;
    }
    return false;
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!overridden(*entry)) all.emplace_back(*entry);
  }
  for (const auto& [name, value] : plugin.env) all.push_back(name + "=" + value);
  all.push_back("KUBERNETES_EXEC_INFO=" + exec_info(plugin, access));
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Result<pid_t> spawn(const ExecPlugin& plugin, const ClusterAccess& access, int output) {
  std::vector<std::string> argv{plugin.command};
  argv.insert(argv.end(), plugin.args.begin(), plugin.args.end());
  std::vector<std::string> env = environment(plugin, access);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  pid_t pid = 0;
  const int failure =
      posix_spawnp(&pid, plugin.command.c_str(), &actions, nullptr, pointers(argv).data(), pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    return errno_error(failure, fmt::format("credential plugin {}", plugin.command)).hinted(plugin.install_hint);
  }
  return pid;
}

/// Everything the child writes, until it closes its output.
Result<std::string> read_answer(int input, Clock& clock, BootTime deadline, const std::stop_token& stop) {
  std::string answer;
  std::array<char, 8192> buffer{};
  for (;;) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    if (clock.boottime() >= deadline) return Error(ErrorCode::timeout, "gave no answer in time");
    pollfd ready{input, POLLIN, 0};
    const int count = poll(&ready, 1, kPollMilliseconds);
    if (count <= 0) continue;
    const ssize_t got = read(input, buffer.data(), buffer.size());
    if (got == 0) return answer;
    if (got < 0 && errno != EINTR) return errno_error(errno, "its output");
    if (got > 0) answer.append(buffer.data(), static_cast<size_t>(got));
    if (answer.size() > kAnswerMax) return Error(ErrorCode::denied, "its answer is too long");
  }
}

}  // namespace

Result<PluginAnswer> run_exec_plugin(const ExecPlugin& plugin, const ClusterAccess& access, Duration limit,
                                     std::stop_token stop) {
  const std::string what = fmt::format("credential plugin {}", plugin.command);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  const UniqueFd input(ends[0]);
  UniqueFd output(ends[1]);
  Child child(TRY(spawn(plugin, access, output.get())));
  output.reset();
  const BootTime deadline = system_clock().boottime() + limit;
  const std::string answer = TRY(read_answer(input.get(), system_clock(), deadline, stop).in(what));
  std::optional<int> status = child.ended();
  while (!status) {
    if (system_clock().boottime() >= deadline) return Error(ErrorCode::timeout, what + ": does not end");
    TRY(system_clock().sleep(stop, std::chrono::milliseconds(5)));
    status = child.ended();
  }
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    const std::string how = WIFEXITED(*status) ? fmt::format("ended with code {}", WEXITSTATUS(*status))
                                               : fmt::format("was killed by signal {}", WTERMSIG(*status));
    return Error(ErrorCode::denied, what + ": " + how, plugin.install_hint);
  }
  return parse_exec_credential(answer, plugin.api_version).in(what);
}

}  // namespace holdfast::kube
