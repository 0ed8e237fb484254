// Restore: a snapshot's tree, or a part of it, into a directory.
//
// Directories, links and special files are made in order; files in groups, whose blobs are fetched together (neighbours
// of a pack in one request) and written at their offsets by several threads; metadata comes when an entry is complete,
// directories' at the very end. An entry that fails is listed and does not stop the others: the caller must not call a
// result with errors a success. Trees may be 10,000 directories deep. Nothing is written outside the target, whatever
// the snapshot holds.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "repo/archive.h"
#include "repo/descriptor_budget.h"
#include "repo/node_filter.h"
#include "repo/repository.h"
#include "repo/tree.h"

namespace holdfast::repo {

enum class Overwrite {
  always,  ///< what is in the way is replaced
  never,   ///< what is in the way stays and is counted as skipped
};

struct RestoreOptions {
  std::string target;     ///< made where it is missing
  std::string subfolder;  ///< only what is below this path of the snapshot; it becomes the target's content
  PathFilter include;     ///< only what matches; empty: everything
  PathFilter exclude;
  Overwrite overwrite = Overwrite::always;
  bool sparse = false;  ///< leave blocks of zeros unwritten
  bool verify = false;  ///< read every restored file again and compare it with the snapshot
  bool owners = true;   ///< set owners where this process may (root)
  bool xattrs = true;
  DescriptorBudget* descriptors = nullptr;  ///< that all restores share; none: process_descriptors()
};

struct RestoreResult {
  uint64_t files = 0, directories = 0, links = 0, others = 0;  ///< restored; links: hard ones
  uint64_t bytes = 0;                                          ///< of content
  uint64_t skipped = 0;
  uint64_t verified = 0;
  std::vector<ItemError> errors;  ///< by path in the snapshot
};

/// Restores. The index must be loaded. Progress: files and bytes of the whole. not_found where the subfolder is not
/// there; corrupt where the root tree cannot be read; exhausted where the disk is full (at once, the rest is left).
[[nodiscard]] Result<RestoreResult> restore(Repository& repository, const Snapshot& snapshot,
                                            const RestoreOptions& options, Progress& progress,
                                            std::stop_token stop = {});

}  // namespace holdfast::repo
