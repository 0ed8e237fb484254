#include "backup/restored_data.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backup/json_edit.h"
#include "base/text.h"
#include "velero/names.h"
#include "velero/restore_options.h"
#include "velero/volume_rules.h"

namespace holdfast::backup {
namespace {

ItemKey claim_key(const std::string& ns, const std::string& claim) {
  return {"persistentvolumeclaims", ns, claim};
}

/// An action or a webhook may have taken the wait container away: only what it mounts is waited for.
std::set<std::string> awaited_volumes(const json::object& pod) {
  std::set<std::string> awaited;
  for (const json::value& container : json::array_at(pod, {"spec", "initContainers"})) {
    if (json::string_at(container, {"name"}) != velero::kRestoreWaitContainer) continue;
    for (const json::value& mount : json::array_at(container, {"volumeMounts"})) {
      awaited.insert(json::string_at(mount, {"name"}));
    }
  }
  return awaited;
}

}  // namespace

bool RestoredData::may_be_empty(const std::string& ns, const std::string& claim) const {
  for (const std::string& part : split(allowed_, ',')) {
    const std::string_view name = trim(part);
    if (name == "*" || name == fmt::format("{}/{}", ns, claim)) return true;
  }
  return false;
}

bool RestoredData::comes_back(const std::string& ns, const std::string& claim) const {
  return std::any_of(facts_.volumes.begin(), facts_.volumes.end(),
                     [&](const RestoredVolume& volume) { return volume.pod_namespace == ns && volume.pvc == claim; });
}

std::string RestoredData::lost(const std::string& ns, const std::string& claim) const {
  {
    std::lock_guard lock(mutex_);
    const auto failed = unfilled_.find(claim_key(facts_.mapped(ns), claim));
    if (failed != unfilled_.end()) return failed->second;
  }
  const auto found = record_.unsaved.find(claim_key(ns, claim));
  return found == record_.unsaved.end() || may_be_empty(ns, claim) ? std::string() : found->second;
}

std::vector<RestoredVolume> RestoredData::take(const json::object& source, const json::object& created) {
  const std::set<std::string> awaited = awaited_volumes(created);
  const std::string ns = object_namespace(source);
  const std::string pod = object_name(source);
  const json::value value(source);
  std::vector<RestoredVolume> out;
  std::lock_guard lock(mutex_);
  for (const std::string& name : awaited) {
    const std::string claim = velero::claim_of(value, name);
    const auto found = std::find_if(facts_.volumes.begin(), facts_.volumes.end(), [&](const RestoredVolume& volume) {
      if (volume.pod_namespace != ns) return false;
      return claim.empty() || volume.pvc.empty() ? volume.pod == pod && volume.volume == name : volume.pvc == claim;
    });
    if (found == facts_.volumes.end()) continue;
    if (!claim.empty()) {
      const auto carrier = carriers_.find(claim_key(object_namespace(created), claim));
      if (carrier != carriers_.end() && carrier->second != pod) continue;
      if (!carried_.insert(claim_key(ns, claim)).second) continue;
    }
    out.push_back(*found);
    out.back().pod = pod;
    out.back().volume = name;
  }
  return out;
}

void RestoredData::ended(const PodVolumeRestoreResult& result) {
  const PodVolumeRestoreRequest& request = result.request;
  for (const std::string& error : result.errors) {
    const std::string what = request.by_mover ? fmt::format("claim {}", request.volumes.front().pvc)
                                              : fmt::format("volumes of pod {}", request.pod);
    findings_.error(request.pod_namespace, fmt::format("{}: {}", what, error));
  }
  const std::string reason = fmt::format("{}", fmt::join(result.errors, "; "));
  std::lock_guard lock(mutex_);
  if (!reason.empty() && !request.by_mover) {
    missing_.emplace(ItemKey{"pods", request.pod_namespace, request.pod}, reason);
  }
  for (const RestoredVolume& volume : request.volumes) {
    if (volume.pvc.empty()) continue;
    const ItemKey claim = claim_key(request.pod_namespace, volume.pvc);
    if (reason.empty()) {
      full_.insert(claim);
    } else {
      missing_.emplace(claim, reason);
      if (request.by_mover) unfilled_.emplace(claim, reason);
    }
  }
}

void RestoredData::note_full(const ItemKey& claim) {
  std::lock_guard lock(mutex_);
  full_.insert(claim);
}

bool RestoredData::full(const std::string& ns, const std::string& claim) const {
  std::lock_guard lock(mutex_);
  return full_.contains(claim_key(ns, claim));
}

void RestoredData::judge_claim(const ObjectRestorer::FreshClaim& claim) {
  const ItemKey key = claim_key(claim.ns, claim.name);
  if (!claim.created || missing_.contains(key) || full_.contains(key)) return;
  std::string reason;
  if (const auto unsaved = record_.unsaved.find(claim_key(claim.source_ns, claim.name));
      unsaved != record_.unsaved.end()) {
    reason = unsaved->second;
    if (may_be_empty(claim.source_ns, claim.name)) {
      findings_.warning(claim.ns, fmt::format("claim {} starts empty, as was allowed: {}", claim.name, reason));
      return;
    }
  } else if (comes_back(claim.source_ns, claim.name)) {
    reason = "no pod was restored through which its data comes back";
  } else {
    return;
  }
  findings_.error(claim.ns, fmt::format("claim {} is empty: {}", claim.name, reason));
  missing_.emplace(key, reason);
}

std::map<ItemKey, std::string> RestoredData::judge(const std::vector<ObjectRestorer::FreshClaim>& claims) {
  std::lock_guard lock(mutex_);
  for (const ObjectRestorer::FreshClaim& claim : claims) judge_claim(claim);
  return missing_;
}

}  // namespace holdfast::backup
