#include "control/pod_volumes.h"

#include <fmt/format.h>

#include <algorithm>

#include "location/volume_repository.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {

constexpr Duration kLook = std::chrono::milliseconds(100);

bool ended(const std::string& phase) {
  return phase == velero::phase::kCompleted || phase == velero::phase::kFailed || phase == velero::phase::kCanceled;
}

std::string failure_text(std::string_view kind, const std::string& volume, const std::string& message) {
  return fmt::format("{} of volume {} failed: {}", kind, volume, message.empty() ? "no reason was given" : message);
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

PodVolumeBackups::PodVolumeBackups(const Context& context, velero::Backup backup,
                                   velero::BackupStorageLocation location)
    : context_(context),
      backup_(std::move(backup)),
      location_(std::move(location)),
      deadline_(context.clock.boottime() + context.options.fs_backup_timeout) {
  const std::string own = backup_.metadata.annotation(velero::annotation::kPodVolumeTimeout);
  if (const Result<Duration> limit = parse_go_duration(own); limit.ok()) deadline_ = context.clock.boottime() + *limit;
  follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
}

PodVolumeBackups::~PodVolumeBackups() {
  follower_.request_stop();
  if (follower_.joinable()) follower_.join();
  give_up("the backup has ended");
}

void PodVolumeBackups::start(const json::object&, std::vector<backup::PodVolumeRequest> volumes, Done done) {
  Pod pod;
  pod.done = std::move(done);
  const Result<bool> agent = volumes.empty() ? Result<bool>(true) : agent_runs_on(context_, volumes.front().node, {});
  for (backup::PodVolumeRequest& volume : volumes) {
    backup::PodVolumeResult result;
    std::string name;
    if (!agent) {
      result.error = agent.error().message();
    } else if (!*agent) {
      result.error = fmt::format("volume {} of pod {}/{}: no node agent runs on node {}", volume.volume,
                                 volume.pod_namespace, volume.pod, volume.node);
    } else if (Result<std::string> asked = ask_for(volume); asked.ok()) {
      name = std::move(*asked);
    } else {
      result.error = asked.error()
                         .in(fmt::format("volume {} of pod {}/{}", volume.volume, volume.pod_namespace, volume.pod))
                         .message();
    }
    result.request = std::move(volume);
    pod.results.push_back(std::move(result));
    pod.names.push_back(std::move(name));
  }
  std::lock_guard lock(mutex_);
  pods_.push_back(std::move(pod));
  ++open_;
}

Result<std::string> PodVolumeBackups::ask_for(const backup::PodVolumeRequest& volume) {
  velero::PodVolumeBackup pvb;
  pvb.metadata.generate_name = backup_.metadata.name + "-";
  pvb.metadata.namespace_ = context_.objects.ns();
  pvb.metadata.labels = {{std::string(velero::label::kBackupName), velero::label_value(backup_.metadata.name)},
                         {std::string(velero::label::kBackupUid), backup_.metadata.uid}};
  if (!volume.pvc_uid.empty()) pvb.metadata.labels[std::string(velero::label::kPvcUid)] = volume.pvc_uid;
  if (!volume.pvc.empty()) pvb.metadata.annotations[std::string(velero::annotation::kPvcName)] = volume.pvc;
  pvb.metadata.owner_references = {
      {"velero.io/v1", "Backup", backup_.metadata.name, backup_.metadata.uid, true, std::nullopt, {}}};
  pvb.spec.node = volume.node;
  pvb.spec.pod = {"Pod", volume.pod_namespace, volume.pod, volume.pod_uid, {}};
  pvb.spec.volume = volume.volume;
  pvb.spec.backup_storage_location = location_.metadata.name;
  pvb.spec.repo_identifier = location::repository_identifier(location_, volume.pod_namespace);
  pvb.spec.uploader_type = "restic";
  pvb.spec.tags = {{"backup", backup_.metadata.name}, {"backup-uid", backup_.metadata.uid}, {"pod", volume.pod},
                   {"pod-uid", volume.pod_uid},       {"ns", volume.pod_namespace},         {"volume", volume.volume}};
  if (!volume.pvc_uid.empty()) pvb.spec.tags["pvc-uid"] = volume.pvc_uid;
  return TRY(context_.objects.create(pvb)).metadata.name;
}

void PodVolumeBackups::follow(const std::stop_token& stop) {
  while (context_.clock.sleep(stop, kLook)) {
    // Looking asks the API and calls back: never with the lock held.
    std::list<Pod> mine;
    {
      std::lock_guard lock(mutex_);
      mine.swap(pods_);
    }
    size_t done = 0;
    for (auto pod = mine.begin(); pod != mine.end();) {
      look(*pod, stop);
      const bool all =
          std::all_of(pod->names.begin(), pod->names.end(), [](const std::string& name) { return name.empty(); });
      if (all) {
        pod->done(std::move(pod->results));
        pod = mine.erase(pod);
        ++done;
      } else {
        ++pod;
      }
    }
    {
      std::lock_guard lock(mutex_);
      open_ -= done;
      pods_.splice(pods_.begin(), mine);
    }
    changed_.notify_all();
  }
}

void PodVolumeBackups::look(Pod& pod, const std::stop_token& stop) {
  for (size_t i = 0; i < pod.names.size(); ++i) {
    if (pod.names[i].empty()) continue;
    backup::PodVolumeResult& result = pod.results[i];
    const Result<velero::PodVolumeBackup> pvb = context_.objects.get<velero::PodVolumeBackup>(pod.names[i], stop);
    if (!pvb) {
      if (!pvb.is(ErrorCode::not_found)) continue;  // asked again at the next look
      result.error = failure_text("backup", result.request.volume, "its PodVolumeBackup was deleted");
    } else if (!ended(pvb->status.phase)) {
      continue;
    } else {
      result.backup = *pvb;
      if (pvb->status.phase != velero::phase::kCompleted) {
        result.error = failure_text("backup", result.request.volume, pvb->status.message);
      }
    }
    pod.names[i].clear();
  }
}

void PodVolumeBackups::wait(std::stop_token stop) {
  {
    std::unique_lock lock(mutex_);
    while (open_ > 0 && !stop.stop_requested() && context_.clock.boottime() < deadline_) {
      changed_.wait_for(lock, stop, std::chrono::milliseconds(200), [&] { return open_ == 0; });
    }
  }
  // The follower may hold pods outside the list while it looks at them: it ends before what is left is counted.
  follower_.request_stop();
  if (follower_.joinable()) follower_.join();
  give_up(stop.stop_requested() ? "the backup was stopped" : "no end within the time-out");
}

void PodVolumeBackups::give_up(const std::string& why) {
  std::list<Pod> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(pods_);
    open_ = 0;
  }
  for (Pod& pod : left) {
    for (size_t i = 0; i < pod.names.size(); ++i) {
      if (pod.names[i].empty()) continue;
      json::object patch;
      json::set(patch, {"spec", "cancel"}, true);
      // Should this not arrive: agents drop work of Backups that are no longer InProgress.
      static_cast<void>(context_.objects.merge<velero::PodVolumeBackup>(pod.names[i], std::move(patch)));
      pod.results[i].error = failure_text("backup", pod.results[i].request.volume, why);
    }
    pod.done(std::move(pod.results));
  }
}

