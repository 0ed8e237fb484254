// Snapshots: what was saved, when, by whom, from where, and the root tree. The JSON codec and the search by name.
//
// Fields are written in restic's order; fields that this program does not know are kept and written behind the known
// ones. Plain values; the codec does no I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "repo/ids.h"

namespace holdfast::repo {

/// An instant as a file spells it: zone and digits of its writer stay as they are.
struct RecordTime {
  Time instant;
  std::string text;
  [[nodiscard]] static RecordTime at(Time time);
  [[nodiscard]] static Result<RecordTime> parse(std::string_view text);
};

/// What a backup did (restic 0.17 and later).
struct SnapshotSummary {
  RecordTime backup_start, backup_end;
  uint64_t files_new = 0, files_changed = 0, files_unmodified = 0;
  uint64_t dirs_new = 0, dirs_changed = 0, dirs_unmodified = 0;
  uint64_t data_blobs = 0, tree_blobs = 0;
  uint64_t data_added = 0, data_added_packed = 0;
  uint64_t total_files_processed = 0, total_bytes_processed = 0;
};

struct Snapshot {
  RecordTime time;
  std::optional<Id> parent;
  Id tree;
  std::vector<std::string> paths;  ///< absolute
  std::string hostname, username;
  uint32_t uid = 0, gid = 0;
  std::vector<std::string> excludes, tags;
  std::optional<Id> original;  ///< the first version of a rewritten snapshot
  std::string program_version;
  std::optional<SnapshotSummary> summary;
  std::string tree_profile;  ///< ours: how tree blobs are spelled ("restic-0.19"); empty where another program wrote it
  json::object unknown;      ///< fields of others, in their order

  Id id;  ///< of the stored file; not part of the JSON
};

/// One JSON object without a newline.
[[nodiscard]] std::string encode_snapshot(const Snapshot& snapshot);
/// invalid names the field. `id` is left zero.
[[nodiscard]] Result<Snapshot> decode_snapshot(std::string_view text);

struct SnapshotFilter {
  std::vector<std::string> hosts = {};  ///< any of them; empty: all
  std::vector<std::string> paths = {};  ///< the snapshot contains all of them
  std::vector<std::vector<std::string>> tags =
      {};  ///< any of the lists, each whole; an empty list: a snapshot without tags
  std::optional<Time> not_after = {};
};
[[nodiscard]] bool matches(const Snapshot& snapshot, const SnapshotFilter& filter);
/// Those that match, oldest first.
[[nodiscard]] std::vector<Snapshot> select(std::vector<Snapshot> snapshots, const SnapshotFilter& filter);
/// "latest" among the filtered, or the one whose id begins with `name` (the filter does not apply then). not_found;
/// invalid where several begin so.
[[nodiscard]] Result<Snapshot> find_snapshot(const std::vector<Snapshot>& snapshots, std::string_view name,
                                             const SnapshotFilter& filter = {});

}  // namespace holdfast::repo
