#include "backup/run_backup.h"

#include <fmt/format.h>

#include "backup/backup_files.h"
#include "backup/claim.h"
#include "base/random.h"
#include "velero/gzip.h"
#include "velero/item_operations.h"
#include "velero/metadata.h"
#include "velero/names.h"
#include "velero/volume_info.h"

namespace holdfast::backup {
namespace {

using velero::BackupFile;

/// What happens to one backup from its first look at the store to its metadata.
class Runner {
 public:
  Runner(kube::Api& api, objstore::Store& store, const BackupRun& run, VolumeBackups* volumes)
      : api_(api),
        run_(run),
        volumes_(volumes),
        backup_(run.collect.backup),
        lines_(std::make_shared<log::MemorySink>()),
        findings_(run.log.also_to(lines_).with({{"backup", backup_.metadata.name}})),
        files_(store, run.layout, backup_.metadata.name, *run.clock) {}

  Result<BackupOutcome> go(std::stop_token stop) {
    if (!velero::valid_object_name(backup_.metadata.name)) {
      return Error(ErrorCode::invalid, fmt::format("\"{}\" is no name of a backup", backup_.metadata.name));
    }
    TRY(files_.check_free(stop));
    TRY(describe(stop));
    SpillFile spill = TRY(SpillFile::create(run_.spill_directory));
    const Collected collected = TRY(collect_into(spill, stop));
    close(collected);
    Status written = write_files(collected, spill, stop);
    if (!written) {
      if (!metadata_tried_) files_.remove_written();
      return std::move(written).error();
    }
    return BackupOutcome{backup_, backup_.status.phase, spill.size()};
  }

 private:
  Status describe(const std::stop_token& stop) {
    auto& annotations = backup_.metadata.annotations;
    const std::string attempt = run_.attempt.empty() ? random_hex(16) : run_.attempt;
    annotations[std::string(velero::annotation::kAttempt)] = attempt;
    if (!run_.site.empty()) annotations[std::string(velero::annotation::kSite)] = run_.site;
    if (run_.epochs != nullptr) epoch_ = TRY(run_.epochs->current(stop).in("read the epoch"));
    annotations[std::string(velero::annotation::kEpoch)] = epoch_;
    const json::value version = TRY(api_.version(stop));
    annotations[std::string(velero::annotation::kSourceGitVersion)] = json::string_at(version, {"gitVersion"});
    annotations[std::string(velero::annotation::kSourceMajorVersion)] = json::string_at(version, {"major"});
    annotations[std::string(velero::annotation::kSourceMinorVersion)] = json::string_at(version, {"minor"});

    velero::BackupStatus& status = backup_.status;
    status.version = velero::kBackupVersion;
    status.format_version = velero::kBackupFormatVersion;
    if (!status.start_timestamp) status.start_timestamp = run_.clock->now();
    if (!status.expiration) {
      status.expiration = *status.start_timestamp + backup_.spec.ttl.value_or(std::chrono::hours(720));
    }
    // The log is the first file and thereby the claim: the attempt in it makes its bytes unlike anybody else's.
    write_claim(findings_.log(), {attempt, epoch_, run_.site, run_.clock->now()});
    if (!files_.guarded()) {
      findings_.run_warning(
          "the store has no atomic conditional put: velero-backup.json is put after a fresh look, and a second writer "
          "of this name at the same moment would not be noticed");
    }
    return {};
  }

  Result<Collected> collect_into(SpillFile& spill, const std::stop_token& stop) {
    TarballWriter tarball = TRY(TarballWriter::create([&spill](std::string_view bytes) { return spill.append(bytes); },
                                                      *backup_.status.start_timestamp));
    CollectOptions options = run_.collect;
    options.backup = backup_;
    options.clock = run_.clock;
    Collected collected = TRY(collect(api_, options, tarball, volumes_, findings_, stop));
    TRY(tarball.finish());
    return collected;
  }

  void close(const Collected& collected) {
    velero::BackupStatus& status = backup_.status;
    status.errors = static_cast<int64_t>(findings_.errors());
    status.warnings = static_cast<int64_t>(findings_.warnings());
    status.phase = status.errors > 0 ? velero::phase::kPartiallyFailed : velero::phase::kCompleted;
    status.progress = velero::BackupProgress{collected.items, collected.items, {}};
    status.hook_status = velero::HookStatus{collected.hooks_attempted, collected.hooks_failed, {}};
    status.completion_timestamp = run_.clock->now();
    findings_.log().info("backup collected", {{"items", collected.items}, {"errors", status.errors}});
  }

  std::vector<velero::BackupVolumeInfo> volume_infos(const Collected& collected) const;
  Result<std::string> bytes_of(BackupFile file, const Collected& collected) const;
  Status write_files(const Collected& collected, const SpillFile& spill, const std::stop_token& stop);
  Status write_metadata(const std::stop_token& stop);

