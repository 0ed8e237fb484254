#include "control/pod_volumes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "control/mover.h"
#include "control/volume_repositories.h"
#include "crypto/sha256.h"
#include "location/volume_repository.h"
#include "velero/mover_names.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

/// How long a restored pod's volumes wait for a store that does not answer.
constexpr Duration kRepositoryTries = std::chrono::seconds(30);
/// For telling a waiting container that no agent will come: altogether, and for one call.
constexpr Duration kTellTries = std::chrono::seconds(30);
constexpr Duration kTellCall = std::chrono::seconds(10);
/// For an agent to end what was cancelled.
constexpr Duration kCancelWait = std::chrono::minutes(1);
constexpr Duration kCancelLook = std::chrono::milliseconds(200);

bool ended(const std::string& phase) {
  return phase == velero::phase::kCompleted || phase == velero::phase::kFailed || phase == velero::phase::kCanceled;
}

std::string failure_text(std::string_view kind, const std::string& volume, const std::string& message) {
  return fmt::format("{} of volume {} failed: {}", kind, volume, message.empty() ? "no reason was given" : message);
}

template <typename T>
void cancel(const Context& context, const std::string& name) {
  json::object patch;
  json::set(patch, {"spec", "cancel"}, true);
  // Should this not arrive: agents drop work of Backups and Restores that are no longer InProgress.
  static_cast<void>(context.objects.merge<T>(name, std::move(patch)));
}

Duration limit_of(const Context& context, const velero::Backup& backup) {
  const std::string own = backup.metadata.annotation(velero::annotation::kPodVolumeTimeout);
  const Result<Duration> limit = parse_go_duration(own);
  return limit.ok() ? *limit : context.options.fs_backup_timeout;
}

velero::PodVolumeBackup fresh_object(const Context& context, const velero::Backup& backup,
                                     const velero::BackupStorageLocation& location,
                                     const backup::PodVolumeRequest& volume) {
  velero::PodVolumeBackup pvb;
  pvb.metadata.generate_name = backup.metadata.name + "-";
  pvb.metadata.namespace_ = context.objects.ns();
  pvb.metadata.labels = {{std::string(velero::label::kBackupName), velero::label_value(backup.metadata.name)},
                         {std::string(velero::label::kBackupUid), backup.metadata.uid}};
  if (!volume.pvc_uid.empty()) pvb.metadata.labels[std::string(velero::label::kPvcUid)] = volume.pvc_uid;
  if (!volume.pvc.empty()) pvb.metadata.annotations[std::string(velero::annotation::kPvcName)] = volume.pvc;
  if (volume.by_mover) pvb.metadata.annotations[std::string(velero::annotation::kByMover)] = "true";
  pvb.metadata.owner_references = {
      {"velero.io/v1", "Backup", backup.metadata.name, backup.metadata.uid, true, std::nullopt, {}}};
  pvb.spec.node = volume.node;
  pvb.spec.pod = {"Pod", volume.pod_namespace, volume.pod, volume.pod_uid, {}};
  pvb.spec.volume = volume.volume;
  pvb.spec.backup_storage_location = location.metadata.name;
  pvb.spec.repo_identifier = location::repository_identifier(location, volume.pod_namespace);
  pvb.spec.uploader_type = "restic";
  pvb.spec.tags = {{"backup", backup.metadata.name}, {"backup-uid", backup.metadata.uid}, {"pod", volume.pod},
                   {"pod-uid", volume.pod_uid},      {"ns", volume.pod_namespace},        {"volume", volume.volume}};
  if (!volume.pvc_uid.empty()) pvb.spec.tags["pvc-uid"] = volume.pvc_uid;
  return pvb;
}

