#include "repo/tree_references.h"

#include <fmt/format.h>

#include <mutex>

#include "base/json.h"
#include "repo/repository.h"
#include "sync/workers.h"

namespace holdfast::repo {

namespace {

Status read_node(const json::value& node, TreeReferences& out) {
  if (!node.is_object()) return Error(ErrorCode::corrupt, "a node is no object");
  for (const json::value& id : json::array_at(node, {"content"})) {
    if (!id.is_string()) return Error(ErrorCode::corrupt, "a content id is no text");
    out.content.push_back(TRY(Id::parse(std::string_view(id.get_string())).in("content")));
  }
  if (const json::value* subtree = json::find(node, {"subtree"}); subtree != nullptr && !subtree->is_null()) {
    if (!subtree->is_string()) return Error(ErrorCode::corrupt, "a subtree id is no text");
    out.subtrees.push_back(TRY(Id::parse(std::string_view(subtree->get_string())).in("subtree")));
  } else if (json::string_at(node, {"type"}) == "dir") {
    return Error(ErrorCode::corrupt, "a directory has no subtree");
  }
  return {};
}

}  // namespace

Result<TreeReferences> decode_tree_references(std::string_view text) {
  Result<json::object> in = json::parse_object(text);
  if (!in) return Error(ErrorCode::corrupt, in.error().message());
  const json::value* nodes = in->if_contains("nodes");
  if (nodes == nullptr || !(nodes->is_array() || nodes->is_null())) {
    return Error(ErrorCode::corrupt, "the list nodes is missing");
  }
  TreeReferences out;
  if (nodes->is_null()) return out;
  for (const json::value& node : nodes->get_array()) {
    const Status read = read_node(node, out);
    if (!read) return Error(ErrorCode::corrupt, read.error().message());
  }
  return out;
}

Status walk_trees(Repository& repository, const std::vector<Id>& roots, size_t connections, const VisitTree& visit,
                  std::stop_token stop) {
  std::unordered_set<Id, IdHash> seen;
  std::vector<Id> level;
  for (const Id& root : roots) {
    if (seen.insert(root).second) level.push_back(root);
  }
  while (!level.empty()) {
    std::mutex mutex;
    std::vector<Id> next;
    sync::WorkerGroup group(std::min(connections, level.size()), stop);
    for (const Id& tree : level) {
      group.add([&, tree](std::stop_token own) -> Status {
        const Result<std::string> text = repository.load_blob(BlobType::tree, tree, own);
        if (text.is(ErrorCode::cancelled)) return text.error();
        const Result<TreeReferences> references =
            text ? decode_tree_references(*text).in(fmt::format("tree/{}", tree.short_hex())) : text.error();
        std::lock_guard lock(mutex);
        TRY(visit(tree, references));
        if (!references) return {};
        for (const Id& subtree : references->subtrees) {
          if (seen.insert(subtree).second) next.push_back(subtree);
        }
        return {};
      });
    }
    TRY(group.finish());
    level = std::move(next);
  }
  return {};
}

}  // namespace holdfast::repo
