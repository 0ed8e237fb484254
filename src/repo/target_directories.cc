#include "repo/target_directories.h"

#include <ranges>

namespace holdfast::repo {

TargetDirectories::TargetDirectories(SharedFd root, const WriteOptions& options)
    : options_(options), trail_(std::move(root)) {
  directories_.push_back({.made = true});
}

size_t TargetDirectories::declare(size_t parent, Node node) {
  node.content.reset();
  directories_.push_back({parent, directories_[parent].depth + 1, std::move(node)});
  return directories_.size() - 1;
}

Result<SharedFd> TargetDirectories::open(size_t directory) {
  // Up to the nearest directory that both ways share, then down.
  std::vector<size_t> down;
  size_t at = directory;
  const auto climb = [&] {
    down.push_back(at);
    at = directories_[at].parent;
  };
  const auto step_back = [&] {
    here_.pop_back();
    trail_.leave();
  };
  while (directories_[at].depth > trail_.depth()) climb();
  while (trail_.depth() > directories_[at].depth) step_back();
  while (here_.back() != at) {
    climb();
    step_back();
  }
  for (const size_t next : std::views::reverse(down)) {
    const SharedFd parent = TRY(trail_.top());
    Directory& wanted = directories_[next];
    SharedFd own = wanted.made ? TRY(open_directory_at(parent->get(), wanted.node.name))
                               : TRY(make_directory_at(parent->get(), wanted.node.name, options_));
    if (!wanted.made) ++made_;
    wanted.made = true;
    trail_.enter(wanted.node.name, std::move(own));
    here_.push_back(next);
  }
  return trail_.top();
}

void TargetDirectories::leave(size_t directory) {
  if (directory + 1 == directories_.size() && !directories_[directory].made) directories_.pop_back();
}

std::string TargetDirectories::path(size_t directory) const {
  std::vector<size_t> down;
  for (size_t at = directory; at != kRoot; at = directories_[at].parent) down.push_back(at);
  std::string out;
  for (const size_t at : std::views::reverse(down)) out += "/" + directories_[at].node.name;
  return out;
}

void TargetDirectories::finish(const NoteFailure& note) {
  for (size_t at = directories_.size(); --at != kRoot;) {
    const Directory& directory = directories_[at];
    if (!directory.made) continue;
    const Result<SharedFd> parent = open(directory.parent);
    const Status applied = parent ? apply_metadata_at((*parent)->get(), directory.node.name, directory.node, options_)
                                  : Status(parent.error());
    if (!applied) note(path(at), applied.error());
  }
}

}  // namespace holdfast::repo
