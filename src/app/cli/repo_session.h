// What every `holdfast repo` verb begins with: the repository's address, password, lock and index; and how it ends:
// restic's exit codes, messages on standard error, results on standard output. One thread, except the progress.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "config/command.h"
#include "repo/repository.h"

namespace holdfast::app {

/// restic's exit codes.
enum RepoExit : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitIncomplete = 3,  ///< backup or restore went through, but some entries could not be read or written
  kExitNoRepository = 10,
  kExitLocked = 11,
  kExitWrongPassword = 12,
  kExitInterrupted = 130,
};

/// SIGINT and SIGTERM as a stop token, while it lives. Make it before any thread is started.
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  [[nodiscard]] std::stop_token token() const { return asked_.get_token(); }

 private:
  std::stop_source asked_;
  std::jthread waiter_;
};

/// Progress for people (one line of a terminal, rewritten) or programs (--json: status objects on standard output).
class ProgressLine final : public repo::Progress {
 public:
  enum class Form { none, terminal, json };
  ProgressLine(Form form, Clock& clock);
  ~ProgressLine() override;
  void stage(std::string_view name, uint64_t total_items, uint64_t total_bytes) override;
  void done(uint64_t items, uint64_t bytes) override;
  /// Removes the line, so that what follows begins on a clean one.
  void clear();

 private:
  void show(BootTime now);
  const Form form_;
  Clock& clock_;
  std::atomic<uint64_t> items_{0}, bytes_{0};
  std::mutex mutex_;
  std::string stage_;
  uint64_t total_items_ = 0, total_bytes_ = 0;
  BootTime started_, shown_;
  bool visible_ = false;
};

class RepoSession {
 public:
  explicit RepoSession(const config::Arguments& arguments);

  /// Opens the repository. The exit code for a failure is remembered.
  [[nodiscard]] Status open();
  /// Makes a new one.
  [[nodiscard]] Status init(repo::InitOptions options);
  /// Takes a lock unless --no-lock says so (which only reading verbs allow).
  enum class MayGoWithout { yes, no };
  [[nodiscard]] Status lock(repo::LockMode mode, MayGoWithout without);
  [[nodiscard]] Status load_index();

  [[nodiscard]] repo::Repository& repository() { return *repository_; }
  [[nodiscard]] const repo::Lock* held_lock() const { return lock_.get(); }
  /// Asked by signals, and by the loss of the lock.
  [[nodiscard]] std::stop_token stop() const { return ended_.get_token(); }
  [[nodiscard]] ProgressLine& progress() { return progress_; }
  [[nodiscard]] const config::Arguments& arguments() const { return arguments_; }
  [[nodiscard]] bool json() const { return arguments_.boolean("json"); }
  [[nodiscard]] bool quiet() const { return arguments_.boolean("quiet"); }
  /// --host, --tag and --path of a verb that chooses snapshots.
  [[nodiscard]] repo::SnapshotFilter filter() const;

  /// Runs the verb and ends it: the error's message where it failed, the lock released, the exit code.
  [[nodiscard]] int run(const std::function<Result<int>()>& verb);

 private:
  [[nodiscard]] Result<std::shared_ptr<objstore::Store>> open_store(bool create) const;
  [[nodiscard]] Result<crypto::Secret> password() const;
  [[nodiscard]] Result<repo::RepositoryOptions> repository_options() const;

  const config::Arguments& arguments_;
  StopOnSignal signals_;
  std::stop_source ended_;
  std::optional<std::stop_callback<std::function<void()>>> on_signal_, on_loss_;
  ProgressLine progress_;
  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<repo::Lock> lock_;
  int failure_code_ = kExitFailed;
};

/// The options of all verbs, and those of verbs that choose snapshots.
[[nodiscard]] std::vector<config::Option> repo_options();
[[nodiscard]] std::vector<config::Option> snapshot_filter_options();

/// A snapshot's JSON with "id" and "short_id", as restic shows it.
[[nodiscard]] json::object shown_snapshot(const repo::Snapshot& snapshot);

[[nodiscard]] config::Command repo_backup_command();
[[nodiscard]] config::Command repo_restore_command();
[[nodiscard]] std::vector<config::Command> repo_view_commands();      ///< snapshots, ls, cat, list, stats
[[nodiscard]] std::vector<config::Command> repo_maintain_commands();  ///< init, check, forget, unlock

}  // namespace holdfast::app
