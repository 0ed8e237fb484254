// Volume policies: the YAML in the ConfigMap of spec.resourcePolicy, which says by its properties how a volume is
// saved.
//
//   version: v1
//   volumePolicies:
//   - conditions: {capacity: "10Gi,100Gi", storageClass: [gp2], nfs: {}, csi: {driver: x}, volumeTypes: [emptyDir]}
//     action: {type: skip}
//
// The first policy whose conditions all hold decides. Read as Velero 1.18 reads it (with pvcLabels and pvcPhase),
// faults in Velero's words. What it knows and we do not do is refused by name: action snapshot and
// includeExcludePolicy. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "velero/types/meta.h"

namespace holdfast::velero {

enum class VolumeAction { skip, fs_backup };

/// What conditions look at.
struct VolumeFacts {
  long double capacity = 0;  ///< bytes; 0 for volumes without a claim
  std::string storage_class;
  struct Nfs {
    std::string server;
    std::string path;
  };
  std::optional<Nfs> nfs;
  struct Csi {
    std::string driver;
    StringMap attributes;
  };
  std::optional<Csi> csi;
  std::string type;  ///< the member that says the volume's kind: "nfs", "emptyDir"; empty where none is known
  StringMap pvc_labels;
  std::string pvc_phase;
};
/// Of a PersistentVolume with its claim (null: none), and of a pod's volume that has no claim.
[[nodiscard]] VolumeFacts facts_of_persistent_volume(const json::value& volume, const json::value& claim);
[[nodiscard]] VolumeFacts facts_of_pod_volume(const json::value& volume);

class ResourcePolicy {
 public:
  /// invalid, with Velero's text; unsupported for what is refused by name.
  [[nodiscard]] static Result<ResourcePolicy> parse(std::string_view yaml);
  /// Nothing where no policy matches: then annotations and defaults decide.
  [[nodiscard]] std::optional<VolumeAction> action(const VolumeFacts& volume) const;

 private:
  struct Rule {
    long double least = 0;  ///< capacity; 0: no limit
    long double most = 0;   ///< likewise
    StringList storage_classes;
    std::optional<VolumeFacts::Nfs> nfs;
    std::optional<VolumeFacts::Csi> csi;
    StringList types;
    StringMap pvc_labels;
    StringList pvc_phases;
    VolumeAction action = VolumeAction::skip;
    [[nodiscard]] bool matches(const VolumeFacts& volume) const;
  };
  class Reader;
  std::vector<Rule> rules_;
};

/// The policy in the data of that ConfigMap, which has exactly one key. Errors as validationErrors show them.
[[nodiscard]] Result<ResourcePolicy> resource_policy_of(const json::value& config_map, const std::string& namespace_,
                                                        const std::string& name);

/// A Kubernetes quantity ("10Gi", "1.5k", "2e3"); nothing where the text is none or negative.
[[nodiscard]] std::optional<long double> parse_quantity(std::string_view text);

}  // namespace holdfast::velero