velero::PodVolumeRestore fresh_object(const Context& context, const velero::Restore& restore,
                                      const velero::BackupStorageLocation& location,
                                      const backup::PodVolumeRestoreRequest& request,
                                      const backup::RestoredVolume& volume) {
  velero::PodVolumeRestore pvr;
  // The same name each time: whoever goes on with the restore finds it made.
  const crypto::Digest digest = crypto::sha256(request.pod_uid + "/" + volume.volume);
  pvr.metadata.name =
      velero::label_value(restore.metadata.name) + "-" + to_hex(std::span<const std::byte>(digest)).substr(0, 10);
  pvr.metadata.namespace_ = context.objects.ns();
  pvr.metadata.labels = {{std::string(velero::label::kRestoreName), velero::label_value(restore.metadata.name)},
                         {std::string(velero::label::kRestoreUid), restore.metadata.uid},
                         {std::string(velero::label::kPodUid), request.pod_uid}};
  if (!volume.pvc.empty()) pvr.metadata.annotations[std::string(velero::annotation::kPvcName)] = volume.pvc;
  if (request.by_mover) pvr.metadata.annotations[std::string(velero::annotation::kByMover)] = "true";
  pvr.metadata.owner_references = {
      {"velero.io/v1", "Restore", restore.metadata.name, restore.metadata.uid, true, std::nullopt, {}}};
  pvr.spec.pod = {"Pod", request.pod_namespace, request.pod, request.pod_uid, {}};
  pvr.spec.volume = volume.volume;
  pvr.spec.backup_storage_location = location.metadata.name;
  pvr.spec.repo_identifier = volume.repo_identifier;
  pvr.spec.uploader_type = volume.uploader;
  pvr.spec.snapshot_id = volume.snapshot_id;
  pvr.spec.source_namespace = volume.pod_namespace;
  pvr.spec.snapshot_size = volume.size;
  if (const auto& config = restore.spec.uploader_config; config && config->write_sparse_files)
    pvr.spec.uploader_settings["WriteSparseFiles"] = *config->write_sparse_files ? "true" : "false";
  return pvr;
}

}  // namespace

Result<bool> agent_runs_on(const Context& context, const std::string& node, std::stop_token stop) {
  kube::ListOptions options;
  options.label_selector = "name=node-agent";
  options.field_selector = "spec.nodeName=" + node;
  const kube::ListPage page =
      TRY(kube::list_all(context.api, kube::types::pods(), context.objects.ns(), options, std::move(stop)));
  return std::any_of(page.items.begin(), page.items.end(), [](const json::value& pod) {
    // A crash-looping agent's pod is Running too: only a ready one works.
    for (const json::value& condition : json::array_at(pod, {"status", "conditions"})) {
      if (json::string_at(condition, {"type"}) == "Ready") return json::string_at(condition, {"status"}) == "True";
    }
    return json::string_at(pod, {"status", "phase"}) == "Running";
  });
}

// ---- backups

/// The volumes of one pod, from the request to the last PodVolumeBackup's end.
class PodVolumeBackups::PodJob final : public Follower::Job {
 public:
  PodJob(PodVolumeBackups& run, std::vector<backup::PodVolumeRequest> volumes, Done done)
      : run_(run), context_(run.context_), done_(std::move(done)) {
    for (backup::PodVolumeRequest& volume : volumes) {
      results_.push_back({std::move(volume), std::nullopt, {}});
      names_.emplace_back();
    }
  }

  /// Makes the PodVolumeBackups of all volumes; what cannot be made has ended.
  void ask_for_all() {
    if (results_.empty()) return;
    const backup::PodVolumeRequest& first = results_.front().request;
    const Status ready = usable(first);
    for (size_t i = 0; i < results_.size(); ++i) {
      const backup::PodVolumeRequest& volume = results_[i].request;
      const auto ask = [&]() -> Result<std::string> {
        TRY(ready);
        return TRY(context_.objects.create(fresh_object(context_, run_.backup_, run_.location_.object, volume)))
            .metadata.name;
      };
      const Result<std::string> asked =
          ask().in(fmt::format("volume {} of pod {}/{}", volume.volume, volume.pod_namespace, volume.pod));
      if (asked.ok()) {
        names_[i] = *asked;
      } else {
        results_[i].error = asked.error().message();
      }
    }
  }

  bool look(const std::stop_token& stop) override {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (!names_[i].empty()) look_at(names_[i], results_[i], stop);
    }
    return std::all_of(names_.begin(), names_.end(), [](const std::string& name) { return name.empty(); });
  }
  void end() override { done_(std::move(results_)); }
  void give_up(const std::string& why) override {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i].empty()) continue;
      cancel<velero::PodVolumeBackup>(context_, names_[i]);
      results_[i].error = failure_text("backup", results_[i].request.volume, why);
    }
    done_(std::move(results_));
  }

 private:
  /// All volumes of a pod share its node and the repository of its namespace.
  Status usable(const backup::PodVolumeRequest& volume) {
    if (!TRY(agent_runs_on(context_, volume.node, {}))) {
      return Error(ErrorCode::unavailable, fmt::format("no node agent runs on node {}", volume.node));
    }
    TRY(ensure_repository(context_, run_.location_, volume.pod_namespace, location::Missing::create));
    return {};
  }

  void look_at(std::string& name, backup::PodVolumeResult& result, const std::stop_token& stop) {
    const Result<velero::PodVolumeBackup> pvb = context_.objects.get<velero::PodVolumeBackup>(name, stop);
    if (!pvb) {
      if (!pvb.is(ErrorCode::not_found)) return;  // asked again at the next look
      result.error = failure_text("backup", result.request.volume, "its PodVolumeBackup was deleted");
    } else if (!ended(pvb->status.phase)) {
      return;
    } else {
      result.backup = *pvb;
      if (pvb->status.phase != velero::phase::kCompleted) {
        result.error = failure_text("backup", result.request.volume, pvb->status.message);
      }
    }
    name.clear();
  }

  PodVolumeBackups& run_;
  const Context& context_;
  std::vector<backup::PodVolumeResult> results_;
  std::vector<std::string> names_;  ///< of the PodVolumeBackups, in the order of results; empty: ended already
  Done done_;
};

