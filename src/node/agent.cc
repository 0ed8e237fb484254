#include "node/agent.h"

#include <fmt/format.h>

#include <thread>

#include "kube/controller.h"
#include "kube/informer.h"
#include "node/host_volumes.h"
#include "node/pod_volume_backup.h"
#include "node/pod_volume_restore.h"
#include "velero/names.h"

namespace holdfast::node {

namespace {

const std::string kBackups = "podvolumebackups";
const std::string kRestores = "podvolumerestores";
const std::string kNew(velero::phase::kNew);
const std::string kInProgress(velero::phase::kInProgress);
const std::string kPods = "pods";

bool is_new(const std::string& phase) {
  return phase.empty() || phase == kNew;
}

/// Somebody had begun it: a former life of this agent, or a Velero that was here before.
bool is_begun(const std::string& phase) {
  return phase == kInProgress || phase == velero::phase::kAccepted || phase == velero::phase::kPrepared ||
         phase == velero::phase::kCanceling;
}

WorkOptions shared_out(const AgentOptions& options) {
  WorkOptions out = options.work;
  out.share = share_engine(options.memory, options.workers, std::thread::hardware_concurrency());
  return out;
}

class Agent {
 public:
  Agent(kube::Api& api, Clock& clock, const log::Logger& log, metrics::Registry& metrics, const AgentOptions& options)
      : options_(options),
        locations_(api, options.work.ns),
        metrics_(metrics, options.work.node),
        context_{api, clock, log, locations_, metrics_, shared_out(options)},
        controller_(controller_options(),
                    [this](const std::string& name, std::stop_token stop) { return reconcile(name, std::move(stop)); }),
        backups_(api, informer_options(kBackups)),
        restores_(api, informer_options(kRestores)),
        pods_(api, pod_options()) {
    // Both kinds go through one queue, so that the number of workers bounds them together.
    backups_.on_change([this](const std::string& name) { controller_.enqueue(kBackups + "/" + name); });
    restores_.on_change([this](const std::string& name) { controller_.enqueue(kRestores + "/" + name); });
    pods_.on_change([this](const std::string& name) { controller_.enqueue(kPods + "/" + name); });
  }

  Status run(const std::stop_token& stop) {
    controller_.start();
    backups_.start();
    restores_.start();
    pods_.start();
    TRY(backups_.wait_until_synced(stop, options_.sync_limit).in("list of PodVolumeBackups"));
    TRY(restores_.wait_until_synced(stop, options_.sync_limit).in("list of PodVolumeRestores"));
    TRY(pods_.wait_until_synced(stop, options_.sync_limit).in("list of this node's pods"));
    context_.log.info("node agent runs", {{"node", context_.options.node},
                                          {"workers", context_.options.share.workers},
                                          {"readers", context_.options.share.readers}});
    while (context_.clock.sleep(stop, std::chrono::hours(1))) {
    }
    backups_.stop();
    restores_.stop();
    pods_.stop();
    controller_.stop();
    return {};
  }

 private:
  kube::ControllerOptions controller_options() const {
    kube::ControllerOptions out;
    out.name = "pod-volume";
    out.workers = context_.options.share.workers;
    out.log = context_.log;
    out.queue.clock = &context_.clock;
    return out;
  }
  kube::InformerOptions informer_options(const std::string& plural) const {
    kube::InformerOptions out;
    out.type = kube::types::velero(plural);
    out.ns = context_.options.ns;
    out.clock = &context_.clock;
    out.log = context_.log;
    return out;
  }

  kube::InformerOptions pod_options() const {
    kube::InformerOptions out;
    out.type = kube::types::pods();
    out.field_selector = "spec.nodeName=" + context_.options.node;
    out.clock = &context_.clock;
    out.log = context_.log;
    return out;
  }

