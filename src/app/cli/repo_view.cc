#include <algorithm>
#include <ctime>
#include <set>

#include "app/cli/repo_session.h"
#include "base/text.h"
#include "repo/config.h"
#include "repo/ls.h"
#include "repo/unpacked.h"

namespace holdfast::app {
namespace {

using MayGoWithout = RepoSession::MayGoWithout;

std::string local_time(Time time) {
  const time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday,
                     local.tm_hour, local.tm_min, local.tm_sec);
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ","));
}

/// The newest of each host and paths.
std::vector<repo::Snapshot> newest_only(const std::vector<repo::Snapshot>& snapshots, size_t count) {
  std::map<std::pair<std::string, std::vector<std::string>>, size_t> seen;
  std::vector<repo::Snapshot> kept;
  for (auto at = snapshots.rbegin(); at != snapshots.rend(); ++at) {
    if (seen[{at->hostname, at->paths}]++ < count) kept.push_back(*at);
  }
  std::ranges::reverse(kept);
  return kept;
}

int snapshots(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, MayGoWithout::yes));
    std::vector<repo::Snapshot> all = TRY(session.repository().snapshots(session.stop()));
    std::vector<repo::Snapshot> shown;
    for (const std::string& name : arguments.positionals()) {
      shown.push_back(TRY(repo::find_snapshot(all, name, session.filter())));
    }
    if (arguments.positionals().empty()) shown = repo::select(std::move(all), session.filter());
    if (const int64_t count = arguments.number("latest"); count > 0) {
      shown = newest_only(shown, static_cast<size_t>(count));
    }
    if (session.json()) {
      json::array list;
      for (const repo::Snapshot& snapshot : shown) list.emplace_back(shown_snapshot(snapshot));
      fmt::print("{}\n", json::compact(list));
      return kExitDone;
    }
    fmt::print("{:8}  {:19}  {:16}  {:16}  {}\n", "ID", "Time", "Host", "Tags", "Paths");
    for (const repo::Snapshot& snapshot : shown) {
      fmt::print("{:8}  {:19}  {:16}  {:16}  {}\n", snapshot.id.short_hex(), local_time(snapshot.time.instant),
                 snapshot.hostname, joined(snapshot.tags), joined(snapshot.paths));
    }
    fmt::print("{} snapshots\n", shown.size());
    return kExitDone;
  });
}

json::object shown_node(const std::string& path, const repo::Node& node) {
  const auto time = [](const repo::NodeTime& at) {
    std::string text;
    repo::append_node_time(text, at);
    return text;
  };
  json::object line{{"name", node.name},
                    {"type", node.type == repo::NodeType::other ? node.other_type : repo::to_string(node.type)},
                    {"path", path},
                    {"uid", node.uid},
                    {"gid", node.gid}};
  if (node.type == repo::NodeType::file) line["size"] = node.size;
  line["mode"] = node.mode;
  line["permissions"] = repo::mode_text(node.mode);
  line["mtime"] = time(node.mtime);
  line["atime"] = time(node.atime);
  line["ctime"] = time(node.ctime);
  line["inode"] = node.inode;
  line["message_type"] = "node";
  line["struct_type"] = "node";
  return line;
}

/// True where the path is one of the directories, in one, or on the way to one.
bool wanted(const std::string& path, const std::vector<std::string>& directories) {
  const auto within = [](const std::string& inner, const std::string& outer) {
    return inner == outer || inner.starts_with(outer.ends_with('/') ? outer : outer + "/");
  };
  return directories.empty() || std::ranges::any_of(directories, [&](const std::string& directory) {
           return within(path, directory) || within(directory, path);
         });
}

int ls(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, MayGoWithout::yes));
    const std::vector<repo::Snapshot> all = TRY(session.repository().snapshots(session.stop()));
    const repo::Snapshot snapshot = TRY(repo::find_snapshot(all, arguments.positional(0), session.filter()));
    TRY(session.load_index());
    std::vector<std::string> directories(arguments.positionals().begin() + 1, arguments.positionals().end());
    const bool as_json = session.json(), in_full = arguments.boolean("long");
    if (as_json) {
      json::object head = shown_snapshot(snapshot);
      head["message_type"] = "snapshot";
      head["struct_type"] = "snapshot";
      fmt::print("{}\n", json::compact(head));
    } else if (!session.quiet()) {
      fmt::print(stderr, "snapshot {} of [{}] at {} by {}@{}:\n", snapshot.id.short_hex(), joined(snapshot.paths),
                 local_time(snapshot.time.instant), snapshot.username, snapshot.hostname);
    }
    TRY(repo::walk_tree(
        session.repository(), snapshot.tree, "",
        [&](const std::string& path, const repo::Node& node) -> Result<repo::Visit> {
          if (!wanted(path, directories)) return repo::Visit::skip;
          if (as_json) {
            fmt::print("{}\n", json::compact(shown_node(path, node)));
          } else {
            fmt::print("{}\n", in_full ? repo::long_line(path, node) : path);
          }
          return repo::Visit::descend;
        },
        session.stop()));
    return kExitDone;
  });
}

