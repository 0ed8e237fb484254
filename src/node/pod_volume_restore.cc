#include "node/pod_volume_restore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "location/backup_repository.h"
#include "location/volume_repository.h"
#include "node/host_volumes.h"
#include "node/restore_marks.h"
#include "repo/restore.h"
#include "velero/mover_names.h"
#include "velero/names.h"

namespace holdfast::node {

namespace {

constexpr size_t kNamedErrors = 3;
/// On the PodVolumeRestore, before the pod is told: from here on its program may run, and its files are not ours to
/// write any more, whatever becomes of this agent.
constexpr std::string_view kDataComplete = "holdfast.dev/data-complete";
/// On the PodVolumeRestore, before the first file is written: the volume was empty then, so what lies in it is ours.
constexpr std::string_view kVolumeBegun = "holdfast.dev/volume-begun";
/// Which run of the waiting container was told of it.
constexpr std::string_view kToldTo = "holdfast.dev/told-to";

bool is_wait_container(const json::value& container) {
  const std::string name = json::string_at(container, {"name"});
  return name == velero::kRestoreWaitContainer || name == velero::kResticWaitContainer;
}

Status judge(const std::vector<repo::ItemError>& errors) {
  if (errors.empty()) return {};
  std::vector<std::string> named;
  for (const repo::ItemError& item : errors) {
    if (named.size() < kNamedErrors) named.push_back(fmt::format("{}: {}", item.path, item.error.message()));
  }
  return Error(
      errors.front().error.code(),
      fmt::format("{} {} not be restored: {}{}", errors.size(), errors.size() == 1 ? "entry could" : "entries could",
                  fmt::join(named, "; "), errors.size() > named.size() ? "; ..." : ""),
      errors.front().error.hint());
}

/// Velero's spelling of the setting; files keep their holes unless it says no.
bool keep_holes(const velero::PodVolumeRestore& restore) {
  const auto found = restore.spec.uploader_settings.find("WriteSparseFiles");
  return found == restore.spec.uploader_settings.end() || found->second != "false";
}

/// The pod's volume on this node, mounted.
struct Place {
  std::string path;
  std::string waits;  ///< wait_identity
};
Result<Place> place_of(const WorkContext& context, const velero::PodVolumeRestore& restore,
                       const std::stop_token& stop) {
  const json::value pod = TRY(find_pod(context.api, restore.spec.pod, stop));
  const PodVolume volume = TRY(describe_volume(context.api, pod, restore.spec.volume, stop));
  std::string path = TRY(find_volume_directory(context.options.host_pods, json::string_at(pod, {"metadata", "uid"}),
                                               volume.directory_name));
  TRY(check_mounted(path, context.options.mounted));
  return Place{std::move(path), wait_identity(pod)};
}

/// True where the container that waits now was started after the mark had been left. Without a note of who was told,
/// the node's own clock decides: both times are by it.
bool waits_anew(const velero::PodVolumeRestore& restore, const json::value& pod) {
  const std::string waits = wait_identity(pod);
  const std::string told = restore.metadata.annotation(kToldTo);
  if (waits.empty() || !told.empty()) return !waits.empty() && waits != told;
  const Result<Time> started = parse_rfc3339(waits.substr(waits.find('@') + 1));
  return started.ok() && restore.status.completion_timestamp && *started > *restore.status.completion_timestamp;
}

Status check_uploader(const std::string& uploader) {
  if (uploader.empty() || uploader == "restic") return {};
  return Error(ErrorCode::unsupported,
               fmt::format("uploader {} wrote this volume's data, and only restic's format can be read here", uploader),
               "restore this volume by the Velero release that wrote it");
}

Status record(const WorkContext& context, const std::string& name, const velero::StringMap& annotations,
              const std::stop_token& stop) {
  json::object patch;
  for (const auto& [key, value] : annotations) json::set(patch, {"metadata", "annotations", key}, json::value(value));
  const Result<json::value> written = context.api.patch(kube::types::velero("podvolumerestores"), context.options.ns,
                                                        name, kube::PatchKind::merge, patch, {}, stop);
  if (!written) return written.error().in(fmt::format("record {}", annotations.begin()->first));
  return {};
}

/// Files are written into an empty volume only: what lies in another one is not ours to overwrite or to mix with.
Status begin_volume(const WorkContext& context, const velero::PodVolumeRestore& restore, const std::string& path,
                    const std::stop_token& stop) {
  if (!restore.metadata.annotation(kVolumeBegun).empty()) return {};
  if (!TRY(volume_is_empty(path))) {
    return Error(ErrorCode::exists,
                 fmt::format("volume {} of pod {}/{} holds data already, which is neither overwritten nor mixed with",
                             restore.spec.volume, restore.spec.pod.namespace_, restore.spec.pod.name),
                 "delete its claim, or restore into another namespace");
  }
  return record(context, restore.metadata.name, {{std::string(kVolumeBegun), format_rfc3339(context.clock.now())}},
                stop);
}

/// The members of the status of a success.
Result<json::object> bring_back(const WorkContext& context, const velero::PodVolumeRestore& restore,
                                const std::string& path, Work& work) {
  const std::stop_token stop = work.stop();
  const location::Location location = TRY(context.locations.get(restore.spec.backup_storage_location, stop));
  TRY(location::require_ready_repository(context.api, context.options.ns, location.object.metadata.name,
                                         restore.spec.source_namespace, stop));
  const crypto::Secret password =
      TRY(location::repository_password(context.api, context.options.ns, location::Missing::refuse, stop));
  repo::RepositoryOptions options;
  options.connections = context.options.share.connections;
  options.cache_dir = context.options.cache_dir;
  options.clock = &context.clock;
  const std::unique_ptr<repo::Repository> repository = TRY(location::open_volume_repository(
      location, restore.spec.source_namespace, password, location::Missing::refuse, options, stop));
  TRY(repository->load_index(stop));
  // Another snapshot that is damaged is nothing to this one.
  std::vector<Error> damaged;
  const std::vector<repo::Snapshot> snapshots = TRY(repository->snapshots(stop, &damaged));
  const repo::Snapshot snapshot =
      TRY(repo::find_snapshot(snapshots, restore.spec.snapshot_id)
              .in(fmt::format("repository of namespace {}", restore.spec.source_namespace)));
  repo::RestoreOptions into;
  into.target = path;
  into.sparse = keep_holes(restore);
  TRY(begin_volume(context, restore, path, stop));
  const repo::RestoreResult result = TRY(repo::restore(*repository, snapshot, into, work, stop));
  TRY(judge(result.errors));
  TRY(work.check());
  const uint64_t bytes = result.bytes;
  return json::object{{"progress", json::object{{"totalBytes", bytes}, {"bytesDone", bytes}}}};
}

/// True where the data was complete in an earlier life of this work. A volume in memory loses it with a reboot, and its
/// pod waits again.
Result<bool> has_its_data(const velero::PodVolumeRestore& restore, const std::string& path) {
  if (restore.metadata.annotation(kDataComplete).empty()) return false;
  return !TRY(volume_is_empty(path));
}

Result<json::object> restore_volume(const WorkContext& context, const velero::PodVolumeRestore& restore,
                                    const WorkName& name, Work& work) {
  const Place place = TRY(place_of(context, restore, work.stop()));
  const std::string& path = place.path;
  Result<json::object> result = [&]() -> Result<json::object> {
    TRY(check_uploader(restore.spec.uploader_type));
    TRY(running_owner(context, name, work.stop()));
    json::object status;
    if (!TRY(has_its_data(restore, path))) {
      status = TRY(bring_back(context, restore, path, work));
      // The record must not outlive the data in a power cut.
      TRY(sync_volume(path));
      const std::string now = format_rfc3339(context.clock.now());
      TRY(record(context, restore.metadata.name,
                 {{std::string(kDataComplete), now}, {std::string(kToldTo), place.waits}}, work.stop()));
    }
    if (!by_mover(restore)) TRY(mark_restored(path, name.owner_uid));
    return status;
  }();
  if (by_mover(restore)) return result;
  // An agent that merely stops leaves no mark: its next life begins anew.
  const bool ours = work.stop().stop_requested() && !work.dropped();
  if (result.ok() || ours) return result;
  const Error reason = work.dropped().value_or(result.error());
  if (const Status marked = mark_failed(path, name.owner_uid, reason.to_string()); !marked) {
    return Error(
        reason.code(),
        fmt::format("{}; and the waiting container could not be told: {}", reason.message(), marked.error().message()),
        reason.hint());
  }
  return result;
}

}  // namespace

std::string wait_identity(const json::value& pod) {
  const json::array& statuses = json::array_at(pod, {"status", "initContainerStatuses"});
  const auto found = std::ranges::find_if(statuses, is_wait_container);
  if (found == statuses.end() || json::find(*found, {"state", "running"}) == nullptr) return {};
  return json::string_at(*found, {"containerID"}) + "@" + json::string_at(*found, {"state", "running", "startedAt"});
}

Status mark_again(const WorkContext& context, const velero::PodVolumeRestore& restore, std::stop_token stop) {
  if (restore.status.phase != velero::phase::kCompleted || by_mover(restore)) return {};
  // A pod without a uid in the reference could be any of that name.
  if (restore.spec.pod.uid.empty()) return {};
  const Result<json::value> pod = find_pod(context.api, restore.spec.pod, stop);
  if (pod.is(ErrorCode::not_found)) return {};
  if (!pod) return pod.error();
  if (json::string_at(*pod, {"spec", "nodeName"}) != context.options.node) return {};
  if (wait_state(*pod) != WaitState::waiting || !waits_anew(restore, *pod)) return {};
  const WorkName name = TRY(name_work(restore));
  const Place place = TRY(place_of(context, restore, stop));
  if (TRY(read_marks(place.path, name.owner_uid)).restored) return {};
  TRY(mark_restored(place.path, name.owner_uid));
  context.log.info("volume marked as restored again, as its pod was started anew",
                   {{"podvolumerestore", restore.metadata.name},
                    {"pod", restore.spec.pod.namespace_ + "/" + restore.spec.pod.name},
                    {"volume", restore.spec.volume}});
  return {};
}

bool by_mover(const velero::PodVolumeRestore& restore) {
  return restore.metadata.annotation(velero::annotation::kByMover) == "true";
}

WaitState mover_state(const json::value& pod) {
  const std::string phase = json::string_at(pod, {"status", "phase"});
  if (phase == "Running") return WaitState::waiting;
  return phase == "Succeeded" || phase == "Failed" ? WaitState::absent : WaitState::not_yet;
}

WaitState wait_state(const json::value& pod) {
  const json::array& specs = json::array_at(pod, {"spec", "initContainers"});
  if (std::ranges::none_of(specs, is_wait_container)) return WaitState::absent;
  const json::array& statuses = json::array_at(pod, {"status", "initContainerStatuses"});
  const auto found = std::ranges::find_if(statuses, is_wait_container);
  if (found == statuses.end()) return WaitState::not_yet;
  if (json::find(*found, {"state", "running"}) != nullptr) return WaitState::waiting;
  const json::value* ended = json::find(*found, {"state", "terminated"});
  if (ended != nullptr && json::int_at(*ended, {"exitCode"}, -1) == 0) return WaitState::over;
  return WaitState::not_yet;
}

Status run_pod_volume_restore(const WorkContext& context, const velero::PodVolumeRestore& restore,
                              const std::vector<std::string>& from, std::stop_token stop) {
  const Result<WorkName> name = name_work(restore);
  if (!name) return refuse_pod_volume_restore(context, restore, name.error(), std::move(stop));
  const BootTime begun = context.clock.boottime();
  const std::unique_ptr<Work> work = TRY(Work::claim(context, *name, from, stop));
  context.metrics.began(PodVolumeMetrics::Kind::restore);
  const Result<json::object> result = restore_volume(context, restore, *name, *work);
  // In progress is what the next life looks for.
  if (!result && stop.stop_requested() && !work->dropped()) return result.error();
  const Ending ending = work->ending(result);
  const Duration took = context.clock.boottime() - begun;
  const auto bytes = static_cast<uint64_t>(json::int_at(ending.status, {"progress", "bytesDone"}));
  context.metrics.ended(PodVolumeMetrics::Kind::restore, ending.phase, took, bytes);
  const log::Logger log = context.log.with({{"podvolumerestore", restore.metadata.name},
                                            {"pod", restore.spec.pod.namespace_ + "/" + restore.spec.pod.name},
                                            {"volume", restore.spec.volume}});
  if (ending.phase == velero::phase::kCompleted) {
    log.info("pod volume restore completed",
             {{"snapshot", restore.spec.snapshot_id}, {"bytes", bytes}, {"took", format_go_duration(took)}});
  } else {
    log.error("pod volume restore did not complete", {{"phase", ending.phase}, {"error", ending.message}});
  }
  return write_ending(context, *name, ending, std::move(stop));
}

Status refuse_pod_volume_restore(const WorkContext& context, const velero::PodVolumeRestore& restore,
                                 const Error& reason, std::stop_token stop) {
  const Result<WorkName> name = name_work(restore);
  std::string message = reason.to_string();
  if (name.ok()) {
    const Result<Place> place = place_of(context, restore, stop);
    // Where there is no volume, nobody waits in it.
    if (place.ok() && !by_mover(restore)) {
      const Status marked = mark_failed(place->path, name->owner_uid, message);
      if (!marked) message += "; and the waiting container could not be told: " + marked.error().message();
    }
  }
  const WorkName own = name.ok() ? *name : WorkName{"podvolumerestores", restore.metadata.name, "", "", ""};
  context.log.error("pod volume restore is refused", {{"podvolumerestore", restore.metadata.name}, {"error", message}});
  return write_ending(context, own, {std::string(velero::phase::kFailed), message}, std::move(stop));
}

}  // namespace holdfast::node