/// A claim that no pod mounts: a mover does, then its volume is a pod's.
class PodVolumeBackups::ClaimJob final : public Follower::Job {
 public:
  ClaimJob(PodVolumeBackups& run, backup::PodVolumeRequest claim, Done done)
      : run_(run),
        mover_(run.context_, {claim.pod_namespace, claim.pvc}, MoverUse::backup),
        claim_(std::move(claim)),
        done_(std::move(done)) {}

  bool look(const std::stop_token& stop) override {
    if (volume_) return volume_->look(stop);
    const Result<std::optional<json::value>> pod = mover_.look(stop);
    if (!pod) {
      error_ = pod.error().to_string();
      return true;
    }
    if (!pod->has_value()) return false;
    claim_.pod = json::string_at(**pod, {"metadata", "name"});
    claim_.pod_uid = json::string_at(**pod, {"metadata", "uid"});
    claim_.node = json::string_at(**pod, {"spec", "nodeName"});
    claim_.volume = kMoverVolume;
    volume_.emplace(run_, std::vector{claim_}, done_);
    volume_->ask_for_all();
    return volume_->look(stop);
  }
  void end() override {
    mover_.remove();
    if (volume_) return volume_->end();
    done_({{claim_, std::nullopt, error_}});
  }
  void give_up(const std::string& why) override {
    mover_.remove();
    if (volume_) return volume_->give_up(why);
    done_({{claim_, std::nullopt, "the mover pod does not run yet: " + why}});
  }

 private:
  PodVolumeBackups& run_;
  Mover mover_;
  backup::PodVolumeRequest claim_;
  const Done done_;
  std::string error_;
  std::optional<PodJob> volume_;
};

PodVolumeBackups::PodVolumeBackups(const Context& context, velero::Backup backup, location::Location location)
    : context_(context),
      backup_(std::move(backup)),
      location_(std::move(location)),
      follower_(context.clock, limit_of(context, backup_), "backup") {}

void PodVolumeBackups::start(const json::object&, std::vector<backup::PodVolumeRequest> volumes, Done done) {
  auto job = std::make_unique<PodJob>(*this, std::move(volumes), std::move(done));
  job->ask_for_all();
  follower_.add(std::move(job));
}

void PodVolumeBackups::start_claim(backup::PodVolumeRequest claim, Done done) {
  follower_.add(std::make_unique<ClaimJob>(*this, std::move(claim), std::move(done)));
}

void PodVolumeBackups::wait(std::stop_token stop) {
  follower_.wait(stop);
}

// ---- restores

/// The volumes of one restored pod, from its creation to the last PodVolumeRestore's end.
class PodVolumeRestores::PodJob final : public Follower::Job {
 public:
  PodJob(PodVolumeRestores& run, backup::PodVolumeRestoreRequest request, Done done)
      : run_(run), context_(run.context_), since_(context_.clock.boottime()), done_(std::move(done)) {
    result_.request = std::move(request);
  }

  bool look(const std::stop_token& stop) override {
    if (!asked_ && !look_at_pod(stop)) return false;
    std::erase_if(names_, [&](const std::string& name) { return has_ended(name, stop); });
    // In a mover nobody waits.
    return names_.empty() && (untold_.empty() || result_.request.by_mover || told(stop));
  }
  void end() override { done_(std::move(result_)); }
  void give_up(const std::string& why) override {
    // A controller that merely stops leaves the work to the next one, who goes on with it.
    if (!run_.stop_.stop_requested()) {
      for (const std::string& name : names_) cancel<velero::PodVolumeRestore>(context_, name);
      run_.cancelled_.insert(run_.cancelled_.end(), names_.begin(), names_.end());
    }
    result_.errors.push_back(
        fmt::format("volumes of pod {}/{}: {}", result_.request.pod_namespace, result_.request.pod, why));
    done_(std::move(result_));
  }

