// Child processes of this program: started without a shell, waited for with a deadline, never left behind.
//
// posix_spawn does the work, so this is safe in a program with many threads. Arguments are visible to everybody on the
// machine: secrets go through stdin, files or the environment.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"

namespace holdfast {

struct ProcessOptions {
  std::vector<std::string> argv;                             ///< argv[0] is looked up in PATH where it has no '/'
  std::optional<std::vector<std::string>> environment = {};  ///< "K=V"; missing: ours
  int in = -1, out = -1, err = -1;  ///< descriptors for 0, 1, 2; -1: /dev/null in, ours out and err
  bool own_group = true;            ///< a terminal's Ctrl-C then reaches us alone
};

struct ProcessExit {
  int code = 0;    ///< exit code; 128 + signal where a signal ended it, as a shell says
  int signal = 0;  ///< 0: it ended by itself
};

/// A running child. Destroying it kills it (SIGKILL) and waits.
class Process {
 public:
  /// not_found or denied where the program cannot be started.
  [[nodiscard]] static Result<Process> spawn(const ProcessOptions& options);
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)), exit_(other.exit_) {}
  Process& operator=(Process&& other) noexcept;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Gives the child up: whoever calls reaps it.
  [[nodiscard]] pid_t release() { return std::exchange(pid_, -1); }
  /// The exit, once it has ended; does not block.
  [[nodiscard]] std::optional<ProcessExit> poll();
  /// Waits for the end; timeout or cancelled otherwise, and it runs on. A limit of zero waits for ever.
  [[nodiscard]] Result<ProcessExit> wait(Duration limit = Duration::zero(), std::stop_token stop = {});
  void signal(int number) const;
  /// SIGTERM, then SIGKILL once the grace is over.
  ProcessExit terminate(Duration grace);

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<ProcessExit> exit_;
};

struct CommandOutput {
  int code = 0;
  std::string out, err;  ///< at most 16 MiB each; more ends the child and is `exhausted`
};

/// Runs a command to its end with `input` on stdin and collects what it prints. A non-zero code is a success of this
/// call.
[[nodiscard]] Result<CommandOutput> run_command(const std::vector<std::string>& argv, std::string_view input = {},
                                                Duration limit = std::chrono::seconds(60), std::stop_token stop = {},
                                                std::optional<std::vector<std::string>> environment = {});
/// The same, where anything but exit code 0 is an Error that holds the last line of stderr.
[[nodiscard]] Status run_checked(const std::vector<std::string>& argv, Duration limit = std::chrono::seconds(60));

}  // namespace holdfast
