// What becomes of the data of one restore: which pod brings back which volume, which claims have their data, and which
// come up without it. Only for run_restore.cc.
//
// A claim that several pods mount is filled once, through the first of them that is made; the others only wait. A claim
// that this restore made and did not fill is an error, whatever the reason: on an empty volume an application starts as
// on its first day. From any thread.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "backup/findings.h"
#include "backup/object_restorer.h"
#include "backup/unsaved_claims.h"
#include "backup/volumes.h"

namespace holdfast::backup {

class RestoredData {
 public:
  /// `allowed`: the annotation kStartWithoutData of the Restore. All three must outlive this object.
  RestoredData(const RestoreFacts& facts, const std::string& allowed, Findings& findings)
      : facts_(facts), allowed_(allowed), findings_(findings) {}

  /// Before the first object is restored.
  void set_record(ClaimRecord record) { record_ = std::move(record); }
  [[nodiscard]] const ClaimRecord& record() const { return record_; }
  /// Why the claim of the source was not saved, or could not be filled before its pods are made; empty: it has its
  /// data, gets it by a pod, or may come up empty.
  [[nodiscard]] std::string lost(const std::string& ns, const std::string& claim) const;

  /// The volumes that are brought back through this pod, of those that its container restore-wait waits for.
  [[nodiscard]] std::vector<RestoredVolume> take(const json::object& source, const json::object& created);
  /// Notes how they ended; a failure is an error.
  void ended(const PodVolumeRestoreResult& result);
  /// A claim that is known to be full from an earlier life of this restore.
  void note_full(const ItemKey& claim);
  /// True where the claim of the target has its data.
  [[nodiscard]] bool full(const std::string& ns, const std::string& claim) const;
  /// Before the first object is restored: claims of the target, and the pods through which an earlier life fills them.
  void set_carriers(std::map<ItemKey, std::string> carriers) { carriers_ = std::move(carriers); }

  /// When all volumes have ended: an error for every claim that was made here and stays empty. Returns the pods and
  /// claims of the target whose data is missing, with the reason.
  [[nodiscard]] std::map<ItemKey, std::string> judge(const std::vector<ObjectRestorer::FreshClaim>& claims);

 private:
  [[nodiscard]] bool may_be_empty(const std::string& ns, const std::string& claim) const;
  [[nodiscard]] bool comes_back(const std::string& ns, const std::string& claim) const;
  void judge_claim(const ObjectRestorer::FreshClaim& claim);

  const RestoreFacts& facts_;
  const std::string allowed_;
  Findings& findings_;
  ClaimRecord record_;
  std::map<ItemKey, std::string> carriers_;
  mutable std::mutex mutex_;  ///< guards the rest
  std::set<ItemKey> carried_;
  std::set<ItemKey> full_;
  std::map<ItemKey, std::string> missing_;
  std::map<ItemKey, std::string> unfilled_;  ///< claims of the target whose mover failed
};

}  // namespace holdfast::backup
