// What a backup learns of PersistentVolumeClaims and their volumes while it runs. One thread.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "backup/collect.h"

namespace holdfast::backup {

class ClaimFacts {
 public:
  struct Claim {
    std::string uid;
    std::string pv;
    bool host_path = false;  ///< the PV is of that type
    std::string skipped;     ///< why its data is not saved
    bool taken = false;      ///< the claim is in the backup
    bool block = false;      ///< a block device, which has no files
    std::string wish;        ///< its annotation holdfast.dev/backup-volume
  };

  ClaimFacts(kube::Api& api, std::stop_token stop) : api_(api), stop_(std::move(stop)) {}

  /// Learns from an object of the backup; others than PVCs and PVs tell nothing.
  void note(const ItemKey& key, const json::object& object);
  void note_skipped(const std::string& ns, const std::string& claim, std::string reason);
  /// What is known, else what the API server says; an empty Claim where it does not answer.
  const Claim& claim(const std::string& ns, const std::string& name);

  /// What policies look at: the claim and its volume as the API server has them now; of an unbound claim there is
  /// little.
  [[nodiscard]] Result<velero::VolumeFacts> volume_facts(const std::string& ns, const std::string& name) const;

  /// The claims of the backup that are bound to a volume with files, and of which no pod has said why they are skipped.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> open_claims() const;
  /// Every bound claim of the backup, as if none were saved.
  [[nodiscard]] std::vector<SkippedVolume> skipped() const;
  [[nodiscard]] std::map<std::string, velero::PvInfo> persistent_volumes() const { return volumes_; }

 private:
  void learn_claim(Claim& claim, const json::object& object);
  kube::Api& api_;
  std::stop_token stop_;
  std::map<std::pair<std::string, std::string>, Claim> claims_;
  std::map<std::string, velero::PvInfo> volumes_;
  std::map<std::string, bool> host_path_;  ///< by PV
};

}  // namespace holdfast::backup
