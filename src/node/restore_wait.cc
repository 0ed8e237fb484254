#include "node/restore_wait.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "node/restore_marks.h"

namespace holdfast::node {

namespace {

Result<std::vector<std::string>> volumes_below(const std::string& root) {
  std::vector<std::string> out;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(root, failure), end; !failure && at != end; at.increment(failure)) {
    std::error_code ignored;
    if (at->is_directory(ignored) && !at->is_symlink(ignored)) out.push_back(at->path().filename().string());
  }
  if (failure) return errno_error(failure.value(), root);
  if (out.empty()) {
    return Error(ErrorCode::invalid, fmt::format("no volume is mounted below {}", root),
                 "mount each volume that is to be waited for at ROOT/NAME");
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

Status wait_for_volumes(const RestoreWait& wait, std::stop_token stop) {
  std::vector<std::string> missing = TRY(volumes_below(wait.root));
  const std::vector<std::string> volumes = missing;
  const BootTime deadline = wait.clock->boottime() + wait.limit;
  wait.log.info("waiting for volumes", {{"volumes", fmt::format("{}", fmt::join(missing, ","))}});
  while (true) {
    std::vector<std::string> left;
    for (const std::string& volume : missing) {
      const VolumeMarks marks = TRY(read_marks(wait.root + "/" + volume, wait.restore_uid).in("volume " + volume));
      if (marks.failure) {
        return Error(ErrorCode::unavailable,
                     fmt::format("volume {} was not restored: {}", volume,
                                 marks.failure->empty() ? "the node agent gave no reason" : *marks.failure),
                     "delete this pod and restore again once the cause is mended");
      }
      if (marks.restored) {
        wait.log.info("volume is restored", {{"volume", volume}});
      } else {
        left.push_back(volume);
      }
    }
    missing = std::move(left);
    if (missing.empty()) break;
    if (wait.clock->boottime() >= deadline) {
      return Error(ErrorCode::timeout,
                   fmt::format("not restored within {}: {} (no file .velero/{} in {})", format_go_duration(wait.limit),
                               fmt::join(missing, ", "), wait.restore_uid, missing.size() == 1 ? "it" : "them"),
                   "see the PodVolumeRestores of this restore, and the log of the node agent of this pod's node");
    }
    TRY(wait.clock->sleep(stop, wait.poll));
  }
  for (const std::string& volume : volumes) {
    if (!remove_marks(wait.root + "/" + volume)) {
      wait.log.warning("this user may not remove .velero from the volume; it stays there", {{"volume", volume}});
    }
  }
  return {};
}

}  // namespace holdfast::node
