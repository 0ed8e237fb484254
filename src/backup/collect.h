// Collecting: which objects a Backup takes, in which order, with hooks, item actions and volume requests; each object
// goes to the tarball as soon as it is read.
//
// Memory: one page of a list (500 objects), the names of what was taken, and for OpenShift the pods of namespaces with
// DeploymentConfigs. A failure of one object or type is a finding and the rest goes on; only a failed discovery or a
// failed tarball ends it. Pre hooks and objects run on the calling thread; post hooks of pods with volumes on four
// threads as the volumes end.
#pragma once

#include <map>
#include <set>
#include <stop_token>
#include <string>

#include "backup/findings.h"
#include "backup/tarball.h"
#include "backup/volumes.h"
#include "kube/api.h"
#include "velero/resource_list.h"
#include "velero/resource_policy.h"
#include "velero/types.h"
#include "velero/volume_info.h"

namespace holdfast::backup {

struct CollectOptions {
  velero::Backup backup;                                 ///< the Backup object, defaults filled in
  bool default_fs_backup = false;                        ///< where the spec does not say
  std::optional<velero::ResourcePolicy> policy;          ///< of spec.resourcePolicy
  size_t list_apart_max = 8;                             ///< up to so many namespaces are listed one by one
  std::function<void(int total, int done)> on_progress;  ///< from the collecting thread
  Clock* clock = &system_clock();                        ///< run_backup() sets its own
};

/// A volume that was seen and not saved.
struct SkippedVolume {
  std::string ns;
  std::string pvc;
  std::string pv;
  std::string reason;
  bool failed = false;  ///< it was to be saved
};

struct Collected {
  velero::ResourceList resource_list;
  int items = 0;  ///< taken, and tried: pods whose pre hook failed too
  int hooks_attempted = 0;
  int hooks_failed = 0;
  std::vector<PodVolumeResult> volumes;
  std::vector<SkippedVolume> skipped_volumes;
  std::map<std::string, velero::PvInfo> persistent_volumes;  ///< by name, of those taken
};

/// Collects into `tarball`; does not finish() it. `volumes` may be null: no volume data is asked for, with a finding
/// for each volume that would have been.
[[nodiscard]] Result<Collected> collect(kube::Api& api, const CollectOptions& options, TarballWriter& tarball,
                                        VolumeBackups* volumes, Findings& findings, std::stop_token stop = {});

}  // namespace holdfast::backup