Result<repo::Id> find_file(RepoSession& session, repo::FileKind kind, const std::string& name) {
  if (Result<repo::Id> id = repo::Id::parse(name)) return id;
  std::optional<repo::Id> found;
  for (const repo::ListedFile& file : TRY(session.repository().files().list(kind, session.stop()))) {
    if (name.empty() || !file.id.hex().starts_with(name)) continue;
    if (found) return Error(ErrorCode::invalid, fmt::format("several files begin with {}", name));
    found = file.id;
  }
  if (!found) return Error(ErrorCode::not_found, fmt::format("no {} begins with {}", repo::to_string(kind), name));
  return *found;
}

Result<std::string> cat_blob(RepoSession& session, const std::string& name) {
  const repo::Id id = TRY(repo::Id::parse(name));
  TRY(session.load_index());
  for (const repo::BlobType type : {repo::BlobType::data, repo::BlobType::tree}) {
    if (session.repository().has_blob(type, id)) return session.repository().load_blob(type, id, session.stop());
  }
  return Error(ErrorCode::not_found, fmt::format("blob {} is in no index", name));
}

/// "SNAPSHOT" or "SNAPSHOT:PATH": the tree blob there.
Result<std::string> cat_tree(RepoSession& session, const std::string& name) {
  const size_t colon = name.find(':');
  const std::string path = colon == std::string::npos ? "" : name.substr(colon + 1);
  const std::vector<repo::Snapshot> all = TRY(session.repository().snapshots(session.stop()));
  repo::Id tree = TRY(repo::find_snapshot(all, name.substr(0, colon), session.filter())).tree;
  TRY(session.load_index());
  const std::optional<repo::Node> node = TRY(repo::find_node(session.repository(), tree, path, session.stop()));
  if (node) {
    if (!node->subtree) return Error(ErrorCode::invalid, fmt::format("{} is no directory in the snapshot", path));
    tree = *node->subtree;
  }
  return session.repository().load_blob(repo::BlobType::tree, tree, session.stop());
}

Result<std::string> pretty_json(const std::string& text) {
  return json::pretty(TRY(json::parse(text))) + "\n";
}

Result<std::string> cat_object(RepoSession& session, const std::string& kind, const std::string& name) {
  repo::RepositoryFiles& files = session.repository().files();
  if (kind == "config") return pretty_json(repo::encode_config(session.repository().config()));
  if (name.empty()) return Error(ErrorCode::invalid, fmt::format("cat {} needs an id", kind));
  if (kind == "blob") return cat_blob(session, name);
  if (kind == "tree") return cat_tree(session, name);
  if (kind == "pack") {
    const repo::Id id = TRY(find_file(session, repo::FileKind::pack, name));
    return files.load_raw(repo::FileKind::pack, id, session.stop());
  }
  if (kind == "key") {
    const repo::Id id = TRY(find_file(session, repo::FileKind::key, name));
    return pretty_json(TRY(files.load_raw(repo::FileKind::key, id, session.stop())));
  }
  if (kind == "snapshot" || kind == "index" || kind == "lock") {
    const repo::FileKind file = kind == "snapshot" ? repo::FileKind::snapshot
                                : kind == "index"  ? repo::FileKind::index
                                                   : repo::FileKind::lock;
    const repo::Id id = TRY(find_file(session, file, name));
    return pretty_json(TRY(files.load(file, id, session.stop())));
  }
  return Error(ErrorCode::invalid, fmt::format("there are no objects of kind {}", kind));
}

int cat(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, MayGoWithout::yes));
    const std::string out = TRY(cat_object(session, arguments.positional(0), arguments.positional(1)));
    std::fwrite(out.data(), 1, out.size(), stdout);
    return kExitDone;
  });
}

int list(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    const std::string kind = arguments.positional(0);
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, MayGoWithout::yes));
    if (kind == "blobs") {
      TRY(session.load_index());
      session.repository().index().for_each([](const repo::BlobHandle& blob, const repo::BlobLocation&) {
        fmt::print("{} {}\n", repo::to_string(blob.type), blob.id.hex());
      });
      return kExitDone;
    }
    const std::map<std::string, repo::FileKind> kinds = {{"packs", repo::FileKind::pack},
                                                         {"index", repo::FileKind::index},
                                                         {"snapshots", repo::FileKind::snapshot},
                                                         {"keys", repo::FileKind::key},
                                                         {"locks", repo::FileKind::lock}};
    const auto known = kinds.find(kind);
    if (known == kinds.end()) {
      return Error(ErrorCode::invalid, fmt::format("\"{}\" cannot be listed", kind),
                   "take blobs, packs, index, snapshots, keys or locks");
    }
    for (const repo::ListedFile& file : TRY(session.repository().files().list(known->second, session.stop()))) {
      fmt::print("{}\n", file.id.hex());
    }
    return kExitDone;
  });
}

