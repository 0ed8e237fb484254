#include "kube/lease.h"

#include <fmt/format.h>

#include <thread>

#include "base/random.h"

namespace holdfast::kube {

namespace {

/// metav1.MicroTime wants exactly six digits.
std::string micro_time(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time - seconds).count();
  std::string text = format_rfc3339(seconds);
  text.pop_back();
  return fmt::format("{}.{:06}Z", text, micros);
}

int64_t whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

}  // namespace

LeaderElection::LeaderElection(Api& api, LeaseOptions options) : api_(api), options_(std::move(options)) {
  CHECK(!options_.identity.empty());
  CHECK(options_.renew_deadline < options_.lease_duration);
  CHECK(options_.retry_period < options_.renew_deadline);
}

std::string LeaderElection::holder() const {
  std::lock_guard lock(mutex_);
  return holder_;
}

void LeaderElection::observe(const json::value& lease) {
  const std::string version = json::string_at(lease, {"metadata", "resourceVersion"});
  std::lock_guard lock(mutex_);
  holder_ = json::string_at(lease, {"spec", "holderIdentity"});
  if (version == seen_version_) return;
  seen_version_ = version;
  seen_at_ = options_.clock->boottime();
}

Result<bool> LeaderElection::take(json::value lease, BootTime sent, const std::stop_token& stop) {
  json::object& object = lease.as_object();
  const std::string now = micro_time(options_.clock->now());
  if (json::string_at(object, {"spec", "holderIdentity"}) != options_.identity) {
    const bool first = json::find(object, {"metadata", "resourceVersion"}) == nullptr;
    json::set(object, {"spec", "leaseTransitions"},
              json::int_at(object, {"spec", "leaseTransitions"}) + (first ? 0 : 1));
    json::set(object, {"spec", "acquireTime"}, now);
  }
  json::set(object, {"spec", "holderIdentity"}, options_.identity);
  json::set(object, {"spec", "leaseDurationSeconds"}, whole_seconds(options_.lease_duration));
  json::set(object, {"spec", "renewTime"}, now);
  const bool create = json::find(object, {"metadata", "resourceVersion"}) == nullptr;
  Result<json::value> written = create ? api_.create(types::leases(), options_.ns, lease, {}, stop)
                                       : api_.update(types::leases(), options_.ns, lease, {}, stop);
  if (written.is(ErrorCode::conflict) || written.is(ErrorCode::exists)) return false;
  const json::value held = TRY(std::move(written));
  observe(held);
  std::lock_guard lock(mutex_);
  renewed_ = sent;
  return true;
}

Result<bool> LeaderElection::try_once(const std::stop_token& stop) {
  const BootTime sent = options_.clock->boottime();
  Result<json::value> present = api_.get(types::leases(), options_.ns, options_.name, stop);
  if (present.is(ErrorCode::not_found)) {
    json::object fresh;
    json::set(fresh, {"metadata", "name"}, options_.name);
    json::set(fresh, {"metadata", "namespace"}, options_.ns);
    return take(std::move(fresh), sent, stop);
  }
  const json::value lease = TRY(std::move(present));
  observe(lease);
  const std::string holder = json::string_at(lease, {"spec", "holderIdentity"});
  const Duration term = std::chrono::seconds(
      json::int_at(lease, {"spec", "leaseDurationSeconds"}, whole_seconds(options_.lease_duration)));
  const bool free = holder.empty() || holder == options_.identity || options_.clock->boottime() - seen_at_ > term;
  if (!free) return false;
  return take(lease, sent, stop);
}

Status LeaderElection::acquire(const std::stop_token& stop) {
  for (;;) {
    const Result<bool> won = try_once(stop);
    if (won.ok() && *won) return {};
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped while waiting for the lease");
    if (!won.ok()) {
      options_.log.warning("the lease cannot be had", {{"lease", options_.name}, {"error", won.error()}});
    }
    TRY(options_.clock->sleep(stop, options_.retry_period));
  }
}

Status LeaderElection::keep(std::stop_source& leading) {
  const std::stop_token stop = leading.get_token();
  while (options_.clock->sleep(stop, options_.retry_period)) {
    const Result<bool> renewed = try_once(stop);
    if (stop.stop_requested()) break;
    if (!renewed.ok()) {
      options_.log.warning("the lease could not be renewed", {{"lease", options_.name}, {"error", renewed.error()}});
    } else if (!*renewed && holder() != options_.identity) {
      std::lock_guard lock(mutex_);
      lost_ = true;
      leading.request_stop();
    }
  }
  std::lock_guard lock(mutex_);
  if (lost_) return Error(ErrorCode::conflict, fmt::format("the lease {} was lost", options_.name));
  return {};
}

// A thread of its own, because a renewal may hang for longer than the deadline.
void LeaderElection::watch_deadline(std::stop_source& leading, const std::stop_token& over) {
  for (;;) {
    Duration left{};
    {
      std::lock_guard lock(mutex_);
      left = renewed_ + options_.renew_deadline - options_.clock->boottime();
      if (left <= Duration::zero()) lost_ = true;
    }
    if (left <= Duration::zero()) {
      leading.request_stop();
      return;
    }
    if (!options_.clock->sleep(over, left)) return;
  }
}

void LeaderElection::release() {
  const Result<json::value> freed =
      update_with_retry(api_, types::leases(), options_.ns, options_.name, [&](json::value& lease) -> Status {
        if (json::string_at(lease, {"spec", "holderIdentity"}) != options_.identity) return {};
        json::set(lease.as_object(), {"spec", "holderIdentity"}, "");
        json::set(lease.as_object(), {"spec", "leaseDurationSeconds"}, 1);
        json::set(lease.as_object(), {"spec", "renewTime"}, micro_time(options_.clock->now()));
        return {};
      });
  if (!freed.ok()) {
    options_.log.warning("the lease runs out by itself", {{"lease", options_.name}, {"error", freed.error()}});
  } else {
    observe(*freed);
  }
}

Status LeaderElection::run(std::stop_token stop, const std::function<Status(std::stop_token leading)>& lead) {
  TRY(acquire(stop));
  options_.log.info("leading", {{"lease", options_.name}, {"identity", options_.identity}});
  {
    std::lock_guard lock(mutex_);
    lost_ = false;
  }
  std::stop_source leading;
  const std::stop_callback link(stop, [&] { leading.request_stop(); });
  Status result;
  Status kept;
  {
    std::jthread deadline([&](const std::stop_token& over) { watch_deadline(leading, over); });
    std::jthread work([&] {
      result = lead(leading.get_token());
      leading.request_stop();
    });
    kept = keep(leading);
    work.join();
  }
  if (!kept) return kept;
  release();
  return result;
}

std::string unique_identity(const std::string& host) {
  return host + "_" + random_uuid();
}

}  // namespace holdfast::kube
