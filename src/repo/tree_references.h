// What a tree blob refers to, and the walk over everything that snapshots refer to.
//
// Only ids are read here: names and attributes of nodes are the tree codec's business.
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "repo/ids.h"

namespace holdfast::repo {

class Repository;

struct TreeReferences {
  std::vector<Id> content;   ///< data blobs, in the order of the nodes, doubles included
  std::vector<Id> subtrees;  ///< tree blobs
};
/// corrupt where the text is no tree.
[[nodiscard]] Result<TreeReferences> decode_tree_references(std::string_view text);

/// Visits every distinct tree below the roots once, several at a time: the visitor gets what the tree refers to, or why
/// it cannot be read. Calls come one at a time. The visitor's failure, or a stop, ends the walk.
using VisitTree = std::function<Status(const Id& tree, const Result<TreeReferences>& references)>;
[[nodiscard]] Status walk_trees(Repository& repository, const std::vector<Id>& roots, size_t connections,
                                const VisitTree& visit, std::stop_token stop = {});

}  // namespace holdfast::repo
