#include "node/pod_volume_backup.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"
#include "location/backup_repository.h"
#include "location/volume_repository.h"
#include "node/host_volumes.h"
#include "repo/archive.h"
#include "velero/names.h"

namespace holdfast::node {

namespace {

constexpr std::string_view kHost = "velero";
constexpr size_t kNamedErrors = 3;

bool is_restic(const std::string& uploader) {
  return uploader.empty() || uploader == "restic";
}

/// The identity of a directory: another one may be mounted in its place at any time.
struct DirectoryId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const DirectoryId&) const = default;
};
Result<DirectoryId> identify(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return errno_error(errno, path);
  return DirectoryId{status.st_dev, status.st_ino};
}

/// Success where all that could not be saved had vanished, as files of a running program do.
Status judge(const std::vector<repo::ItemError>& errors) {
  std::vector<std::string> named;
  size_t count = 0;
  for (const repo::ItemError& item : errors) {
    if (item.error.code() == ErrorCode::not_found) continue;
    if (++count <= kNamedErrors) named.push_back(fmt::format("{}: {}", item.path, item.error.message()));
  }
  if (count == 0) return {};
  return Error(ErrorCode::corrupt,
               fmt::format("{} {} not be read: {}{}", count, count == 1 ? "file could" : "files could",
                           fmt::join(named, "; "), count > named.size() ? "; ..." : ""),
               "no snapshot was made; mend the volume and back up again");
}

class VolumeBackup {
 public:
  VolumeBackup(const WorkContext& context, const velero::PodVolumeBackup& backup, const WorkName& name, Work& work)
      : context_(context), backup_(backup), name_(name), work_(work), stop_(work.stop()) {}

  /// The members of the status of a success.
  Result<json::object> run() {
    if (!is_restic(backup_.spec.uploader_type)) {
      return Error(ErrorCode::unsupported,
                   fmt::format("uploader {} cannot write backups here", backup_.spec.uploader_type),
                   "use uploader restic");
    }
    owner_ = TRY(running_owner(context_, name_, stop_));
    const json::value pod = TRY(find_pod(context_.api, backup_.spec.pod, stop_));
    const PodVolume volume = TRY(describe_volume(context_.api, pod, backup_.spec.volume, stop_));
    path_ = TRY(find_volume_directory(context_.options.host_pods, json::string_at(pod, {"metadata", "uid"}),
                                      volume.directory_name));
    TRY(check_mounted(path_, context_.options.mounted));
    directory_ = TRY(identify(path_));
    work_.set_path(path_);
    const location::Location location = TRY(context_.locations.get(backup_.spec.backup_storage_location, stop_));
    if (location.object.read_only()) {
      return Error(ErrorCode::denied, fmt::format("backup location {} is read-only", location.object.metadata.name));
    }
    TRY(location::require_ready_repository(context_.api, context_.options.ns, location.object.metadata.name,
                                           backup_.spec.pod.namespace_, stop_));
    const crypto::Secret password =
        TRY(location::repository_password(context_.api, context_.options.ns, location::Missing::refuse, stop_));
    repo::RepositoryOptions options;
    options.pack_size = context_.options.share.pack_size;
    options.connections = context_.options.share.connections;
    options.cache_dir = context_.options.cache_dir;
    options.clock = &context_.clock;
    const std::unique_ptr<repo::Repository> repository = TRY(location::open_volume_repository(
        location, backup_.spec.pod.namespace_, password, location::Missing::refuse, options, stop_));
    return save(*repository).in("volume " + backup_.spec.volume);
  }

 private:
  repo::LockOptions lock_options() const {
    repo::LockOptions out;
    out.site = json::string_at(owner_, {"metadata", "annotations", velero::annotation::kSite});
    const Result<int64_t> epoch =
        parse_int(json::string_at(owner_, {"metadata", "annotations", velero::annotation::kEpoch}, "0"));
    out.epoch = epoch.ok() && *epoch > 0 ? static_cast<uint64_t>(*epoch) : 0;
    out.wait = context_.options.lock_wait;
    return out;
  }

