#include "repo/archive_tree.h"

namespace holdfast::repo {
namespace {

bool same_node(const Node& a, const Node& b) {
  std::string left, right;
  append_node(left, a, TreeProfile::restic_0_19);
  append_node(right, b, TreeProfile::restic_0_19);
  return left == right;
}

}  // namespace

// One after the other: a chain of parents that only we hold would go by recursion, as deep as the tree.
OpenDirectory::~OpenDirectory() {
  OpenDirectoryPtr up = std::move(parent);
  while (up && up.use_count() == 1) {
    OpenDirectoryPtr next = std::move(up->parent);
    up = std::move(next);
  }
}

ArchiveTree::Place ArchiveTree::add_entry(const OpenDirectoryPtr& directory) {
  ++directory->open_entries;
  std::lock_guard lock(mutex_);  // workers write into the list that grows here
  directory->entries.emplace_back();
  return {directory, directory->entries.size() - 1};
}

OpenDirectoryPtr ArchiveTree::open(const Place& place, Node node, std::optional<Node> previous) {
  auto directory = std::make_shared<OpenDirectory>();
  directory->parent = place.directory;
  directory->slot = place.slot;
  directory->node = std::move(node);
  directory->previous = std::move(previous);
  return directory;
}

Status ArchiveTree::finish_entry(const Place& place, std::optional<Node> node, std::stop_token stop) {
  {
    std::lock_guard lock(mutex_);
    place.directory->entries[place.slot] = std::move(node);
  }
  return leave(place.directory, std::move(stop));
}

Status ArchiveTree::leave(OpenDirectoryPtr directory, std::stop_token stop) {
  while (--directory->open_entries == 0) {
    TRY(finish_directory(*directory, stop));
    OpenDirectoryPtr parent = directory->parent;
    if (!parent) return {};
    {
      std::lock_guard lock(mutex_);
      parent->entries[directory->slot] = std::move(directory->node);
    }
    directory = std::move(parent);
  }
  return {};
}

Status ArchiveTree::finish_directory(OpenDirectory& directory, std::stop_token stop) {
  TreeWriter writer(profile_);
  for (std::optional<Node>& entry : directory.entries) {
    if (entry) TRY(writer.add(*entry));
    entry.reset();
  }
  const std::string blob = writer.finish();
  const SavedBlob saved = TRY(saver_.save_blob(BlobType::tree, blob, {}, std::move(stop)));
  std::lock_guard lock(mutex_);
  const bool first = !dry_run_ || dry_trees_.insert(saved.id).second;
  if (first) trees_.add(saved, blob.size());
  if (!directory.parent) {
    root_ = saved.id;
    return {};
  }
  directory.node.subtree = saved.id;
  if (!directory.previous) {
    ++summary_.dirs_new;
  } else if (same_node(directory.node, *directory.previous)) {
    ++summary_.dirs_unmodified;
  } else {
    ++summary_.dirs_changed;
  }
  return {};
}

void ArchiveTree::count_file(const Node& node, const std::optional<Node>& previous) {
  std::lock_guard lock(mutex_);
  ++summary_.total_files_processed;
  summary_.total_bytes_processed += node.size;
  if (!previous) {
    ++summary_.files_new;
  } else if (same_node(node, *previous)) {
    ++summary_.files_unmodified;
  } else {
    ++summary_.files_changed;
  }
}

void ArchiveTree::count_content(const AddedBlobs& added) {
  std::lock_guard lock(mutex_);
  summary_.data_blobs += added.blobs;
  summary_.data_added += added.bytes;
  summary_.data_added_packed += added.stored_bytes;
}

std::optional<Id> ArchiveTree::root() const {
  std::lock_guard lock(mutex_);
  return root_;
}

SnapshotSummary ArchiveTree::summary() const {
  std::lock_guard lock(mutex_);
  SnapshotSummary out = summary_;
  out.tree_blobs = trees_.blobs;
  out.data_added += trees_.bytes;
  out.data_added_packed += trees_.stored_bytes;
  return out;
}

}  // namespace holdfast::repo
