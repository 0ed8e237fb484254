// One whole restore: from the files of a backup in a store to objects in a cluster.
//
// Order: CustomResourceDefinitions (then wait until they are established and discover anew), then the priority list,
// then all other types by name. Objects of one type are created in parallel; the next type starts when the last one
// ended. Done twice, a restore changes nothing more: what exists and is equal is skipped. At the end, when the volumes
// are back, DeploymentConfigs that were brought back at zero get their replicas: the step that OADP leaves to a script.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>

#include "backup/findings.h"
#include "backup/item.h"
#include "backup/tarball.h"
#include "backup/volumes.h"
#include "kube/api.h"
#include "objstore/store.h"
#include "velero/layout.h"
#include "velero/resource_list.h"
#include "velero/results.h"
#include "velero/types.h"
#include "velero/volume_info.h"

namespace holdfast::backup {

/// What one of the ConfigMaps labelled velero.io/plugin-config says.
struct RestorePlugins {
  std::map<std::string, std::string> storage_classes;            ///< change-storage-class
  std::vector<std::pair<std::string, std::string>> image_names;  ///< change-image-name
};

/// What an earlier life of the same Restore did, where its process is gone.
struct ResumedRestore {
  bool again = false;                       ///< objects that bear the Restore's name were made by it
  std::set<ItemKey> begun_pods;             ///< of the target: their volumes were begun, so that they may have started
  std::set<ItemKey> full_claims;            ///< of the target: their data is back
  std::map<ItemKey, std::string> carriers;  ///< claim of the target: the pod through which it is being filled
};

struct RestoreRun {
  velero::Layout layout;
  velero::Restore restore;  ///< the Restore object, defaults filled in, backupName set
  ResumedRestore resumed = {};
  RestorePlugins plugins = {};
  RestoreWaitOptions restore_wait = {};
  std::string resource_modifier = {};        ///< YAML of the ConfigMap that spec.resourceModifier names; empty: none
  std::vector<std::string> priorities = {};  ///< empty: default_priorities()
  size_t parallel = 16;                      ///< creates at a time
  Duration crd_wait = std::chrono::minutes(1);
  Duration terminating_wait = std::chrono::minutes(10);  ///< for a namespace of that name to be gone
  Duration pull_secret_wait = std::chrono::minutes(5);
  Duration pods_gone_wait = std::chrono::minutes(5);  ///< for pods that were cut off from their DeploymentConfigs
  Tarball::Limits tarball = {};
  std::function<void(int total, int done)> on_progress = {};  ///< from any thread
  log::Logger log = {};
  Clock* clock = &system_clock();
};

struct RestoreOutcome {
  std::string phase;  ///< Completed or PartiallyFailed
  int items = 0;
  int hooks_attempted = 0;
  int hooks_failed = 0;
  velero::Results results;
  velero::ResourceList resource_list;
  std::vector<velero::RestoreVolumeInfo> volume_infos;
};

/// Runs it and writes restores/R/: log, results, resource list, item operations, volumeinfo (a failure there is a
/// warning: the location may be read-only). An Error means phase Failed: the backup could not be read or the API server
/// not be reached.
[[nodiscard]] Result<RestoreOutcome> run_restore(kube::Api& api, objstore::Store& store, const RestoreRun& run,
                                                 VolumeRestores* volumes, std::stop_token stop = {});

}  // namespace holdfast::backup