  Result<std::vector<velero::PodVolumeBackup>> earlier_backups() {
    const kube::ListPage page =
        TRY(kube::list_all(context_.api, kube::types::velero("podvolumebackups"), context_.options.ns, {}, stop_));
    std::vector<velero::PodVolumeBackup> out;
    for (const json::value& item : page.items) {
      // One that cannot be decoded is no parent; nothing else depends on it here.
      if (Result<velero::PodVolumeBackup> one = velero::decode<velero::PodVolumeBackup>(item); one.ok()) {
        out.push_back(std::move(*one));
      }
    }
    return out;
  }

  /// The last look before the snapshot exists.
  Status still_right(const repo::ArchiveResult& result, const repo::Id& empty_tree) {
    TRY(judge(result.errors));
    TRY(work_.check());
    TRY(find_pod(context_.api, backup_.spec.pod, stop_));
    const DirectoryId now = TRY(identify(path_));
    if (now != directory_) {
      return Error(ErrorCode::conflict, "the volume was unmounted while it was read");
    }
    TRY(check_mounted(path_, context_.options.mounted));
    empty_ = result.tree == empty_tree;
    if (empty_) return Error(ErrorCode::not_found, "snapshot is empty");
    return {};
  }

  Result<json::object> save(repo::Repository& repository) {
    const std::unique_ptr<repo::Lock> lock = TRY(repository.lock(lock_options(), stop_));
    TRY(repository.load_index(stop_));
    // A snapshot that cannot be read is no parent, and no reason to make no new one.
    std::vector<Error> damaged;
    const std::vector<repo::Snapshot> snapshots = TRY(repository.snapshots(stop_, &damaged));
    const repo::TreeProfile profile = repo::choose_tree_profile(snapshots);
    repo::ArchiveOptions options;
    options.paths = {"."};
    options.working_directory = path_;
    options.hostname = kHost;
    for (const auto& [key, value] : backup_.spec.tags) options.tags.push_back(key + "=" + value);
    options.parent = choose_parent(backup_, TRY(earlier_backups()), snapshots);
    options.profile = profile;
    options.readers = context_.options.share.readers;
    const repo::Id empty_tree = repo::Id::of(repo::TreeWriter(profile).finish());
    options.before_snapshot = [&](const repo::ArchiveResult& result) { return still_right(result, empty_tree); };
    const Result<repo::ArchiveResult> result = repo::archive(repository, *lock, options, work_, stop_);
    if (empty_) {
      return json::object{{"message", "volume was empty so no snapshot was taken"}, {"progress", json::object{}}};
    }
    if (!result) return result.error();
    return describe(*result);
  }

  static json::object describe(const repo::ArchiveResult& result) {
    const uint64_t bytes = result.summary.total_bytes_processed;
    json::object out{{"snapshotID", result.snapshot->id.short_hex()},
                     {"incrementalBytes", result.summary.data_added},
                     {"progress", json::object{{"totalBytes", bytes}, {"bytesDone", bytes}}}};
    if (!result.errors.empty()) {
      out["message"] = fmt::format("{} {} while the volume was read", result.errors.size(),
                                   result.errors.size() == 1 ? "file vanished" : "files vanished");
    }
    return out;
  }

  const WorkContext& context_;
  const velero::PodVolumeBackup& backup_;
  const WorkName& name_;
  Work& work_;
  const std::stop_token stop_;
  json::value owner_;
  std::string path_;
  DirectoryId directory_;
  bool empty_ = false;
};

/// The newest of those that `fits` takes, whose snapshot is still there.
template <typename Fits>
std::optional<repo::Snapshot> newest(const std::vector<velero::PodVolumeBackup>& earlier,
                                     const std::vector<repo::Snapshot>& snapshots, const Fits& fits) {
  const velero::PodVolumeBackup* best = nullptr;
  std::optional<repo::Snapshot> out;
  for (const velero::PodVolumeBackup& one : earlier) {
    if (one.status.phase != velero::phase::kCompleted || one.status.snapshot_id.empty()) continue;
    if (!is_restic(one.spec.uploader_type) || !one.status.start_timestamp || !fits(one)) continue;
    if (best != nullptr && *one.status.start_timestamp <= *best->status.start_timestamp) continue;
    Result<repo::Snapshot> snapshot = repo::find_snapshot(snapshots, one.status.snapshot_id);
    if (!snapshot) continue;
    best = &one;
    out = std::move(*snapshot);
  }
  return out;
}

}  // namespace