  /// `name`: "PLURAL/NAMESPACE/NAME".
  Result<kube::After> reconcile(const std::string& name, std::stop_token stop) {
    const size_t slash = name.find('/');
    const std::string plural = name.substr(0, slash);
    if (plural == kPods) return look_at_pod(name.substr(slash + 1), stop);
    const std::string object_name = kube::split_name(name.substr(slash + 1)).second;
    // The copies of the informers may be behind; what is begun here must be begun from the truth. But what they know to
    // be over stays so.
    const kube::Informer::Object seen =
        (plural == kBackups ? backups_ : restores_).get(context_.options.ns + "/" + object_name);
    if (seen == nullptr) return kube::After::done();
    if (plural == kRestores && is_completed(*seen)) return look_at_completed(*seen, stop);
    if (!concerns_us(plural, *seen)) return kube::After::done();
    const Result<json::value> object =
        context_.api.get(kube::types::velero(plural), context_.options.ns, object_name, stop);
    if (object.is(ErrorCode::not_found)) return kube::After::done();
    if (!object) return object.error();
    Result<kube::After> result = plural == kBackups ? backup(*object, stop) : restore(*object, stop);
    // Somebody else was faster, or the agent stops: neither is a failure.
    if (result.is(ErrorCode::conflict) || (!result && stop.stop_requested())) return kube::After::done();
    return result;
  }

  static bool is_completed(const json::value& object) {
    return json::string_at(object, {"status", "phase"}) == velero::phase::kCompleted;
  }

  /// A pod of this node: after a boot its restored volumes are waited for again, though they are long back.
  Result<kube::After> look_at_pod(const std::string& full_name, const std::stop_token& stop) {
    const kube::Informer::Object pod = pods_.get(full_name);
    if (pod == nullptr || wait_state(*pod) != WaitState::waiting) return kube::After::done();
    const std::string uid = json::string_at(*pod, {"metadata", "uid"});
    for (const kube::Informer::Object& restore : restores_.list()) {
      if (json::string_at(*restore, {"spec", "pod", "uid"}) != uid || !is_completed(*restore)) continue;
      TRY(mark_again(context_, TRY(velero::decode<velero::PodVolumeRestore>(*restore)), stop));
    }
    return kube::After::done();
  }
  Result<kube::After> look_at_completed(const json::value& restore, const std::stop_token& stop) {
    const std::string pod = json::string_at(restore, {"spec", "pod", "namespace"}) + "/" +
                            json::string_at(restore, {"spec", "pod", "name"});
    // Most of them are history: only a pod of this node that waits is worth a question to the server.
    const kube::Informer::Object seen = pods_.get(pod);
    if (seen == nullptr || wait_state(*seen) != WaitState::waiting) return kube::After::done();
    TRY(mark_again(context_, TRY(velero::decode<velero::PodVolumeRestore>(restore)), stop));
    return kube::After::done();
  }

  bool concerns_us(const std::string& plural, const json::value& object) const {
    const std::string phase = json::string_at(object, {"status", "phase"});
    if (!is_new(phase) && !is_begun(phase)) return false;
    return plural == kRestores || json::string_at(object, {"spec", "node"}) == context_.options.node;
  }

  Result<kube::After> backup(const json::value& object, const std::stop_token& stop) {
    const std::string phase = json::string_at(object, {"status", "phase"});
    const velero::PodVolumeBackup decoded = TRY(velero::decode<velero::PodVolumeBackup>(object));
    if (is_new(phase)) {
      TRY(run_pod_volume_backup(context_, decoded, stop));
    } else if (is_begun(phase)) {
      // No worker of this process has it, or we would not be here: it is a former life's.
      const WorkName own{kBackups, decoded.metadata.name, "", "", ""};
      context_.log.error("pod volume backup ends, as the node agent was restarted",
                         {{"podvolumebackup", decoded.metadata.name}});
      TRY(write_ending(context_, own,
                       {std::string(velero::phase::kFailed),
                        "node agent restarted: a copy made later would not be of the moment of this backup"},
                       stop));
    }
    return kube::After::done();
  }