// ---- restores

PodVolumeRestores::PodVolumeRestores(const Context& context, velero::Restore restore,
                                     velero::BackupStorageLocation location)
    : context_(context),
      restore_(std::move(restore)),
      location_(std::move(location)),
      deadline_(context.clock.boottime() + context.options.fs_backup_timeout) {
  follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
}

PodVolumeRestores::~PodVolumeRestores() {
  follower_.request_stop();
  if (follower_.joinable()) follower_.join();
  give_up("the restore has ended");
}

void PodVolumeRestores::start(backup::PodVolumeRestoreRequest request, Done done) {
  Pod pod;
  pod.result.request = std::move(request);
  pod.since = context_.clock.boottime();
  pod.done = std::move(done);
  std::lock_guard lock(mutex_);
  pods_.push_back(std::move(pod));
  ++open_;
}

void PodVolumeRestores::follow(const std::stop_token& stop) {
  while (context_.clock.sleep(stop, kLook)) {
    std::list<Pod> mine;
    {
      std::lock_guard lock(mutex_);
      mine.swap(pods_);
    }
    size_t done = 0;
    for (auto pod = mine.begin(); pod != mine.end();) {
      if (look(*pod, stop)) {
        pod->done(std::move(pod->result));
        pod = mine.erase(pod);
        ++done;
      } else {
        ++pod;
      }
    }
    {
      std::lock_guard lock(mutex_);
      open_ -= done;
      pods_.splice(pods_.begin(), mine);
    }
    changed_.notify_all();
  }
}

