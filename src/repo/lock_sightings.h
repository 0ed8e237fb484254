// Since when this process has seen which lock file unchanged, on its own CLOCK_BOOTTIME.
//
// A lock of ours is refreshed by a new file with another name, so a file that is still there after its whole lifetime
// has an owner that gave it up long ago; the clock of the machine that wrote it does not matter (safety.md 11). The
// longer one object of this class lives, the sooner a dead lock is known for one: share it between the Repositories
// that a process opens. All members may be called from any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "repo/ids.h"

namespace holdfast::repo {

class LockSightings {
 public:
  /// These are all lock files of that repository, as listed in answer to a request sent at `asked`, answered at
  /// `answered`.
  void listed(const std::string& repository_id, const std::vector<Id>& files, BootTime asked, BootTime answered);
  /// For how long at least the file was there, up to when it was last listed; zero where it never was.
  [[nodiscard]] Duration unchanged_for(const std::string& repository_id, const Id& file) const;

 private:
  struct Sighting {
    BootTime first;  ///< when the first answer that named it had come
    BootTime last;   ///< when the last one was asked for
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::map<Id, Sighting>> sightings_;
};

}  // namespace holdfast::repo
