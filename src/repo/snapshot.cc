#include "repo/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace holdfast::repo {

namespace {

struct Counter {
  std::string_view name;
  uint64_t SnapshotSummary::*field;
};
constexpr Counter kCounters[] = {
    {"files_new", &SnapshotSummary::files_new},
    {"files_changed", &SnapshotSummary::files_changed},
    {"files_unmodified", &SnapshotSummary::files_unmodified},
    {"dirs_new", &SnapshotSummary::dirs_new},
    {"dirs_changed", &SnapshotSummary::dirs_changed},
    {"dirs_unmodified", &SnapshotSummary::dirs_unmodified},
    {"data_blobs", &SnapshotSummary::data_blobs},
    {"tree_blobs", &SnapshotSummary::tree_blobs},
    {"data_added", &SnapshotSummary::data_added},
    {"data_added_packed", &SnapshotSummary::data_added_packed},
    {"total_files_processed", &SnapshotSummary::total_files_processed},
    {"total_bytes_processed", &SnapshotSummary::total_bytes_processed},
};

constexpr std::string_view kKnownFields[] = {
    "time", "parent",   "tree", "paths",    "hostname",        "username", "uid",
    "gid",  "excludes", "tags", "original", "program_version", "summary",  "tree_profile"};

json::object encode_summary(const SnapshotSummary& summary) {
  json::object out;
  out["backup_start"] = summary.backup_start.text;
  out["backup_end"] = summary.backup_end.text;
  for (const Counter& counter : kCounters) out[counter.name] = summary.*counter.field;
  return out;
}

Result<SnapshotSummary> decode_summary(const json::value& in) {
  SnapshotSummary summary;
  summary.backup_start = TRY(RecordTime::parse(json::string_at(in, {"backup_start"})).in("backup_start"));
  summary.backup_end = TRY(RecordTime::parse(json::string_at(in, {"backup_end"})).in("backup_end"));
  for (const Counter& counter : kCounters) {
    summary.*counter.field = static_cast<uint64_t>(std::max<int64_t>(0, json::int_at(in, {counter.name})));
  }
  return summary;
}

Result<std::optional<Id>> optional_id(const json::object& in, std::string_view name) {
  const std::string text = json::string_at(in, {name});
  if (text.empty()) return std::optional<Id>();
  return std::optional<Id>(TRY(Id::parse(text).in(name)));
}

uint32_t owner_id(const json::object& in, std::string_view name) {
  const int64_t number = json::int_at(in, {name});
  return number >= 0 && number <= std::numeric_limits<uint32_t>::max() ? static_cast<uint32_t>(number) : 0;
}

bool has_all(const std::vector<std::string>& have, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const std::string& one) { return std::find(have.begin(), have.end(), one) != have.end(); });
}

}  // namespace

RecordTime RecordTime::at(Time time) {
  return {time, format_rfc3339_nano(time)};
}

Result<RecordTime> RecordTime::parse(std::string_view text) {
  return RecordTime{TRY(parse_rfc3339(text)), std::string(text)};
}

std::string encode_snapshot(const Snapshot& snapshot) {
  json::object out;
  out["time"] = snapshot.time.text;
  if (snapshot.parent) out["parent"] = snapshot.parent->hex();
  out["tree"] = snapshot.tree.hex();
  out["paths"] = json::from_strings(snapshot.paths);
  if (!snapshot.hostname.empty()) out["hostname"] = snapshot.hostname;
  if (!snapshot.username.empty()) out["username"] = snapshot.username;
  if (snapshot.uid != 0) out["uid"] = snapshot.uid;
  if (snapshot.gid != 0) out["gid"] = snapshot.gid;
  if (!snapshot.excludes.empty()) out["excludes"] = json::from_strings(snapshot.excludes);
  if (!snapshot.tags.empty()) out["tags"] = json::from_strings(snapshot.tags);
  if (snapshot.original) out["original"] = snapshot.original->hex();
  if (!snapshot.program_version.empty()) out["program_version"] = snapshot.program_version;
  if (snapshot.summary) out["summary"] = encode_summary(*snapshot.summary);
  if (!snapshot.tree_profile.empty()) out["tree_profile"] = snapshot.tree_profile;
  for (const auto& [name, value] : snapshot.unknown) out[name] = value;
  return json::compact(out);
}

