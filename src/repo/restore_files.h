// Restores the content of files in groups: one set of requests for all blobs of a group, each written wherever the
// group's files want it. Internal to repo.
#pragma once

#include <mutex>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "repo/filesystem.h"
#include "repo/restore.h"

namespace holdfast::repo {

class FileRestorer {
 public:
  /// `descriptors` bounds the files of the group; where it grants none, groups are of one file.
  FileRestorer(Repository& repository, const RestoreOptions& options, const WriteOptions& write, Progress& progress,
               DescriptorBudget& descriptors)
      : repository_(repository), options_(options), write_(write), progress_(progress), descriptors_(descriptors) {}

  /// Makes the file (a hole of its size) and puts it into the group; a full group is restored. Failures of the file go
  /// to `result`; the Status is about what ends the restore.
  [[nodiscard]] Status add(const SharedFd& parent, Node node, const std::string& path, RestoreResult& result,
                           std::stop_token stop);
  /// Restores what is in the group.
  [[nodiscard]] Status flush(RestoreResult& result, std::stop_token stop);

 private:
  struct Task {
    SharedFd parent;
    Node node;
    std::string path;
    UniqueFd file;
    uint64_t size = 0;
    std::optional<Error> failure;
    DescriptorBudget::Share share;
  };
  struct Want {
    size_t task;
    uint64_t offset;
  };
  using Wants = std::unordered_map<BlobHandle, std::vector<Want>, IdHash>;

  Result<uint64_t> content_size(const Node& node) const;
  Status write_blob(const std::vector<Want>& wants, std::string_view bytes);
  Status fetch_one_by_one(const Wants& wants, std::stop_token stop);
  void fail(size_t task, const Error& error);
  void complete(Task& task, RestoreResult& result);
  Status verify(const Task& task) const;

  Repository& repository_;
  const RestoreOptions& options_;
  const WriteOptions write_;
  Progress& progress_;
  DescriptorBudget& descriptors_;
  std::vector<Task> tasks_;
  uint64_t bytes_ = 0;
  std::mutex mutex_;  ///< failures of tasks and done_, which several threads report
  std::unordered_map<BlobHandle, bool, IdHash> done_;
};

/// True for failures that no other file of the restore would escape.
[[nodiscard]] bool ends_restore(const Error& error);

}  // namespace holdfast::repo