  Result<kube::After> restore(const json::value& object, const std::stop_token& stop) {
    const std::string phase = json::string_at(object, {"status", "phase"});
    if (!is_new(phase) && !is_begun(phase)) return kube::After::done();
    const velero::PodVolumeRestore decoded = TRY(velero::decode<velero::PodVolumeRestore>(object));
    const bool ours = phase == kInProgress && decoded.status.node == context_.options.node;
    const Result<json::value> pod = find_pod(context_.api, decoded.spec.pod, stop);
    if (pod.is(ErrorCode::not_found)) {
      // Which node it was on is not known any more; any agent may say that it is gone.
      TRY(refuse_pod_volume_restore(context_, decoded, pod.error(), stop));
      return kube::After::done();
    }
    if (!pod) return pod.error();
    const std::string node = json::string_at(*pod, {"spec", "nodeName"});
    if (node.empty()) return kube::After::in(options_.wait_look);
    if (node != context_.options.node) return kube::After::done();
    if (const Result<WorkName> name = name_work(decoded); !name) {
      TRY(refuse_pod_volume_restore(context_, decoded, name.error(), stop));
      return kube::After::done();
    } else if (const Result<json::value> owner = running_owner(context_, *name, stop); !owner) {
      if (!owner.is(ErrorCode::conflict)) return owner.error();
      TRY(refuse_pod_volume_restore(context_, decoded, owner.error(), stop));
      return kube::After::done();
    }
    if (decoded.spec.cancel || phase == velero::phase::kCanceling) {
      TRY(refuse_pod_volume_restore(context_, decoded, Error(ErrorCode::cancelled, "cancelled on request"), stop));
      return kube::After::done();
    }
    switch (by_mover(decoded) ? mover_state(*pod) : wait_state(*pod)) {
      case WaitState::absent:
        TRY(refuse_pod_volume_restore(
            context_, decoded,
            Error(ErrorCode::invalid,
                  fmt::format("pod {}/{} {}", decoded.spec.pod.namespace_, decoded.spec.pod.name,
                              by_mover(decoded) ? "is a mover and has ended"
                                                : "has no container restore-wait: its program may run already")),
            stop));
        return kube::After::done();
      case WaitState::not_yet:
        return kube::After::in(options_.wait_look);
      case WaitState::over:
        return end_of_wait(decoded, ours, stop);
      case WaitState::waiting:
        break;
    }
    if (is_begun(phase)) {
      context_.log.info("pod volume restore begins anew, as the node agent was restarted",
                        {{"podvolumerestore", decoded.metadata.name}});
    }
    TRY(run_pod_volume_restore(context_, decoded, {"", kNew, phase}, stop));
    return kube::After::done();
  }

  /// The container ends well only when every volume was marked; a former life did not come to say so.
  Result<kube::After> end_of_wait(const velero::PodVolumeRestore& restore, bool begun, const std::stop_token& stop) {
    const WorkName own{kRestores, restore.metadata.name, "", "", ""};
    if (begun) {
      TRY(write_ending(context_, own, {std::string(velero::phase::kCompleted)}, stop));
    } else {
      TRY(write_ending(context_, own,
                       {std::string(velero::phase::kFailed), "the pod had ended its wait before this was begun"},
                       stop));
    }
    return kube::After::done();
  }

  const AgentOptions options_;
  location::Locations locations_;
  PodVolumeMetrics metrics_;
  const WorkContext context_;
  kube::Controller controller_;
  kube::Informer backups_;
  kube::Informer restores_;
  kube::Informer pods_;  ///< of this node
};

}  // namespace

Status run_agent(kube::Api& api, Clock& clock, const log::Logger& log, metrics::Registry& metrics, AgentOptions options,
                 std::stop_token stop) {
  if (options.work.node.empty()) {
    return Error(ErrorCode::invalid, "the node's name is not known", "set NODE_NAME from the pod's spec.nodeName");
  }
  Agent agent(api, clock, log, metrics, options);
  return agent.run(stop);
}

}  // namespace holdfast::node
