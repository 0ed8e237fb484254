// What is in a lock file, and what a lock that was found means.
#include <fmt/format.h>

#include <limits>

#include "repo/lock.h"

namespace holdfast::repo {

namespace {

// restic's locks die of old age by the wall clock; clocks of two machines may differ by the slack (safety.md 11).
constexpr Duration kResticLifetime = std::chrono::minutes(30);
constexpr Duration kSlack = std::chrono::minutes(5);

}  // namespace

std::string LockRecord::text() const {
  return fmt::format("{} lock {} of {}@{} (PID {}{}{}) taken {}", mode == LockMode::exclusive ? "exclusive" : "shared",
                     id.short_hex(), username, hostname, pid, site.empty() ? "" : ", site ", site, time.text);
}

std::string encode_lock(const LockRecord& record) {
  json::object out;
  out["time"] = record.time.text;
  out["exclusive"] = record.mode == LockMode::exclusive;
  out["hostname"] = record.hostname;
  out["username"] = record.username;
  out["pid"] = record.pid;
  if (record.uid != 0) out["uid"] = record.uid;
  if (record.gid != 0) out["gid"] = record.gid;
  if (!record.owner.empty()) {
    out["owner"] = record.owner;
    out["site"] = record.site;
    out["epoch"] = record.epoch;
  }
  if (record.expires) out["expires"] = record.expires->text;
  for (const auto& [name, value] : record.unknown) out[name] = value;
  return json::compact(out);
}

Result<LockRecord> decode_lock(std::string_view text) {
  json::object in = TRY(json::parse_object(text));
  LockRecord record;
  record.time = TRY(RecordTime::parse(json::string_at(in, {"time"})).in("time"));
  record.mode = json::bool_at(in, {"exclusive"}) ? LockMode::exclusive : LockMode::shared;
  record.hostname = json::string_at(in, {"hostname"});
  record.username = json::string_at(in, {"username"});
  record.pid = json::int_at(in, {"pid"});
  const auto small = [&](std::string_view name) {
    const int64_t number = json::int_at(in, {name});
    return number >= 0 && number <= std::numeric_limits<uint32_t>::max() ? static_cast<uint32_t>(number) : 0u;
  };
  record.uid = small("uid");
  record.gid = small("gid");
  record.owner = json::string_at(in, {"owner"});
  record.site = json::string_at(in, {"site"});
  record.epoch = static_cast<uint64_t>(std::max<int64_t>(0, json::int_at(in, {"epoch"})));
  if (const std::string expires = json::string_at(in, {"expires"}); !expires.empty()) {
    record.expires = TRY(RecordTime::parse(expires).in("expires"));
  }
  for (const std::string_view name :
       {"time", "exclusive", "hostname", "username", "pid", "uid", "gid", "owner", "site", "epoch", "expires"}) {
    in.stable_erase(name);
  }
  record.unknown = std::move(in);
  return record;
}

LockState state_of(const LockRecord& record, const LockFacts& facts) {
  // Ours are judged by what we saw alone: clocks of two machines are not compared, and two pods of one node share its
  // name, but not their process numbers. Both times in the record are of the writer's clock.
  if (!record.owner.empty()) {
    const Duration lifetime = record.expires ? record.expires->instant - record.time.instant : Duration::zero();
    const Duration waited = lifetime > Duration::zero() ? lifetime : kResticLifetime;
    return facts.unchanged_for >= waited ? LockState::expired : LockState::alive;
  }
  if (facts.now > record.time.instant + kResticLifetime + kSlack) return LockState::stale;
  if (record.hostname == facts.here && record.pid > 0 && !facts.process_alive(record.pid)) return LockState::stale;
  return LockState::alive;
}

}  // namespace holdfast::repo
