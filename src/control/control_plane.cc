#include "control/control_plane.h"

#include <fmt/format.h>

#include "control/backup_controller.h"
#include "control/backup_sync.h"
#include "control/deletion.h"
#include "control/leftovers.h"
#include "control/location_controller.h"
#include "control/mover.h"
#include "control/requests.h"
#include "control/restore_controller.h"
#include "control/schedule_controller.h"
#include "control/volume_repositories.h"
#include "kube/controller.h"
#include "kube/informer.h"
#include "kube/lease.h"

namespace holdfast::control {

namespace {

constexpr Duration kSyncLimit = std::chrono::minutes(2);

/// The controllers with their watches, alive while this process leads.
class ControlPlane {
 public:
  ControlPlane(const Context& context, kube::Api* restore_api)
      : context_(context),
        locations_(context),
        sync_(context),
        schedules_(context),
        backups_(context),
        restores_(context, sync_, restore_api),
        deletion_(context),
        expiry_(context),
        leftovers_(context),
        downloads_(context),
        server_status_(context),
        repositories_(context) {}

  Status run(std::stop_token stop, const std::function<void(bool)>& on_ready) {
    TRY(backups_.take_over(stop).in("take over backups"));
    TRY(restores_.take_over(stop).in("take over restores"));
    TRY(remove_movers(context_, restores_.lost(), stop).in("take over mover pods"));
    add<velero::BackupStorageLocation>(
        "backup-location", [this](const auto& name, auto token) { return locations_.reconcile(name, token); });
    add<velero::BackupStorageLocation>("backup-sync",
                                       [this](const auto& name, auto token) { return sync_.reconcile(name, token); });
    add<velero::Schedule>("schedule",
                          [this](const auto& name, auto token) { return schedules_.reconcile(name, token); });
    add<velero::Backup>("backup", [this](const auto& name, auto token) { return backups_.reconcile(name, token); });
    add<velero::Backup>("gc", [this](const auto& name, auto token) { return expiry_.reconcile(name, token); });
    add<velero::BackupStorageLocation>(
        "leftovers", [this](const auto& name, auto token) { return leftovers_.reconcile(name, token); });
    add<velero::Restore>("restore", [this](const auto& name, auto token) { return restores_.reconcile(name, token); });
    add<velero::DeleteBackupRequest>("backup-deletion",
                                     [this](const auto& name, auto token) { return deletion_.reconcile(name, token); });
    add<velero::DownloadRequest>("download-request",
                                 [this](const auto& name, auto token) { return downloads_.reconcile(name, token); });
    add<velero::ServerStatusRequest>("server-status-request", [this](const auto& name, auto token) {
      return server_status_.reconcile(name, token);
    });
    add<velero::BackupRepository>(
        "backup-repository", [this](const auto& name, auto token) { return repositories_.reconcile(name, token); });
    for (auto& loop : loops_) loop->controller.start();
    for (auto& loop : loops_) loop->informer.start();
    for (auto& loop : loops_) TRY(loop->informer.wait_until_synced(stop, kSyncLimit));
    on_ready(true);
    context_.log.info("controllers run", {{"namespace", context_.options.ns}});
    while (context_.clock.sleep(stop, std::chrono::hours(1))) {
    }
    for (auto& loop : loops_) loop->informer.stop();
    for (auto& loop : loops_) loop->controller.stop();
    return {};
  }

 private:
  struct Loop {
    Loop(kube::Api& api, kube::InformerOptions watched, kube::ControllerOptions worked,
         kube::Controller::Reconcile reconcile)
        : controller(std::move(worked), std::move(reconcile)), informer(api, std::move(watched)) {
      informer.on_change([this](const std::string& name) { controller.enqueue(name); });
    }
    kube::Controller controller;
    kube::Informer informer;
  };

  template <typename T>
  void add(const std::string& name, kube::Controller::Reconcile reconcile) {
    kube::InformerOptions watched;
    watched.type = kube::types::velero(kPlural<T>);
    watched.ns = context_.options.ns;
    watched.clock = &context_.clock;
    watched.log = context_.log;
    kube::ControllerOptions worked;
    worked.name = name;
    worked.log = context_.log;
    worked.queue.clock = &context_.clock;
    // The queue's names are NAMESPACE/NAME; the controllers live in one namespace.
    loops_.push_back(
        std::make_unique<Loop>(context_.api, std::move(watched), std::move(worked),
                               [reconcile = std::move(reconcile)](const std::string& full_name, std::stop_token stop) {
                                 return reconcile(kube::split_name(full_name).second, std::move(stop));
                               }));
  }

  const Context& context_;
  LocationController locations_;
  BackupSync sync_;
  ScheduleController schedules_;
  BackupController backups_;
  RestoreController restores_;
  Deletion deletion_;
  Expiry expiry_;
  Leftovers leftovers_;
  DownloadRequests downloads_;
  ServerStatusRequests server_status_;
  RepositoryController repositories_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

/// A Deployment of Velero's own server with running replicas.
Status refuse_beside_velero(kube::Api& api, const std::string& ns, std::stop_token stop) {
  const kube::ListPage pods = TRY(kube::list_all(api, kube::types::pods(), ns, {}, std::move(stop)));
  for (const json::value& pod : pods.items) {
    if (json::string_at(pod, {"status", "phase"}) != "Running") continue;
    for (const json::value& container : json::array_at(pod, {"spec", "containers"})) {
      const std::vector<std::string> command = json::strings(json::array_at(container, {"command"}));
      const bool server = !command.empty() && command.front() == "/velero" &&
                          json::array_at(container, {"args"}).size() > 0 &&
                          json::array_at(container, {"args"}).front() == "server";
      if (!server) continue;
      return Error(
          ErrorCode::denied,
          fmt::format("a Velero server runs in namespace {} (pod {})", ns, json::string_at(pod, {"metadata", "name"})),
          "scale its Deployment to zero first; two servers would both run every backup");
    }
  }
  return {};
}

}  // namespace

Status run_control_plane(kube::Api& api, Clock& clock, log::Logger log, metrics::Registry& metrics,
                         const ControlOptions& options, const LeadershipOptions& leadership, std::stop_token stop,
                         kube::Api* restore_api) {
  TRY(refuse_beside_velero(api, options.ns, stop));
  location::Locations locations(api, options.ns, {}, clock);
  const Context context{api, VeleroObjects(api, options.ns), clock, log, metrics, locations, options};
  kube::LeaseOptions lease;
  lease.ns = options.ns;
  lease.name = "velero-server";
  lease.identity = leadership.identity;
  lease.lease_duration = leadership.lease_duration;
  lease.renew_deadline = leadership.renew_deadline;
  lease.retry_period = leadership.retry_period;
  lease.clock = &clock;
  lease.log = log;
  kube::LeaderElection election(api, lease);
  leadership.on_ready(true);
  return election.run(std::move(stop), [&](std::stop_token leading) -> Status {
    leadership.on_ready(false);
    // One may have been started while this process stood by.
    TRY(refuse_beside_velero(api, options.ns, leading));
    return ControlPlane(context, restore_api).run(std::move(leading), leadership.on_ready);
  });
}

}  // namespace holdfast::control