struct Totals {
  uint64_t files = 0, bytes = 0, stored = 0;
  std::set<repo::BlobHandle> blobs;
};

Status count_snapshot(RepoSession& session, const repo::Snapshot& snapshot, Totals& totals) {
  std::set<repo::Id> trees;
  const auto add_blob = [&](repo::BlobType type, const repo::Id& id) {
    if (!totals.blobs.insert({type, id}).second) return;
    const std::vector<repo::BlobLocation> copies = session.repository().locate(type, id);
    if (!copies.empty()) totals.stored += copies.front().length;
  };
  add_blob(repo::BlobType::tree, snapshot.tree);
  return repo::walk_tree(
      session.repository(), snapshot.tree, "",
      [&](const std::string&, const repo::Node& node) -> Result<repo::Visit> {
        if (node.type == repo::NodeType::file) {
          ++totals.files;
          totals.bytes += node.size;
          for (const repo::Id& id : node.content.value_or(std::vector<repo::Id>{})) {
            add_blob(repo::BlobType::data, id);
          }
        }
        if (node.subtree) add_blob(repo::BlobType::tree, *node.subtree);
        return repo::Visit::descend;
      },
      session.stop());
}

int stats(const config::Arguments& arguments) {
  RepoSession session(arguments);
  return session.run([&]() -> Result<int> {
    TRY(session.open());
    TRY(session.lock(repo::LockMode::shared, MayGoWithout::yes));
    std::vector<repo::Snapshot> chosen = TRY(session.repository().snapshots(session.stop()));
    if (!arguments.positionals().empty()) {
      chosen = {TRY(repo::find_snapshot(chosen, arguments.positional(0), session.filter()))};
    } else {
      chosen = repo::select(std::move(chosen), session.filter());
    }
    TRY(session.load_index());
    Totals totals;
    for (const repo::Snapshot& snapshot : chosen) TRY(count_snapshot(session, snapshot, totals));
    if (session.json()) {
      const json::object line{{"snapshots_count", chosen.size()},
                              {"total_file_count", totals.files},
                              {"total_size", totals.bytes},
                              {"total_blob_count", totals.blobs.size()},
                              {"total_stored_size", totals.stored}};
      fmt::print("{}\n", json::compact(line));
    } else {
      fmt::print("{} snapshots with {} files, {} to restore; {} blobs, {} stored\n", chosen.size(), totals.files,
                 format_bytes(totals.bytes), totals.blobs.size(), format_bytes(totals.stored));
    }
    return kExitDone;
  });
}

std::vector<config::Option> with_filter(std::vector<config::Option> options = {}) {
  for (config::Option& option : snapshot_filter_options()) options.push_back(std::move(option));
  return options;
}

}  // namespace

std::vector<config::Command> repo_view_commands() {
  using config::Kind;
  return {
      {.name = "snapshots",
       .summary = "List snapshots",
       .examples = {"holdfast repo -r /srv/backup snapshots --host web --latest 3"},
       .options = with_filter({{.name = "latest",
                                .kind = Kind::number,
                                .help = "only so many of each host and paths; 0: all",
                                .fallback = "0"}}),
       .positionals = {{"SNAPSHOT", "\"latest\" or the beginning of an id", false, true}},
       .run = snapshots},
      {.name = "ls",
       .summary = "List the files of a snapshot",
       .examples = {"holdfast repo -r /srv/backup ls latest -l /etc"},
       .options = with_filter(
           {{.name = "long", .kind = Kind::boolean, .help = "with mode, owner, size and time", .letter = 'l'}}),
       .positionals = {{"SNAPSHOT", "\"latest\" or the beginning of an id"},
                       {"DIRECTORY", "only what is below these", false, true}},
       .run = ls},
      {.name = "cat",
       .summary = "Print an object of the repository",
       .examples = {"holdfast repo -r /srv/backup cat tree latest:/etc"},
       .options = with_filter(),
       .positionals = {{"KIND", "config, snapshot, index, key, lock, pack, blob or tree"},
                       {"ID", "the object's id, or SNAPSHOT:PATH for trees", false}},
       .run = cat},
      {.name = "list",
       .summary = "List the files or blobs of the repository",
       .examples = {"holdfast repo -r /srv/backup list packs"},
       .positionals = {{"KIND", "blobs, packs, index, snapshots, keys or locks"}},
       .run = list},
      {.name = "stats",
       .summary = "Count files and bytes of snapshots",
       .examples = {"holdfast repo -r /srv/backup stats --json"},
       .options = with_filter(),
       .positionals = {{"SNAPSHOT", "\"latest\" or the beginning of an id; all where missing", false}},
       .run = stats},
  };
}

}  // namespace holdfast::app
