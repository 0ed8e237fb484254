#include "repo/lock.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "base/random.h"
#include "repo/local_identity.h"
#include "repo/unpacked.h"

namespace holdfast::repo {

namespace {

constexpr int kReadAttempts = 4;
constexpr Duration kReadPause = std::chrono::seconds(5);
constexpr Duration kFirstWait = std::chrono::seconds(5);
constexpr Duration kLongestWait = std::chrono::seconds(60);

bool process_alive(int64_t pid) {
  return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
}

LockState judge(const LockRecord& record, const RepositoryFiles& files, Clock& clock) {
  static const std::string kHere = local_identity().hostname;
  const Duration unchanged = files.lock_sightings().unchanged_for(files.config().id, record.id);
  return state_of(record, {unchanged, clock.now(), kHere, process_alive});
}

/// The names of all locks; that they were seen is remembered.
Result<std::vector<Id>> list_locks(RepositoryFiles& files, Clock& clock, std::stop_token stop) {
  const BootTime asked = clock.boottime();
  std::vector<Id> ids;
  for (const ListedFile& file : TRY(files.list(FileKind::lock, std::move(stop)))) ids.push_back(file.id);
  files.lock_sightings().listed(files.config().id, ids, asked, clock.boottime());
  return ids;
}

// Empty where the lock went while we looked.
Result<std::optional<LockRecord>> load_lock(RepositoryFiles& files, const Id& id, Clock& clock, std::stop_token stop) {
  Duration pause = kReadPause;
  for (int attempt = 1;; ++attempt) {
    Result<std::string> text = files.load(FileKind::lock, id, stop);
    if (text.is(ErrorCode::not_found)) return std::optional<LockRecord>();
    if (text) {
      LockRecord record = TRY(decode_lock(*text).in(files.label(FileKind::lock, id)));
      record.id = id;
      return std::optional<LockRecord>(std::move(record));
    }
    if (attempt == kReadAttempts || !text.is(ErrorCode::corrupt)) {
      return std::move(text).error().hinted("a lock that cannot be read may be anybody's; unlock removes it");
    }
    TRY(clock.sleep(stop, pause));
    pause *= 2;
  }
}

}  // namespace

Result<std::vector<LockRecord>> load_locks(RepositoryFiles& files, Clock& clock, std::stop_token stop) {
  std::vector<LockRecord> locks;
  for (const Id& id : TRY(list_locks(files, clock, stop))) {
    std::optional<LockRecord> record = TRY(load_lock(files, id, clock, stop));
    if (record) locks.push_back(*std::move(record));
  }
  return locks;
}

Result<size_t> unlock(RepositoryFiles& files, Unlock which, Clock& clock, std::stop_token stop, Duration watch) {
  const BootTime deadline = clock.boottime() + watch;
  size_t removed = 0;
  while (true) {
    bool left = false;
    for (const Id& id : TRY(list_locks(files, clock, stop))) {
      if (which == Unlock::stale) {
        const std::optional<LockRecord> record = TRY(load_lock(files, id, clock, stop));
        if (!record) continue;
        if (judge(*record, files, clock) == LockState::alive) {
          left = true;
          continue;
        }
      }
      TRY(files.remove(FileKind::lock, id, stop));
      ++removed;
    }
    const Duration rest = deadline - clock.boottime();
    if (!left || rest <= Duration::zero()) return removed;
    TRY(clock.sleep(stop, std::min(rest, kLongestWait)));
  }
}

Lock::Lock(RepositoryFiles& files, LockOptions options, Clock& clock)
    : files_(files), options_(std::move(options)), clock_(clock) {
  const LocalIdentity here = local_identity();
  record_.mode = options_.mode;
  record_.hostname = options_.hostname.empty() ? here.hostname : options_.hostname;
  record_.username = options_.username.empty() ? here.username : options_.username;
  record_.pid = here.pid;
  record_.uid = here.uid;
  record_.gid = here.gid;
  record_.owner = random_hex(16);
  record_.site = options_.site;
  record_.epoch = options_.epoch;
}

Lock::~Lock() {
  refresher_.request_stop();
  if (refresher_.joinable()) refresher_.join();
  // Best effort: a lock that stays behind expires.
  [[maybe_unused]] const Status removed = remove_own({});
}

Result<std::unique_ptr<Lock>> Lock::acquire(RepositoryFiles& files, LockOptions options, Clock& clock,
                                            std::stop_token stop) {
  const BootTime deadline = clock.boottime() + options.wait;
  std::unique_ptr<Lock> lock(new Lock(files, std::move(options), clock));
  for (Duration pause = kFirstWait;; pause = std::min(pause * 2, kLongestWait)) {
    Status taken = lock->take(stop);
    if (taken) break;
    const bool again = taken.is(ErrorCode::conflict) && clock.boottime() + pause <= deadline;
    if (!again) return std::move(taken).error();
    TRY(clock.sleep(stop, pause));
  }
  lock->refresher_ = std::jthread([raw = lock.get()](std::stop_token own) { raw->keep_fresh(std::move(own)); });
  return lock;
}

Status Lock::take(std::stop_token stop) {
  TRY(check_others(stop));
  Status taken = write_new(stop);
  if (taken) taken = clock_.sleep(stop, options_.settle);
  if (taken) taken = check_others(stop);
  if (taken) return {};
  // Without our stop token: it may be why we give way. What cannot be removed now the destructor tries again.
  [[maybe_unused]] const Status removed = remove_own({});
  return taken;
}

Status Lock::check_others(std::stop_token stop) {
  const Id own = record().id;
  for (const LockRecord& other : TRY(load_locks(files_, clock_, stop))) {
    if (other.id == own || other.owner == record_.owner) continue;
    const LockState state = judge(other, files_, clock_);
    if (state == LockState::expired) TRY(files_.remove(FileKind::lock, other.id, stop));
    if (state != LockState::alive) continue;
    if (options_.mode == LockMode::exclusive || other.mode == LockMode::exclusive) {
      return Error(ErrorCode::conflict, fmt::format("{}: there is an {}", files_.name(), other.text()),
                   "wait until it is gone; if its owner is dead, looking for half an hour (--retry-lock 35m) shows it, "
                   "and unlock --remove-all goes without looking");
    }
  }
  return {};
}

Status Lock::write_new(std::stop_token stop) {
  LockRecord next = record();
  const Time now = clock_.now();
  const BootTime boot = clock_.boottime();
  next.time = RecordTime::at(now);
  next.expires = RecordTime::at(now + options_.lifetime);
  const SealedFile file = TRY(files_.seal(encode_lock(next)));
  next.id = file.id;
  {
    // Before the put: whatever becomes of its answer, the file is ours to remove.
    std::lock_guard guard(mutex_);
    written_.push_back(file.id);
  }
  TRY(files_.put_raw(FileKind::lock, file.id, file.bytes, std::move(stop)));
  std::lock_guard guard(mutex_);
  record_ = std::move(next);
  refreshed_ = now;
  refreshed_boot_ = boot;
  held_ = true;
  return {};
}

Status Lock::remove_own(std::stop_token stop) {
  std::lock_guard one_at_a_time(refresh_mutex_);
  {
    std::lock_guard guard(mutex_);
    held_ = false;
  }
  return remove_written({}, std::move(stop));
}

Status Lock::remove_written(const std::optional<Id>& except, std::stop_token stop) {
  std::vector<Id> ids;
  {
    std::lock_guard guard(mutex_);
    ids = written_;
  }
  Status first;
  for (const Id& id : ids) {
    if (id == except) continue;
    Status removed = files_.remove(FileKind::lock, id, stop);
    if (!removed) {
      if (first) first = std::move(removed);
      continue;
    }
    std::lock_guard guard(mutex_);
    std::erase(written_, id);
  }
  return first;
}

Status Lock::release(std::stop_token stop) {
  refresher_.request_stop();
  if (refresher_.joinable()) refresher_.join();
  return remove_own(std::move(stop));
}

LockRecord Lock::record() const {
  std::lock_guard guard(mutex_);
  return record_;
}

Status Lock::check_fresh() const {
  std::lock_guard guard(mutex_);
  const Error lost(ErrorCode::conflict, fmt::format("{}: our {} is lost", files_.name(), record_.text()),
                   "somebody removed it, or the store could not be reached for too long; run the command again");
  if (!held_ || lost_.stop_requested()) return lost;
  if (clock_.now() - refreshed_ >= options_.give_up) return lost;
  if (clock_.boottime() - refreshed_boot_ >= options_.give_up) return lost;
  return {};
}

Status Lock::verify(std::stop_token stop) const {
  std::lock_guard one_at_a_time(refresh_mutex_);
  TRY(check_fresh());
  const Id id = record().id;
  const Result<std::string> text = files_.load(FileKind::lock, id, std::move(stop));
  if (text.is(ErrorCode::not_found)) {
    return Error(ErrorCode::conflict, fmt::format("{}: our lock {} has been removed", files_.name(), id.short_hex()),
                 "somebody unlocked the repository meanwhile; run the command again");
  }
  if (!text) return text.error();
  return check_fresh();
}

Status Lock::refresh(std::stop_token stop) {
  std::lock_guard one_at_a_time(refresh_mutex_);
  Id old;
  {
    std::lock_guard guard(mutex_);
    if (!held_) return Error(ErrorCode::conflict, "the lock is not held");
    old = record_.id;
  }
  const auto there = files_.store().head(key_of(FileKind::lock, old), stop);
  if (there.is(ErrorCode::not_found)) {
    return Error(ErrorCode::conflict, fmt::format("{}: our lock {} has been removed", files_.name(), old.short_hex()));
  }
  if (!there) return there.error();
  TRY(write_new(stop));
  // The lock is fresh by now; an older file that cannot be removed is no reason to say otherwise.
  [[maybe_unused]] const Status removed = remove_written(record().id, std::move(stop));
  return {};
}

void Lock::keep_fresh(std::stop_token stop) {
  Duration pause = options_.refresh;
  while (clock_.sleep(stop, pause)) {
    const Status refreshed = refresh(stop);
    if (stop.stop_requested()) return;
    // A refresh that fails is tried again soon; what counts is when the last one worked.
    pause = refreshed ? options_.refresh : options_.refresh / 10;
    if (refreshed.is(ErrorCode::conflict) || !check_fresh()) {
      lost_.request_stop();
      return;
    }
  }
}

}  // namespace holdfast::repo
