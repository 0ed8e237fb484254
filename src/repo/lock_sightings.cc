#include "repo/lock_sightings.h"

#include <algorithm>

namespace holdfast::repo {

void LockSightings::listed(const std::string& repository_id, const std::vector<Id>& files, BootTime asked,
                           BootTime answered) {
  std::lock_guard guard(mutex_);
  std::map<Id, Sighting> now;
  const std::map<Id, Sighting>& before = sightings_[repository_id];
  for (const Id& file : files) {
    const auto known = before.find(file);
    const BootTime first = known == before.end() ? answered : known->second.first;
    now[file] = {first, known == before.end() ? asked : std::max(known->second.last, asked)};
  }
  if (now.empty()) {
    sightings_.erase(repository_id);
  } else {
    sightings_[repository_id] = std::move(now);
  }
}

Duration LockSightings::unchanged_for(const std::string& repository_id, const Id& file) const {
  std::lock_guard guard(mutex_);
  const auto repository = sightings_.find(repository_id);
  if (repository == sightings_.end()) return Duration::zero();
  const auto found = repository->second.find(file);
  if (found == repository->second.end()) return Duration::zero();
  return std::max(Duration::zero(), found->second.last - found->second.first);
}

}  // namespace holdfast::repo