 private:
  /// True when nothing is to be waited for but PodVolumeRestores.
  bool look_at_pod(const std::stop_token& stop) {
    const backup::PodVolumeRestoreRequest& request = result_.request;
    const Result<json::value> pod = context_.api.get(kube::types::pods(), request.pod_namespace, request.pod, stop);
    if (pod.is(ErrorCode::not_found) || (pod.ok() && json::string_at(*pod, {"metadata", "uid"}) != request.pod_uid)) {
      return fail(
          fmt::format("pod {}/{} was deleted before its volumes were restored", request.pod_namespace, request.pod));
    }
    if (pod.ok() && !json::string_at(*pod, {"spec", "nodeName"}).empty()) {
      if (!repositories_settled(stop)) return false;
      asked_ = true;
      ask_for_all(json::string_at(*pod, {"spec", "nodeName"}), stop);
    } else if (context_.clock.boottime() - since_ > context_.options.schedule_wait) {
      return fail(fmt::format("pod {}/{} was not put on a node within {}", request.pod_namespace, request.pod,
                              format_go_duration(context_.options.schedule_wait)));
    }
    return asked_;
  }
  bool fail(std::string why) {
    asked_ = true;
    result_.errors.push_back(std::move(why));
    return true;
  }

  /// False: worth another try. Where a repository cannot be used, its object says why, and the agent tells the pod that
  /// waits; so it does of another uploader's.
  bool repositories_settled(const std::stop_token& stop) {
    const bool in_time = context_.clock.boottime() - since_ < kRepositoryTries;
    return std::ranges::none_of(result_.request.volumes, [&](const backup::RestoredVolume& volume) {
      if (!volume.uploader.empty() && volume.uploader != "restic") return false;
      const auto ready =
          ensure_repository(context_, run_.location_, volume.pod_namespace, location::Missing::refuse, stop);
      return !ready && ready.error().retryable() && in_time;
    });
  }

  void ask_for_all(const std::string& node, const std::stop_token& stop) {
    const backup::PodVolumeRestoreRequest& request = result_.request;
    if (const Result<bool> agent = agent_runs_on(context_, node, stop); agent.ok() && !*agent) {
      untold_ = fmt::format("no node agent runs on node {}", node);
      result_.errors.push_back(fmt::format("pod {}/{}: {}", request.pod_namespace, request.pod, untold_));
      return;
    }
    for (const backup::RestoredVolume& volume : request.volumes) {
      const velero::PodVolumeRestore pvr =
          fresh_object(context_, run_.restore_, run_.location_.object, request, volume);
      const Result<velero::PodVolumeRestore> made = context_.objects.create(pvr, stop);
      // exists: made in an earlier life, or by a call whose answer was lost. Is it there, the next looks tell.
      if (made.ok() || made.is(ErrorCode::exists) || (made.error().retryable() && exists(pvr.metadata.name, stop))) {
        names_.push_back(pvr.metadata.name);
      } else {
        untold_ = made.error().in(fmt::format("volume {}", volume.volume)).message();
        result_.errors.push_back(untold_);
      }
    }
  }

  bool exists(const std::string& name, const std::stop_token& stop) const {
    return context_.objects.get<velero::PodVolumeRestore>(name, stop).ok();
  }

  /// Where no agent can, the waiting container itself writes the mark of failure, so that the pod ends with the reason
  /// and not at its time-out. True when it is told, or has not listened for long.
  bool told(const std::stop_token& stop) {
    const backup::PodVolumeRestoreRequest& request = result_.request;
    if (!telling_since_.has_value()) telling_since_ = context_.clock.boottime();
    const std::vector<std::string> command = {"holdfast", "restore-helper", run_.restore_.metadata.uid,
                                              "--give-up=" + untold_};
    const Result<kube::ExecResult> ran = context_.api.exec(
        request.pod_namespace, request.pod, std::string(velero::kRestoreWaitContainer), command, kTellCall, stop);
    if (ran.ok() && ran->exit_code == 0) return true;
    if (context_.clock.boottime() - *telling_since_ < kTellTries) return false;
    result_.errors.push_back(fmt::format("pod {}/{} could not be told and waits until its time-out: {}",
                                         request.pod_namespace, request.pod,
                                         ran.ok() ? std::string(trim(ran->err)) : ran.error().message()));
    return true;
  }

