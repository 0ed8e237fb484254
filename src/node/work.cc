#include "node/work.h"

#include <fmt/format.h>

#include <algorithm>

#include "velero/names.h"

namespace holdfast::node {

namespace {

constexpr Duration kStatusPause = std::chrono::seconds(1);

Result<WorkName> owned_by(std::string plural, const velero::ObjectMeta& metadata, const std::string& kind,
                          std::string owner_plural) {
  for (const velero::OwnerReference& owner : metadata.owner_references) {
    if (owner.kind == kind && owner.api_version.starts_with("velero.io/")) {
      return WorkName{std::move(plural), metadata.name, std::move(owner_plural), owner.name, owner.uid};
    }
  }
  return Error(ErrorCode::invalid, fmt::format("{}/{} has no {} as its owner", plural, metadata.name, kind));
}

bool has_ended(const std::string& phase) {
  return phase == velero::phase::kCompleted || phase == velero::phase::kFailed || phase == velero::phase::kCanceled;
}

void merge_into(json::object& target, const json::object& members) {
  for (const auto& member : members) target[member.key()] = member.value();
}

}  // namespace

Result<WorkName> name_work(const velero::PodVolumeBackup& backup) {
  return owned_by("podvolumebackups", backup.metadata, "Backup", "backups");
}

Result<WorkName> name_work(const velero::PodVolumeRestore& restore) {
  return owned_by("podvolumerestores", restore.metadata, "Restore", "restores");
}

Result<json::value> running_owner(const WorkContext& context, const WorkName& name, std::stop_token stop) {
  const std::string what = fmt::format("{}/{}", name.owner_plural, name.owner);
  Result<json::value> owner =
      context.api.get(kube::types::velero(name.owner_plural), context.options.ns, name.owner, std::move(stop));
  const bool gone =
      owner.is(ErrorCode::not_found) || (owner.ok() && json::string_at(*owner, {"metadata", "uid"}) != name.owner_uid);
  if (gone) return Error(ErrorCode::conflict, what + " was deleted");
  if (!owner) return std::move(owner).error().in(what);
  const std::string phase = json::string_at(*owner, {"status", "phase"}, "New");
  if (phase != velero::phase::kInProgress) {
    return Error(ErrorCode::conflict, fmt::format("{} is no longer InProgress but {}", what, phase));
  }
  return owner;
}

Status write_ending(const WorkContext& context, const WorkName& name, const Ending& ending, std::stop_token stop) {
  const BootTime deadline = context.clock.boottime() + context.options.status_limit;
  const std::string now = format_rfc3339(context.clock.now());
  while (true) {
    // The agent's own end must not keep this from being written: no stop token goes in.
    const Result<json::value> written =
        kube::update_with_retry(context.api, kube::types::velero(name.plural), context.options.ns, name.name,
                                [&](json::value& object) -> Status {
                                  if (!object.is_object() || has_ended(json::string_at(object, {"status", "phase"})))
                                    return {};
                                  json::object& status = json::make_object(object.as_object(), {"status"});
                                  merge_into(status, ending.status);
                                  status["phase"] = ending.phase;
                                  if (!ending.message.empty()) status["message"] = ending.message;
                                  if (!status.contains("startTimestamp")) status["startTimestamp"] = now;
                                  status["completionTimestamp"] = now;
                                  return {};
                                });
    if (written.ok() || written.is(ErrorCode::not_found)) return {};
    const bool again = written.error().retryable() || written.is(ErrorCode::conflict);
    if (!again || stop.stop_requested() || context.clock.boottime() >= deadline) {
      return written.error().in("write the end of " + name.text());
    }
    static_cast<void>(context.clock.sleep(stop, kStatusPause));
  }
}

Work::Work(const WorkContext& context, WorkName name, std::stop_token stop)
    : context_(context),
      name_(std::move(name)),
      agent_stop_(stop),
      agent_link_(std::move(stop), [this] { stop_.request_stop(); }) {}

Work::~Work() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Result<std::unique_ptr<Work>> Work::claim(const WorkContext& context, WorkName name,
                                          const std::vector<std::string>& from, std::stop_token stop) {
  const std::string now = format_rfc3339(context.clock.now());
  TRY(kube::update_with_retry(
      context.api, kube::types::velero(name.plural), context.options.ns, name.name,
      [&](json::value& object) -> Status {
        const std::string phase = json::string_at(object, {"status", "phase"});
        if (std::ranges::find(from, phase) == from.end()) {
          return Error(ErrorCode::conflict, fmt::format("{} is {} already", name.text(), phase));
        }
        json::object& status = json::make_object(object.as_object(), {"status"});
        status["phase"] = velero::phase::kInProgress;
        status["startTimestamp"] = now;
        if (name.plural == "podvolumerestores") status["node"] = context.options.node;
        return {};
      },
      {}, stop));
  std::unique_ptr<Work> work(new Work(context, std::move(name), std::move(stop)));
  work->thread_ = std::jthread([raw = work.get()](const std::stop_token& ended) { raw->watch(ended); });
  return work;
}

void Work::watch(const std::stop_token& stop) {
  BootTime wrote = context_.clock.boottime();
  while (context_.clock.sleep(stop, context_.options.look)) {
    if (const Status status = check(); !status && dropped()) return;
    if (context_.clock.boottime() - wrote < context_.options.progress) continue;
    // Lost progress is made up for by the next one; what matters is written at the end.
    if (write_progress(stop)) wrote = context_.clock.boottime();
  }
}

Status Work::check() {
  if (const std::optional<Error> reason = dropped()) return *reason;
  const Result<json::value> object =
      context_.api.get(kube::types::velero(name_.plural), context_.options.ns, name_.name, agent_stop_);
  if (object.is(ErrorCode::not_found)) {
    drop(Error(ErrorCode::conflict, name_.text() + " was deleted"));
  } else if (!object) {
    return object.error().in(name_.text());
  } else if (json::bool_at(*object, {"spec", "cancel"})) {
    drop(Error(ErrorCode::cancelled, "cancelled on request"));
  } else if (const Result<json::value> owner = running_owner(context_, name_, agent_stop_);
             owner.is(ErrorCode::conflict)) {
    drop(owner.error());
  } else if (!owner) {
    return owner.error();
  }
  if (const std::optional<Error> reason = dropped()) return *reason;
  return {};
}

void Work::drop(Error reason) {
  {
    std::lock_guard lock(mutex_);
    if (!dropped_) dropped_ = std::move(reason);
  }
  stop_.request_stop();
}

std::optional<Error> Work::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void Work::set_path(const std::string& path) {
  std::lock_guard lock(mutex_);
  path_ = path;
}

void Work::stage(std::string_view, uint64_t, uint64_t total_bytes) {
  bytes_done_ = 0;
  bytes_total_ = total_bytes;
}

void Work::done(uint64_t, uint64_t bytes) {
  bytes_done_ += bytes;
}

Status Work::write_progress(const std::stop_token& stop) {
  json::object status;
  const uint64_t done = bytes_done_;
  status["progress"] = json::object{{"bytesDone", done}, {"totalBytes", std::max<uint64_t>(bytes_total_, done)}};
  if (name_.plural == "podvolumebackups") {
    std::lock_guard lock(mutex_);
    if (!path_.empty()) status["path"] = path_;
  }
  if (status == written_) return {};
  TRY(context_.api.patch(kube::types::velero(name_.plural), context_.options.ns, name_.name, kube::PatchKind::merge,
                         json::object{{"status", status}}, {}, stop));
  written_ = std::move(status);
  return {};
}

Ending Work::ending(const Result<json::object>& result) {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  Ending out{std::string(velero::phase::kFailed)};
  {
    std::lock_guard lock(mutex_);
    if (name_.plural == "podvolumebackups" && !path_.empty()) out.status["path"] = path_;
  }
  if (result.ok()) {
    out.phase = velero::phase::kCompleted;
    merge_into(out.status, *result);
  } else if (const std::optional<Error> reason = dropped()) {
    if (reason->code() == ErrorCode::cancelled) out.phase = velero::phase::kCanceled;
    out.message = reason->to_string();
  } else if (agent_stop_.stop_requested()) {
    out.message = "the node agent was stopped";
  } else {
    out.message = result.error().to_string();
  }
  return out;
}

}  // namespace holdfast::node