Result<Snapshot> decode_snapshot(std::string_view text) {
  json::object in = TRY(json::parse_object(text));
  Snapshot snapshot;
  snapshot.time = TRY(RecordTime::parse(json::string_at(in, {"time"})).in("time"));
  snapshot.tree = TRY(Id::parse(json::string_at(in, {"tree"})).in("tree"));
  snapshot.parent = TRY(optional_id(in, "parent"));
  snapshot.original = TRY(optional_id(in, "original"));
  snapshot.paths = json::strings(json::array_at(in, {"paths"}));
  snapshot.hostname = json::string_at(in, {"hostname"});
  snapshot.username = json::string_at(in, {"username"});
  snapshot.uid = owner_id(in, "uid");
  snapshot.gid = owner_id(in, "gid");
  snapshot.excludes = json::strings(json::array_at(in, {"excludes"}));
  snapshot.tags = json::strings(json::array_at(in, {"tags"}));
  snapshot.program_version = json::string_at(in, {"program_version"});
  snapshot.tree_profile = json::string_at(in, {"tree_profile"});
  if (const json::value* summary = in.if_contains("summary"); summary != nullptr && summary->is_object()) {
    snapshot.summary = TRY(decode_summary(*summary).in("summary"));
  }
  for (const auto& [name, value] : in) {
    if (std::find(std::begin(kKnownFields), std::end(kKnownFields), std::string_view(name)) == std::end(kKnownFields)) {
      snapshot.unknown[name] = value;
    }
  }
  return snapshot;
}

bool matches(const Snapshot& snapshot, const SnapshotFilter& filter) {
  if (!filter.hosts.empty() &&
      std::find(filter.hosts.begin(), filter.hosts.end(), snapshot.hostname) == filter.hosts.end()) {
    return false;
  }
  if (!has_all(snapshot.paths, filter.paths)) return false;
  if (filter.not_after && snapshot.time.instant > *filter.not_after) return false;
  if (filter.tags.empty()) return true;
  return std::any_of(filter.tags.begin(), filter.tags.end(), [&](const std::vector<std::string>& tags) {
    return tags.empty() ? snapshot.tags.empty() : has_all(snapshot.tags, tags);
  });
}

std::vector<Snapshot> select(std::vector<Snapshot> snapshots, const SnapshotFilter& filter) {
  std::erase_if(snapshots, [&](const Snapshot& snapshot) { return !matches(snapshot, filter); });
  std::stable_sort(snapshots.begin(), snapshots.end(), [](const Snapshot& a, const Snapshot& b) {
    return std::tie(a.time.instant, a.id) < std::tie(b.time.instant, b.id);
  });
  return snapshots;
}

Result<Snapshot> find_snapshot(const std::vector<Snapshot>& snapshots, std::string_view name,
                               const SnapshotFilter& filter) {
  if (name == "latest") {
    std::vector<Snapshot> matching = select(snapshots, filter);
    if (matching.empty()) {
      return Error(ErrorCode::not_found, "no snapshot matches", "list what there is with: snapshots");
    }
    return std::move(matching.back());
  }
  const Snapshot* found = nullptr;
  for (const Snapshot& snapshot : snapshots) {
    if (name.empty() || !snapshot.id.hex().starts_with(name)) continue;
    if (found != nullptr) {
      return Error(ErrorCode::invalid, fmt::format("several snapshots begin with \"{}\"", name), "give more digits");
    }
    found = &snapshot;
  }
  if (found == nullptr) {
    return Error(ErrorCode::not_found, fmt::format("no snapshot begins with \"{}\"", name),
                 "list what there is with: snapshots");
  }
  return *found;
}

}  // namespace holdfast::repo
