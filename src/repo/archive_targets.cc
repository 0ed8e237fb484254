#include "repo/archive_targets.h"

#include <fmt/format.h>

#include "base/text.h"
#include "repo/go_quote.h"

namespace holdfast::repo {
namespace {

/// The parts of a path with "." dropped and "x/.." folded; leading ".." stay.
std::vector<std::string> clean_parts(const std::string& path) {
  std::vector<std::string> parts;
  const bool absolute = path.starts_with('/');
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

Error collision(const std::string& path) {
  return {ErrorCode::invalid, fmt::format("{} overlaps another path of this backup", go_quote(path, GoRelease::go1_26)),
          "name each directory once, and none together with its parent"};
}

Status add_target(ArchiveTarget& root, const std::string& path) {
  ArchiveTarget* at = &root;
  std::string sofar = path.starts_with('/') ? "/" : "";
  bool named = false;
  for (const std::string& part : clean_parts(path)) {
    if (at->leaf) return collision(path);
    if (!sofar.empty() && !sofar.ends_with('/')) sofar += '/';
    sofar += part;
    if (part == "..") continue;  // a way there, no name in the snapshot
    ArchiveTarget& next = at->parts[part];
    if (next.path.empty()) {
      next.path = sofar;
    } else if (next.path != sofar) {
      return collision(path);
    }
    at = &next;
    named = true;
  }
  if (!at->parts.empty() || (at->leaf && named)) return collision(path);
  if (!named) at->path = sofar.empty() ? "." : sofar;
  at->leaf = true;
  return {};
}

}  // namespace

Result<ArchiveTarget> plan_targets(const std::vector<std::string>& paths) {
  if (paths.empty()) return Error(ErrorCode::invalid, "nothing to back up", "name a file or a directory");
  ArchiveTarget root;
  for (const std::string& path : paths) {
    if (path.empty() || path.find('\0') != std::string::npos) {
      return Error(ErrorCode::invalid, "an empty path cannot be backed up");
    }
    TRY(add_target(root, path));
  }
  return root;
}

std::string clean_path(const std::string& base, const std::string& path) {
  std::string out;
  for (const std::string& part : clean_parts(path.starts_with('/') ? path : base + "/" + path)) out += "/" + part;
  return out.empty() ? "/" : out;
}

}  // namespace holdfast::repo
