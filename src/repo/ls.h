// Looking into a snapshot: the node at a path, and every node below one, in order. Trees are read as they are needed.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/repository.h"
#include "repo/tree.h"

namespace holdfast::repo {

enum class Visit { descend, skip };
/// Called with the path ("/a/b") and the node, directories before their content.
using VisitNode = std::function<Result<Visit>(const std::string& path, const Node& node)>;

/// Calls for every node below a tree; `path` is the tree's own ("" or "/a"). Fails where a tree cannot be read.
[[nodiscard]] Status walk_tree(Repository& repository, const Id& tree, const std::string& path, const VisitNode& visit,
                               std::stop_token stop = {});

/// The node at a path of a tree ("a/b", "/a/b"); nothing for the tree itself ("", "/"). not_found names the missing
/// part.
[[nodiscard]] Result<std::optional<Node>> find_node(Repository& repository, const Id& tree, std::string_view path,
                                                    std::stop_token stop = {});

/// A line as `ls -l` has it: "-rw-r--r-- 0 0 12 2023-11-14 22:13:20 /path".
[[nodiscard]] std::string long_line(const std::string& path, const Node& node);
/// "drwxr-xr-x", as Go prints a mode ("Dcrw-r-----", "Lrwxrwxrwx").
[[nodiscard]] std::string mode_text(uint32_t go_mode);

}  // namespace holdfast::repo
