#include "backup/claim_facts.h"

#include "backup/json_edit.h"
#include "velero/mover_names.h"
#include "velero/names.h"

namespace holdfast::backup {

void ClaimFacts::learn_claim(Claim& claim, const json::object& object) {
  claim.uid = json::string_at(object, {"metadata", "uid"});
  claim.pv = json::string_at(object, {"spec", "volumeName"});
  claim.block = json::string_at(object, {"spec", "volumeMode"}) == "Block";
  claim.wish = json::string_at(object, {"metadata", "annotations", velero::annotation::kBackupVolume});
}

void ClaimFacts::note(const ItemKey& key, const json::object& object) {
  if (key.group_resource == "persistentvolumeclaims") {
    Claim& claim = claims_[{key.ns, key.name}];
    learn_claim(claim, object);
    claim.taken = true;
  } else if (key.group_resource == "persistentvolumes") {
    velero::PvInfo& volume = volumes_[key.name];
    volume.reclaim_policy = json::string_at(object, {"spec", "persistentVolumeReclaimPolicy"});
    for (const auto& [name, value] : json::object_at(object, {"metadata", "labels"})) {
      if (value.is_string()) volume.labels.emplace(name, value.get_string());
    }
    host_path_[key.name] = json::find(object, {"spec", "hostPath"}) != nullptr;
  }
}

void ClaimFacts::note_skipped(const std::string& ns, const std::string& claim, std::string reason) {
  claims_[{ns, claim}].skipped = std::move(reason);
}

const ClaimFacts::Claim& ClaimFacts::claim(const std::string& ns, const std::string& name) {
  Claim& claim = claims_[{ns, name}];
  if (claim.uid.empty()) {
    const Result<json::value> object = api_.get(kube::types::persistent_volume_claims(), ns, name, stop_);
    if (object && object->is_object()) learn_claim(claim, object->get_object());
  }
  if (claim.pv.empty()) return claim;
  auto known = host_path_.find(claim.pv);
  if (known == host_path_.end()) {
    const Result<json::value> volume = api_.get(kube::types::persistent_volumes(), "", claim.pv, stop_);
    known = host_path_.emplace(claim.pv, volume && json::find(*volume, {"spec", "hostPath"}) != nullptr).first;
  }
  claim.host_path = known->second;
  return claim;
}

Result<velero::VolumeFacts> ClaimFacts::volume_facts(const std::string& ns, const std::string& name) const {
  const json::value object = TRY(api_.get(kube::types::persistent_volume_claims(), ns, name, stop_));
  const std::string pv = json::string_at(object, {"spec", "volumeName"});
  if (pv.empty()) return velero::facts_of_persistent_volume({}, object);
  const json::value volume = TRY(api_.get(kube::types::persistent_volumes(), "", pv, stop_));
  return velero::facts_of_persistent_volume(volume, object);
}

std::vector<std::pair<std::string, std::string>> ClaimFacts::open_claims() const {
  std::vector<std::pair<std::string, std::string>> list;
  for (const auto& [key, claim] : claims_) {
    if (claim.taken && !claim.pv.empty() && !claim.block && claim.skipped.empty()) list.push_back(key);
  }
  return list;
}

std::vector<SkippedVolume> ClaimFacts::skipped() const {
  std::vector<SkippedVolume> list;
  for (const auto& [key, claim] : claims_) {
    if (!claim.taken || claim.pv.empty()) continue;
    list.push_back({key.first, key.second, claim.pv,
                    claim.skipped.empty() ? "no pod of this backup asks for its data;" : claim.skipped});
  }
  return list;
}

}  // namespace holdfast::backup
