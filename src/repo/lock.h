// Locks of a repository: restic's protocol, and what it lacks for clusters (safety.md 9).
//
// Taking a lock: look for conflicting locks, write ours, wait a moment, look again; give way where another appeared. A
// thread refreshes it every few minutes (a new file, then the old one goes). A lock whose refresh failed for too long
// is lost: its stop token fires, and everything that relies on it must end. Ours carry owner, site, epoch and expiry,
// so that nobody has to unlock by hand what a dead pod left: one that stayed as it is for its whole lifetime, counted
// on the clock of the machine that looks, is removed by whoever looked so long. No two machines' clocks are compared.
// Stale locks of restic (30 minutes, or a dead process of this host) do not conflict and stay until `unlock`.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "repo/snapshot.h"

namespace holdfast::repo {

class RepositoryFiles;

enum class LockMode { shared, exclusive };

/// A lock file's content, field for field as restic writes it; the last four are ours.
struct LockRecord {
  RecordTime time;
  LockMode mode = LockMode::shared;
  std::string hostname, username;
  int64_t pid = 0;
  uint32_t uid = 0, gid = 0;
  std::string owner;  ///< random, one per lock taken; empty: written by restic
  std::string site;
  uint64_t epoch = 0;
  std::optional<RecordTime> expires;
  json::object unknown;

  Id id;  ///< of the stored file; not part of the JSON
  /// "exclusive lock 1a2b3c4d of root@host (PID 5) taken 2026-11-21T06:18:56Z": for messages.
  [[nodiscard]] std::string text() const;
};
[[nodiscard]] std::string encode_lock(const LockRecord& record);
[[nodiscard]] Result<LockRecord> decode_lock(std::string_view text);

/// What a lock found in the repository means for us.
enum class LockState {
  alive,    ///< honoured
  expired,  ///< ours, and not refreshed for its lifetime while we looked: removed by whoever finds that
  stale,    ///< restic's, and dead by restic's rules: ignored, removed by `unlock`
};
/// What is known here of a lock that was found.
struct LockFacts {
  Duration unchanged_for = Duration::zero();   ///< on our CLOCK_BOOTTIME (LockSightings): judges ours
  Time now;                                    ///< judges restic's, whose locks say nothing else
  std::string_view here;                       ///< this machine's hostname
  std::function<bool(int64_t)> process_alive;  ///< whether a PID of this host lives
};
[[nodiscard]] LockState state_of(const LockRecord& record, const LockFacts& facts);

struct LockOptions {
  LockMode mode = LockMode::shared;
  std::string hostname, username;  ///< empty: this machine's
  std::string site;
  uint64_t epoch = 0;
  Duration refresh = std::chrono::minutes(5);
  Duration lifetime = std::chrono::minutes(30);      ///< expiry after the last refresh
  Duration give_up = std::chrono::seconds(1350);     ///< without a refresh for that long the lock is lost
  Duration settle = std::chrono::milliseconds(200);  ///< between writing ours and looking again
  Duration wait = Duration::zero();                  ///< how long to wait for others to go (5 s, doubling to 60 s)
};

class Lock {
 public:
  /// conflict names the lock in the way and how to go on. `files` and `clock` outlive the Lock.
  [[nodiscard]] static Result<std::unique_ptr<Lock>> acquire(RepositoryFiles& files, LockOptions options, Clock& clock,
                                                             std::stop_token stop = {});
  /// Stops refreshing and removes every file it wrote (best effort; they expire otherwise).
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Requested once the lock is lost.
  [[nodiscard]] std::stop_token lost() const { return lost_.get_token(); }
  /// Reads our lock file back: success only where it is there, ours and refreshed within `give_up`. conflict otherwise.
  [[nodiscard]] Status verify(std::stop_token stop = {}) const;
  /// Writes a new lock file now and removes the older ones; those that stay are removed with the next one or by
  /// release. conflict where the old one has vanished.
  [[nodiscard]] Status refresh(std::stop_token stop = {});
  /// Removes every file this lock wrote, also where the put was not answered, and tells whether that worked. The Lock
  /// is over; may be called again where it failed.
  [[nodiscard]] Status release(std::stop_token stop = {});
  [[nodiscard]] LockRecord record() const;

 private:
  Lock(RepositoryFiles& files, LockOptions options, Clock& clock);
  Status take(std::stop_token stop);
  Status write_new(std::stop_token stop);
  Status check_others(std::stop_token stop);
  Status check_fresh() const;
  Status remove_own(std::stop_token stop);
  Status remove_written(const std::optional<Id>& except, std::stop_token stop);
  void keep_fresh(std::stop_token stop);

  RepositoryFiles& files_;
  const LockOptions options_;
  Clock& clock_;
  mutable std::mutex mutex_;          ///< record_, refreshed_, refreshed_boot_, held_, written_
  mutable std::mutex refresh_mutex_;  ///< one refresh at a time, and none while the file is read back
  LockRecord record_;
  Time refreshed_;  ///< both clocks: whichever says that a refresh is overdue is believed
  BootTime refreshed_boot_;
  bool held_ = false;
  std::vector<Id> written_;  ///< every file of ours that may be there: put, or tried to be put
  std::stop_source lost_;
  std::jthread refresher_;
};

/// All locks; one that cannot be read fails the call after retries, as it may be anybody's.
[[nodiscard]] Result<std::vector<LockRecord>> load_locks(RepositoryFiles& files, Clock& clock,
                                                         std::stop_token stop = {});
enum class Unlock { stale, all };
/// Removes stale and expired locks, or all of them; says how many. As long as others are left it looks again until
/// `watch` is over: locks of ours show by that whether their owners live.
[[nodiscard]] Result<size_t> unlock(RepositoryFiles& files, Unlock which, Clock& clock, std::stop_token stop = {},
                                    Duration watch = Duration::zero());

}  // namespace holdfast::repo