  kube::Api& api_;
  const BackupRun& run_;
  VolumeBackups* volumes_;
  velero::Backup backup_;
  std::shared_ptr<log::MemorySink> lines_;
  Findings findings_;
  BackupFiles files_;
  std::string epoch_ = "0";
  bool metadata_tried_ = false;
};

std::vector<velero::BackupVolumeInfo> Runner::volume_infos(const Collected& collected) const {
  std::vector<velero::BackupVolumeInfo> infos;
  const auto with_pv = [&](velero::BackupVolumeInfo info) {
    auto known = collected.persistent_volumes.find(info.pv_name);
    if (known != collected.persistent_volumes.end()) info.pv_info = known->second;
    infos.push_back(std::move(info));
  };
  for (const PodVolumeResult& result : collected.volumes) {
    velero::BackupVolumeInfo info;
    info.pvc_name = result.request.pvc;
    info.pvc_namespace = result.request.pvc.empty() ? "" : result.request.pod_namespace;
    info.pv_name = result.request.pv;
    info.backup_method = "PodVolumeBackup";
    info.result = result.error.empty() ? "succeeded" : "failed";
    velero::PodVolumeInfo pod;
    pod.volume_name = result.request.volume;
    pod.pod_name = result.request.pod;
    pod.pod_namespace = result.request.pod_namespace;
    pod.node_name = result.request.node;
    if (result.backup) {
      info.start_timestamp = result.backup->status.start_timestamp;
      info.completion_timestamp = result.backup->status.completion_timestamp;
      pod.snapshot_handle = result.backup->status.snapshot_id;
      pod.size = result.backup->status.progress.total_bytes;
      pod.incremental_size = result.backup->status.incremental_bytes;
      pod.uploader_type = result.backup->spec.uploader_type;
      pod.phase = result.backup->status.phase;
    }
    info.pvb_info = std::move(pod);
    with_pv(std::move(info));
  }
  for (const SkippedVolume& skipped : collected.skipped_volumes) {
    velero::BackupVolumeInfo info;
    info.pvc_name = skipped.pvc;
    info.pvc_namespace = skipped.ns;
    info.pv_name = skipped.pv;
    info.skipped = true;
    info.skipped_reason = skipped.reason;
    if (skipped.failed) info.result = "failed";
    with_pv(std::move(info));
  }
  return infos;
}

Result<std::string> Runner::bytes_of(BackupFile file, const Collected& collected) const {
  switch (file) {
    case BackupFile::log:
      return velero::gzip(lines_->text());
    case BackupFile::pod_volume_backups: {
      std::vector<velero::PodVolumeBackup> list;
      for (const PodVolumeResult& result : collected.volumes) {
        if (result.backup) list.push_back(*result.backup);
      }
      return velero::gzip(velero::encode_pod_volume_backups(std::move(list)));
    }
    case BackupFile::resource_list:
      return velero::gzip(velero::encode_resource_list(collected.resource_list));
    case BackupFile::results:
      return velero::gzip(velero::encode_results(findings_.results()));
    case BackupFile::item_operations:
      return velero::gzip(velero::encode_operations(std::vector<velero::BackupOperation>()));
    case BackupFile::volume_info:
      return velero::gzip(velero::encode_volume_infos(volume_infos(collected)));
    case BackupFile::volume_snapshots:
      return velero::gzip("null\n");
    default:
      return Error(ErrorCode::internal, "no such file of a backup");
  }
}

Status Runner::write_files(const Collected& collected, const SpillFile& spill, const std::stop_token& stop) {
  // The log comes first and is the claim: of two attempts under one name the second fails before it wrote anything.
  for (BackupFile file : velero::backup_write_order()) {
    if (file == BackupFile::metadata) {
      TRY(write_metadata(stop));
    } else if (file == BackupFile::contents) {
      TRY(files_.put_contents(spill, stop));
    } else {
      const std::string bytes = TRY(bytes_of(file, collected));
      TRY(files_.put(file, bytes, stop));
    }
  }
  return {};
}

Status Runner::write_metadata(const std::stop_token& stop) {
  if (run_.epochs != nullptr) {
    const std::string now = TRY(run_.epochs->current(stop).in("read the epoch again"));
    if (now != epoch_) {
      return Error(ErrorCode::conflict, fmt::format("the epoch went from {} to {} during the backup", epoch_, now),
                   "the site that holds the epoch makes the backups now");
    }
  }
  if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped before the backup was complete");
  metadata_tried_ = true;
  return files_.put(BackupFile::metadata, velero::encode_metadata(backup_), stop);
}

}  // namespace

Result<BackupOutcome> run_backup(kube::Api& api, objstore::Store& store, const BackupRun& run, VolumeBackups* volumes,
                                 std::stop_token stop) {
  Runner runner(api, store, run, volumes);
  return runner.go(std::move(stop)).in("backup " + run.collect.backup.metadata.name);
}

}  // namespace holdfast::backup
