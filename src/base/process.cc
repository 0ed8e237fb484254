#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/text.h"

namespace holdfast {

namespace {

constexpr size_t kOutputMax = size_t{16} << 20;

ProcessExit exit_from(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

/// posix_spawn's two option objects, freed with the scope.
struct SpawnSetup {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
};

}  // namespace

Result<Process> Process::spawn(const ProcessOptions& options) {
  CHECK(!options.argv.empty());
  SpawnSetup setup;
  if (options.in >= 0) {
    posix_spawn_file_actions_adddup2(&setup.actions, options.in, 0);
  } else {
    posix_spawn_file_actions_addopen(&setup.actions, 0, "/dev/null", O_RDONLY, 0);
  }
  if (options.out >= 0) posix_spawn_file_actions_adddup2(&setup.actions, options.out, 1);
  if (options.err >= 0) posix_spawn_file_actions_adddup2(&setup.actions, options.err, 2);
  // Ours may be blocked or ignored; a child starts with a clean slate.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.own_group) flags |= POSIX_SPAWN_SETPGROUP;
  posix_spawnattr_setflags(&setup.attributes, flags);
  const std::vector<char*> argv = pointers(options.argv);
  std::vector<char*> environment;
  if (options.environment.has_value()) environment = pointers(*options.environment);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &setup.actions, &setup.attributes, argv.data(),
                                   options.environment.has_value() ? environment.data() : environ);
  if (error != 0) return errno_error(error, "start " + options.argv.front());
  return Process(pid);
}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    Process gone(std::move(*this));
    pid_ = std::exchange(other.pid_, -1);
    exit_ = other.exit_;
  }
  return *this;
}

Process::~Process() {
  if (pid_ < 0 || exit_.has_value()) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

std::optional<ProcessExit> Process::poll() {
  if (exit_.has_value()) return exit_;
  int status = 0;
  const pid_t found = ::waitpid(pid_, &status, WNOHANG);
  if (found == pid_) exit_ = exit_from(status);
  if (found < 0 && errno == ECHILD) exit_ = ProcessExit{255, 0};
  return exit_;
}

Result<ProcessExit> Process::wait(Duration limit, std::stop_token stop) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!handle.valid() || !wake.valid()) return errno_error(errno, "wait for a process");
  const std::stop_callback on_stop(stop, [&] {
    const uint64_t one = 1;
    static_cast<void>(::write(wake.get(), &one, sizeof one) == sizeof one);
  });
  const BootTime begin = system_clock().boottime();
  while (true) {
    if (const std::optional<ProcessExit> done = poll()) return *done;
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped while waiting for a process");
    int left = -1;
    if (limit > Duration::zero()) {
      const Duration rest = limit - (system_clock().boottime() - begin);
      if (rest <= Duration::zero()) {
        return Error(ErrorCode::timeout, fmt::format("the process still runs after {}", format_go_duration(limit)));
      }
      left = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(rest).count()) + 1;
    }
    pollfd waits[2] = {{handle.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
    static_cast<void>(::poll(waits, 2, left));
  }
}

void Process::signal(int number) const {
  if (pid_ > 0 && !exit_.has_value()) ::kill(pid_, number);
}

ProcessExit Process::terminate(Duration grace) {
  signal(SIGTERM);
  if (grace > Duration::zero()) {
    if (const Result<ProcessExit> done = wait(grace); done.ok()) return *done;
  }
  signal(SIGKILL);
  const Result<ProcessExit> done = wait();
  return done.ok() ? *done : ProcessExit{137, SIGKILL};
}

namespace {

struct Pipe {
  UniqueFd read, write;
  static Result<Pipe> make() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

/// Reads once; false at the end of the stream.
Result<bool> drain(UniqueFd& fd, std::string& into) {
  char buffer[65536];
  const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
  if (n < 0) {
    if (errno == EINTR || errno == EAGAIN) return true;
    return errno_error(errno, "read from a process");
  }
  if (n == 0) {
    fd.reset();
    return false;
  }
  if (into.size() + static_cast<size_t>(n) > kOutputMax) {
    return Error(ErrorCode::exhausted, fmt::format("a process printed more than {} bytes", kOutputMax));
  }
  into.append(buffer, static_cast<size_t>(n));
  return true;
}

}  // namespace

Result<CommandOutput> run_command(const std::vector<std::string>& argv, std::string_view input, Duration limit,
                                  std::stop_token stop, std::optional<std::vector<std::string>> environment) {
  Pipe in = TRY(Pipe::make());
  Pipe out = TRY(Pipe::make());
  Pipe err = TRY(Pipe::make());
  Process process = TRY(Process::spawn({.argv = argv,
                                        .environment = std::move(environment),
                                        .in = in.read.get(),
                                        .out = out.write.get(),
                                        .err = err.write.get()}));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  if (input.empty()) in.write.reset();
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  CommandOutput result;
  const BootTime begin = system_clock().boottime();
  while (out.read.valid() || err.read.valid()) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped").in(argv.front());
    if (system_clock().boottime() - begin > limit) {
      return Error(ErrorCode::timeout, fmt::format("no end after {}", format_go_duration(limit))).in(argv.front());
    }
    pollfd waits[3] = {{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {in.write.get(), POLLOUT, 0}};
    if (::poll(waits, 3, 50) <= 0) continue;
    if (out.read.valid() && waits[0].revents != 0) TRY(drain(out.read, result.out));
    if (err.read.valid() && waits[1].revents != 0) TRY(drain(err.read, result.err));
    if (in.write.valid() && waits[2].revents != 0) {
      const ssize_t n = ::write(in.write.get(), input.data(), input.size());
      if (n > 0) input.remove_prefix(static_cast<size_t>(n));
      if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.write.reset();
    }
  }
  const Duration left = limit - (system_clock().boottime() - begin);
  result.code = TRY(process.wait(std::max(left, Duration(1)), stop).in(argv.front())).code;
  return result;
}

Status run_checked(const std::vector<std::string>& argv, Duration limit) {
  const CommandOutput output = TRY(run_command(argv, {}, limit));
  if (output.code == 0) return {};
  const std::vector<std::string> lines = split(trim(output.err), '\n');
  std::string line;
  for (const std::string& word : argv) line += (line.empty() ? "" : " ") + word;
  return Error(ErrorCode::unavailable, fmt::format("{}: exit code {}: {}", line, output.code, lines.back()));
}

}  // namespace holdfast
