// The files under a Store: snapshot.G holds every object at some revision, log.G each change since.
//
// A record is: length (4 bytes, little endian), CRC-32 of the payload (4 bytes), payload (JSON {"revision","key",
// "object"}; no object: deleted). A change is in the log, by write(2), before anybody hears of it; so a killed process
// loses nothing it had answered. (Only a snapshot is fsynced: a power cut may lose the last moments.) A record cut
// short at the end of the log is a change nobody heard of, and is dropped. A new generation G+1 begins with its
// snapshot, renamed into place whole; generations below the highest are leftovers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace holdfast::sandbox {

struct StoreRecord {
  uint64_t revision = 0;
  std::string key;
  std::shared_ptr<const json::value> object;  ///< null: deleted
};

class StoreLog {
 public:
  enum class From { snapshot, log };
  using Replay = std::function<void(StoreRecord record, From from)>;
  /// Opens or makes the newest generation in `directory`, locks it against a second process, and replays snapshot and
  /// log. conflict: in use; corrupt: a record in the middle fails its checksum.
  [[nodiscard]] static Result<std::unique_ptr<StoreLog>> open(const std::string& directory, const Replay& replay);

  /// Whole or not at all. After a failure that cannot be undone every later append fails too.
  [[nodiscard]] Status append(const StoreRecord& record);
  /// Begins a new generation with these records.
  [[nodiscard]] Status compact(const std::vector<StoreRecord>& live);
  [[nodiscard]] uint64_t log_bytes() const { return log_bytes_; }

 private:
  StoreLog(std::string directory, UniqueFd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}
  Status load(const Replay& replay);
  Status open_log();
  [[nodiscard]] std::string path(const char* name, uint64_t generation) const;
  void drop_generations_below(uint64_t generation) const;

  std::string directory_;
  UniqueFd lock_;
  UniqueFd log_;
  uint64_t generation_ = 0;
  uint64_t log_bytes_ = 0;
  bool broken_ = false;
};

}  // namespace holdfast::sandbox