std::optional<repo::Snapshot> choose_parent(const velero::PodVolumeBackup& backup,
                                            const std::vector<velero::PodVolumeBackup>& earlier,
                                            const std::vector<repo::Snapshot>& snapshots) {
  const auto same_place = [&](const velero::PodVolumeBackup& one) {
    return one.metadata.uid != backup.metadata.uid &&
           one.spec.backup_storage_location == backup.spec.backup_storage_location &&
           one.spec.pod.namespace_ == backup.spec.pod.namespace_;
  };
  const std::string uid = backup.metadata.label(velero::label::kPvcUid);
  if (!uid.empty()) {
    std::optional<repo::Snapshot> found = newest(earlier, snapshots, [&](const velero::PodVolumeBackup& one) {
      return same_place(one) && one.metadata.label(velero::label::kPvcUid) == uid;
    });
    if (found) return found;
  }
  const std::string claim = backup.metadata.annotation(velero::annotation::kPvcName);
  if (!claim.empty()) {
    std::optional<repo::Snapshot> found = newest(earlier, snapshots, [&](const velero::PodVolumeBackup& one) {
      return same_place(one) && one.metadata.annotation(velero::annotation::kPvcName) == claim;
    });
    if (found) return found;
  }
  repo::SnapshotFilter filter;
  filter.hosts = {std::string(kHost)};
  std::vector<std::string> tags{"ns=" + backup.spec.pod.namespace_, "volume=" + backup.spec.volume};
  // A volume of no claim lives and dies with its pod.
  if (claim.empty()) tags.push_back("pod-uid=" + backup.spec.pod.uid);
  filter.tags = {std::move(tags)};
  std::vector<repo::Snapshot> found = repo::select(snapshots, filter);
  if (found.empty()) return std::nullopt;
  return std::move(found.back());
}

Status run_pod_volume_backup(const WorkContext& context, const velero::PodVolumeBackup& backup, std::stop_token stop) {
  const Result<WorkName> name = name_work(backup);
  if (!name) {
    const WorkName own{"podvolumebackups", backup.metadata.name, "", "", ""};
    return write_ending(context, own, {std::string(velero::phase::kFailed), name.error().to_string()}, stop);
  }
  const BootTime begun = context.clock.boottime();
  const std::unique_ptr<Work> work = TRY(Work::claim(context, *name, {"", std::string(velero::phase::kNew)}, stop));
  context.metrics.began(PodVolumeMetrics::Kind::backup);
  const Result<json::object> result = VolumeBackup(context, backup, *name, *work).run();
  const Ending ending = work->ending(result);
  const Duration took = context.clock.boottime() - begun;
  const auto bytes = static_cast<uint64_t>(json::int_at(ending.status, {"progress", "bytesDone"}));
  context.metrics.ended(PodVolumeMetrics::Kind::backup, ending.phase, took, bytes);
  const log::Logger log = context.log.with({{"podvolumebackup", backup.metadata.name},
                                            {"pod", backup.spec.pod.namespace_ + "/" + backup.spec.pod.name},
                                            {"volume", backup.spec.volume}});
  if (ending.phase == velero::phase::kCompleted) {
    log.info("pod volume backup completed", {{"snapshot", json::string_at(ending.status, {"snapshotID"})},
                                             {"bytes", bytes},
                                             {"added", json::int_at(ending.status, {"incrementalBytes"})},
                                             {"took", format_go_duration(took)}});
  } else {
    log.error("pod volume backup did not complete", {{"phase", ending.phase}, {"error", ending.message}});
  }
  return write_ending(context, *name, ending, std::move(stop));
}

}  // namespace holdfast::node
