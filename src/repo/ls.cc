#include "repo/ls.h"

#include <fmt/format.h>

#include <ctime>
#include <memory>

#include "base/text.h"

namespace holdfast::repo {

namespace {

/// A directory that the walk is in.
struct Level {
  Level(std::string text, size_t length) : blob(std::move(text)), reader(blob), path_length(length) {}
  const std::string blob;
  TreeReader reader;
  size_t path_length;
};

}  // namespace

// With a stack of its own: how deep a tree is, the snapshot's writer decides.
Status walk_tree(Repository& repository, const Id& tree, const std::string& start, const VisitNode& visit,
                 std::stop_token stop) {
  std::string path = start;
  const auto shown = [&] { return path.empty() ? "/" : path; };
  std::vector<std::unique_ptr<Level>> levels;
  std::optional<Id> below = tree;
  while (below || !levels.empty()) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    if (below) {
      if (levels.size() > kDeepestTree) return too_deep().in(path.substr(0, 200));
      std::string blob = TRY(repository.load_blob(BlobType::tree, *below, stop).in(shown()));
      levels.push_back(std::make_unique<Level>(std::move(blob), path.size()));
      below.reset();
    }
    Level& level = *levels.back();
    path.resize(level.path_length);
    const std::optional<Node> node = TRY(level.reader.next().in(shown()));
    if (!node) {
      levels.pop_back();
      continue;
    }
    path += '/';
    path += node->name;
    const Visit next = TRY(visit(path, *node));
    if (next == Visit::descend && node->type == NodeType::dir) below = node->subtree;
  }
  return {};
}

Result<std::optional<Node>> find_node(Repository& repository, const Id& tree, std::string_view path,
                                      std::stop_token stop) {
  std::optional<Node> found;
  Id at = tree;
  for (const std::string& part : split(path, '/')) {
    if (part.empty()) continue;
    if (found && (found->type != NodeType::dir || !found->subtree)) {
      return Error(ErrorCode::not_found, fmt::format("{} is no directory in the snapshot", found->name));
    }
    if (found) at = *found->subtree;
    const std::string blob = TRY(repository.load_blob(BlobType::tree, at, stop));
    TreeReader reader(blob);
    std::optional<Node> node;
    do {
      node = TRY(reader.next());
    } while (node && node->name != part);
    if (!node) return Error(ErrorCode::not_found, fmt::format("the snapshot holds no {} in {}", part, path));
    found = std::move(node);
  }
  return found;
}

std::string mode_text(uint32_t mode) {
  std::string out;
  const auto add = [&](uint32_t bit, char letter) {
    if (mode & bit) out += letter;
  };
  add(kModeDir, 'd');
  add(kModeSymlink, 'L');
  add(kModeDevice, 'D');
  add(kModeFifo, 'p');
  add(kModeSocket, 'S');
  add(kModeSetuid, 'u');
  add(kModeSetgid, 'g');
  add(kModeCharDevice, 'c');
  add(kModeSticky, 't');
  if (out.empty()) out = "-";
  constexpr std::string_view kLetters = "rwxrwxrwx";
  for (size_t i = 0; i < kLetters.size(); ++i) out += mode & (1u << (8 - i)) ? kLetters[i] : '-';
  return out;
}

std::string long_line(const std::string& path, const Node& node) {
  const time_t seconds = node.mtime.seconds;
  tm local{};
  ::localtime_r(&seconds, &local);
  const std::string when = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                                       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  const std::string target = node.type == NodeType::symlink ? " -> " + node.linktarget : "";
  return fmt::format("{} {:5} {:5} {:6} {} {}{}", mode_text(node.mode), node.uid, node.gid, node.size, when, path,
                     target);
}

}  // namespace holdfast::repo
