// Saves the content of one file: reads, cuts, saves each chunk. Internal to repo.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "repo/chunker.h"
#include "repo/filesystem.h"
#include "repo/progress.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// What the blobs of a backup added. A value.
struct AddedBlobs {
  uint64_t blobs = 0, bytes = 0, stored_bytes = 0;
  void add(const SavedBlob& saved, uint64_t plain_bytes);
  void add(const AddedBlobs& other);
};

struct SavedContent {
  std::vector<Id> content;
  uint64_t size = 0;  ///< bytes read, which is what the file had, not what stat said
  AddedBlobs added;
};

class FileSaver {
 public:
  /// `dry_run`: blobs are named and counted, not saved.
  FileSaver(Repository& repository, Progress& progress, bool dry_run);

  /// Failures of reading are returned in `read_error`; the Result's are those of the repository.
  [[nodiscard]] Result<SavedContent> save(FileReader& reader, Status& read_error, std::stop_token stop) const;
  /// Saves any blob under the same rules.
  [[nodiscard]] Result<SavedBlob> save_blob(BlobType type, std::string_view bytes, std::optional<Id> known,
                                            std::stop_token stop) const;

 private:
  Status save_chunk(std::string_view bytes, std::optional<Id> known, SavedContent& out, std::stop_token stop) const;
  Status save_zero_chunks(FileReader& reader, SavedContent& out, std::stop_token stop) const;

  Repository& repository_;
  Progress& progress_;
  const bool dry_run_;
  std::shared_ptr<const ChunkTables> tables_;
  std::string zeros_;  ///< the chunk that a hole is made of
  Id zeros_id_;
};

}  // namespace holdfast::repo
