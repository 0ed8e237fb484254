// What every controller of an installation works with. Owned by the control plane, which outlives them; all of it may
// be used from any thread.
#pragma once

#include <string>

#include "backup/item_action.h"
#include "base/log.h"
#include "base/metrics.h"
#include "control/velero_objects.h"
#include "location/location.h"

namespace holdfast::control {

struct ControlOptions {
  std::string ns = "velero";
  std::string site;     ///< name of this site, for the annotations of backups
  std::string version;  ///< of this program
  std::string spill_directory = "/tmp";
  std::string default_location = "default";
  bool default_volumes_to_fs_backup = false;
  Duration default_backup_ttl = std::chrono::hours(720);
  Duration default_item_operation_timeout = std::chrono::hours(4);
  Duration default_validation_frequency = std::chrono::minutes(1);
  Duration default_sync_period = std::chrono::minutes(1);
  Duration fs_backup_timeout = std::chrono::hours(4);
  Duration restore_sync_wait = std::chrono::minutes(2);  ///< how long a Restore waits for its Backup to be synced
  Duration schedule_wait = std::chrono::minutes(10);     ///< for a restored pod to be put on a node
  Duration garbage_collection_frequency = std::chrono::hours(1);
  Duration repository_check = std::chrono::hours(1);    ///< how often a Ready volume repository is opened
  Duration repository_retry = std::chrono::minutes(1);  ///< and one that is not
  size_t restore_parallel = 16;
  backup::RestoreWaitOptions restore_wait;
};

struct Context {
  kube::Api& api;
  VeleroObjects objects;
  Clock& clock;
  log::Logger log;
  metrics::Registry& metrics;
  location::Locations& locations;
  const ControlOptions& options;
};

}  // namespace holdfast::control