  bool has_ended(const std::string& name, const std::stop_token& stop) {
    const Result<velero::PodVolumeRestore> pvr = context_.objects.get<velero::PodVolumeRestore>(name, stop);
    if (!pvr) {
      if (!pvr.is(ErrorCode::not_found)) return false;
      result_.errors.push_back(fmt::format("PodVolumeRestore {} was deleted", name));
      return true;
    }
    if (!ended(pvr->status.phase)) return false;
    if (pvr->status.phase != velero::phase::kCompleted) {
      result_.errors.push_back(failure_text("restore", pvr->spec.volume, pvr->status.message));
    }
    return true;
  }

  PodVolumeRestores& run_;
  const Context& context_;
  const BootTime since_;
  backup::PodVolumeRestoreResult result_;
  bool asked_ = false;                     ///< the PodVolumeRestores exist
  std::vector<std::string> names_;         ///< of those that have not ended
  std::string untold_;                     ///< why no agent works on a volume: the pod is told; empty: agents do
  std::optional<BootTime> telling_since_;  ///< the pod
  Done done_;
};

/// A claim whose files were saved by a mover: one brings them back, within the time-out for volumes.
class PodVolumeRestores::ClaimJob final : public Follower::Job {
 public:
  ClaimJob(PodVolumeRestores& run, backup::PodVolumeRestoreRequest claim, Done done)
      : run_(run),
        context_(run.context_),
        since_(context_.clock.boottime()),
        mover_(context_, {claim.pod_namespace, claim.volumes.front().pvc, run.restore_.metadata.uid},
               MoverUse::restore),
        done_(std::move(done)) {
    result_.request = std::move(claim);
  }

  bool look(const std::stop_token& stop) override {
    if (context_.clock.boottime() - since_ > context_.options.fs_backup_timeout) {
      late_ = true;
      return true;
    }
    if (volume_) return volume_->look(stop);
    const Result<std::optional<json::value>> pod = mover_.look(stop);
    if (!pod) {
      result_.errors.push_back(pod.error().to_string());
      return true;
    }
    if (!pod->has_value()) return false;
    result_.request.pod = json::string_at(**pod, {"metadata", "name"});
    result_.request.pod_uid = json::string_at(**pod, {"metadata", "uid"});
    volume_.emplace(run_, result_.request, done_);
    return volume_->look(stop);
  }
  void end() override {
    if (late_) return give_up("no end within the time-out");
    mover_.remove();
    if (volume_) return volume_->end();
    done_(std::move(result_));
  }
  void give_up(const std::string& why) override {
    // As with the work: a controller that merely stops leaves the mover to the next one.
    if (!run_.stop_.stop_requested()) mover_.remove();
    if (volume_) return volume_->give_up(why);
    result_.errors.push_back("the mover pod does not run yet: " + why);
    done_(std::move(result_));
  }

 private:
  PodVolumeRestores& run_;
  const Context& context_;
  const BootTime since_;
  Mover mover_;
  backup::PodVolumeRestoreResult result_;
  const Done done_;
  bool late_ = false;
  std::optional<PodJob> volume_;
};

PodVolumeRestores::PodVolumeRestores(const Context& context, velero::Restore restore, location::Location location,
                                     std::stop_token stop)
    : context_(context),
      restore_(std::move(restore)),
      location_(std::move(location)),
      stop_(std::move(stop)),
      follower_(context.clock, context.options.fs_backup_timeout, "restore") {}

void PodVolumeRestores::start(backup::PodVolumeRestoreRequest request, Done done) {
  follower_.add(std::make_unique<PodJob>(*this, std::move(request), std::move(done)));
}

void PodVolumeRestores::start_claim(backup::PodVolumeRestoreRequest claim, Done done) {
  follower_.add(std::make_unique<ClaimJob>(*this, std::move(claim), std::move(done)));
}

void PodVolumeRestores::wait(std::stop_token stop) {
  follower_.wait(stop);
  // A volume that is still written to is not to be judged: the agent ends it soon after it was cancelled.
  const BootTime deadline = context_.clock.boottime() + kCancelWait;
  while (context_.clock.boottime() < deadline && !stop_.stop_requested()) {
    std::erase_if(cancelled_, [&](const std::string& name) {
      const Result<velero::PodVolumeRestore> pvr = context_.objects.get<velero::PodVolumeRestore>(name, stop_);
      return pvr.ok() ? ended(pvr->status.phase) : pvr.is(ErrorCode::not_found);
    });
    if (cancelled_.empty() || !context_.clock.sleep(stop_, kCancelLook)) return;
  }
}

}  // namespace holdfast::control
