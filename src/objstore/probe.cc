// A store can pass one race by luck when it looks first and writes then, so that several are run; and one that ignores
// the condition passes none, because a put behind a finished one must be refused too.
#include "objstore/probe.h"

#include <fmt/format.h>

#include <barrier>
#include <optional>
#include <thread>

#include "base/random.h"

namespace holdfast::objstore {

namespace {

constexpr int kRounds = 5;
constexpr Duration kLeftoverAge = std::chrono::hours(1);

/// Removes a key when it goes, whatever happened.
class Cleaned {
 public:
  Cleaned(Store& store, std::string key) : store_(store), key_(std::move(key)) {}
  ~Cleaned() { (void)store_.remove(key_); }
  Cleaned(const Cleaned&) = delete;
  Cleaned& operator=(const Cleaned&) = delete;

 private:
  Store& store_;
  const std::string key_;
};

struct Race {
  Status first;
  Status second;
};

Race race(Store& store, const std::string& key, const std::string& one, const std::string& two,
          const std::stop_token& stop) {
  Race result;
  std::barrier start(2);
  {
    const std::jthread rival([&] {
      start.arrive_and_wait();
      result.second = store.put_if_absent(key, two, stop);
    });
    start.arrive_and_wait();
    result.first = store.put_if_absent(key, one, stop);
  }
  return result;
}

/// Why the store fails the proof; empty where it passed this round.
Result<std::string> judge(Store& store, const std::string& key, const Race& outcome, const std::string& one,
                          const std::string& two, const std::stop_token& stop) {
  for (const Status* status : {&outcome.first, &outcome.second}) {
    if (status->is(ErrorCode::unsupported)) return "the store refuses conditional puts: " + status->error().message();
    if (!status->ok() && !status->is(ErrorCode::exists)) return status->error();
  }
  if (outcome.first.ok() && outcome.second.ok()) {
    return std::string("the store ignores the condition: two racing puts of one key both succeeded");
  }
  if (!outcome.first.ok() && !outcome.second.ok()) {
    return std::string("the store refused both of two racing puts of a fresh key");
  }
  const std::string& winner = outcome.first.ok() ? one : two;
  if (TRY(store.get(key, {}, stop)) != winner) {
    return std::string("after two racing puts the store holds what the loser wrote");
  }
  const Status late = store.put_if_absent(key, "late", stop);
  if (late.ok()) return std::string("the store ignores the condition: a put over an object succeeded");
  if (!late.is(ErrorCode::exists)) return late.error();
  return std::string();
}

Status remove_leftovers(Store& store, Clock& clock, const std::stop_token& stop) {
  for (const ObjectMeta& meta : TRY(list_all(store, std::string(kProbePrefix), stop))) {
    if (clock.now() - meta.modified > kLeftoverAge) TRY(store.remove(meta.key, stop));
  }
  return {};
}

Result<std::string> disprove(Store& store, const std::stop_token& stop) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = std::string(kProbePrefix) + random_hex(16);
    const std::string one = random_hex(16);
    const std::string two = random_hex(16);
    const Cleaned cleaned(store, key);
    const Race outcome = race(store, key, one, two, stop);
    std::string reason = TRY(judge(store, key, outcome, one, two, stop));
    if (!reason.empty()) return reason;
  }
  return std::string();
}

}  // namespace

Result<ProbeReport> probe(Store& store, Clock& clock, std::stop_token stop) {
  ProbeReport report{.capabilities = store.capabilities()};
  if (!store.can(Capability::conditional_put)) {
    report.without_conditional_put = "the store does not offer conditional puts";
    return report;
  }
  report.without_conditional_put = TRY(disprove(store, stop).in("probe " + store.name()));
  if (!report.without_conditional_put.empty()) report.capabilities.erase(Capability::conditional_put);
  TRY(remove_leftovers(store, clock, stop).in("probe " + store.name()));
  return report;
}

}  // namespace holdfast::objstore
