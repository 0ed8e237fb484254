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

/// A workload replaces a pod that is deleted by one that waits for nothing.
constexpr const char* kAfterFailure =
    "scale the workload of this pod to zero first, as a pod in its place would start at once; then mend the cause, "
    "delete the claim and restore again";

}  // namespace

Status wait_for_volumes(const RestoreWait& wait, std::stop_token stop) {
  std::error_code ignored;
  const bool none = !wait.refusal.empty() && !std::filesystem::exists(wait.root, ignored);
  std::vector<std::string> missing = none ? std::vector<std::string>() : TRY(volumes_below(wait.root));
  const std::vector<std::string> volumes = missing;
  const BootTime deadline = wait.clock->boottime() + wait.limit;
  wait.log.info("waiting for volumes", {{"volumes", fmt::format("{}", fmt::join(missing, ","))}});
  while (!missing.empty()) {
    std::vector<std::string> left;
    for (const std::string& volume : missing) {
      const VolumeMarks marks = TRY(read_marks(wait.root + "/" + volume, wait.restore_uid).in("volume " + volume));
      if (marks.failure) {
        return Error(ErrorCode::unavailable,
                     fmt::format("volume {} was not restored: {}", volume,
                                 marks.failure->empty() ? "the node agent gave no reason" : *marks.failure),
                     kAfterFailure);
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
  if (!wait.refusal.empty()) {
    return Error(ErrorCode::denied, "this pod is held back: " + wait.refusal,
                 "start it without this data by a restore with --start-without-data, or restore another backup");
  }
  for (const std::string& volume : volumes) {
    if (wait.keep_marks.contains(volume)) continue;
    if (!remove_marks(wait.root + "/" + volume)) {
      wait.log.warning("this user may not remove .velero from the volume; it stays there", {{"volume", volume}});
    }
  }
  return {};
}

Status give_up_volumes(const std::string& root, const std::string& restore_uid, const std::string& reason) {
  for (const std::string& volume : TRY(volumes_below(root))) {
    const std::string path = root + "/" + volume;
    const VolumeMarks marks = TRY(read_marks(path, restore_uid).in("volume " + volume));
    if (!marks.restored) TRY(mark_failed(path, restore_uid, reason).in("volume " + volume));
  }
  return {};
}

}  // namespace holdfast::node