bool PodVolumeRestores::look(Pod& pod, const std::stop_token& stop) {
  const backup::PodVolumeRestoreRequest& request = pod.result.request;
  if (!pod.asked) {
    const Result<json::value> object = context_.api.get(kube::types::pods(), request.pod_namespace, request.pod, stop);
    if (object.is(ErrorCode::not_found) ||
        (object.ok() && json::string_at(*object, {"metadata", "uid"}) != request.pod_uid)) {
      pod.result.errors.push_back(
          fmt::format("pod {}/{} was deleted before its volumes were restored", request.pod_namespace, request.pod));
      return true;
    }
    if (object.ok() && !json::string_at(*object, {"spec", "nodeName"}).empty()) {
      ask_for(pod, *object, stop);
    } else if (context_.clock.boottime() - pod.since > context_.options.schedule_wait) {
      pod.result.errors.push_back(fmt::format("pod {}/{} was not put on a node within {}", request.pod_namespace,
                                              request.pod, format_go_duration(context_.options.schedule_wait)));
      return true;
    }
    return pod.asked && pod.names.empty();
  }
  std::erase_if(pod.names, [&](const std::string& name) {
    const Result<velero::PodVolumeRestore> pvr = context_.objects.get<velero::PodVolumeRestore>(name, stop);
    if (!pvr) {
      if (!pvr.is(ErrorCode::not_found)) return false;
      pod.result.errors.push_back(fmt::format("PodVolumeRestore {} was deleted", name));
      return true;
    }
    if (!ended(pvr->status.phase)) return false;
    if (pvr->status.phase != velero::phase::kCompleted) {
      pod.result.errors.push_back(failure_text("restore", pvr->spec.volume, pvr->status.message));
    }
    return true;
  });
  return pod.names.empty();
}

void PodVolumeRestores::ask_for(Pod& pod, const json::value& object, const std::stop_token& stop) {
  pod.asked = true;
  const backup::PodVolumeRestoreRequest& request = pod.result.request;
  const std::string node = json::string_at(object, {"spec", "nodeName"});
  if (const Result<bool> agent = agent_runs_on(context_, node, stop); agent.ok() && !*agent) {
    pod.result.errors.push_back(
        fmt::format("pod {}/{}: no node agent runs on node {}", request.pod_namespace, request.pod, node));
    return;
  }
  for (const backup::RestoredVolume& volume : request.volumes) {
    velero::PodVolumeRestore pvr;
    pvr.metadata.generate_name = restore_.metadata.name + "-";
    pvr.metadata.namespace_ = context_.objects.ns();
    pvr.metadata.labels = {{std::string(velero::label::kRestoreName), velero::label_value(restore_.metadata.name)},
                           {std::string(velero::label::kRestoreUid), restore_.metadata.uid},
                           {std::string(velero::label::kPodUid), request.pod_uid}};
    pvr.metadata.owner_references = {
        {"velero.io/v1", "Restore", restore_.metadata.name, restore_.metadata.uid, true, std::nullopt, {}}};
    pvr.spec.pod = {"Pod", request.pod_namespace, request.pod, request.pod_uid, {}};
    pvr.spec.volume = volume.volume;
    pvr.spec.backup_storage_location = location_.metadata.name;
    pvr.spec.repo_identifier = volume.repo_identifier;
    pvr.spec.uploader_type = volume.uploader;
    pvr.spec.snapshot_id = volume.snapshot_id;
    pvr.spec.source_namespace = volume.pod_namespace;
    pvr.spec.snapshot_size = volume.size;
    Result<velero::PodVolumeRestore> made = context_.objects.create(pvr, stop);
    if (made.ok()) {
      pod.names.push_back(made->metadata.name);
    } else {
      pod.result.errors.push_back(made.error().in(fmt::format("volume {}", volume.volume)).message());
    }
  }
}

void PodVolumeRestores::wait(std::stop_token stop) {
  {
    std::unique_lock lock(mutex_);
    while (open_ > 0 && !stop.stop_requested() && context_.clock.boottime() < deadline_) {
      changed_.wait_for(lock, stop, std::chrono::milliseconds(200), [&] { return open_ == 0; });
    }
  }
  follower_.request_stop();
  if (follower_.joinable()) follower_.join();
  give_up(stop.stop_requested() ? "the restore was stopped" : "no end within the time-out");
}

void PodVolumeRestores::give_up(const std::string& why) {
  std::list<Pod> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(pods_);
    open_ = 0;
  }
  for (Pod& pod : left) {
    for (const std::string& name : pod.names) {
      json::object patch;
      json::set(patch, {"spec", "cancel"}, true);
      static_cast<void>(context_.objects.merge<velero::PodVolumeRestore>(name, std::move(patch)));
    }
    const backup::PodVolumeRestoreRequest& request = pod.result.request;
    pod.result.errors.push_back(fmt::format("volumes of pod {}/{}: {}", request.pod_namespace, request.pod, why));
    pod.done(std::move(pod.result));
  }
}

}  // namespace holdfast::control
