// Writes the files of one backup into a store so that nothing is overwritten and the metadata comes last. Only for
// run_backup.cc.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "backup/spill_file.h"
#include "base/clock.h"
#include "objstore/store.h"
#include "velero/layout.h"

namespace holdfast::backup {

class BackupFiles {
 public:
  BackupFiles(objstore::Store& store, const velero::Layout& layout, std::string name, Clock& clock)
      : store_(store), layout_(layout), name_(std::move(name)), clock_(clock) {}

  /// exists where anything lies in the backup's directory.
  [[nodiscard]] Status check_free(std::stop_token stop);
  /// Puts a small file; `exists` where somebody else's lies there. The answer of a lost call is settled by reading
  /// back.
  [[nodiscard]] Status put(velero::BackupFile file, const std::string& bytes, std::stop_token stop);
  [[nodiscard]] Status put_contents(const SpillFile& tarball, std::stop_token stop);
  /// False where put_if_absent is not atomic in this store: then only a fresh look guards the metadata.
  [[nodiscard]] bool guarded() const { return store_.can(objstore::Capability::conditional_put); }
  /// Removes what this object put. Not to be called once the metadata was tried.
  void remove_written();

 private:
  Status put_once(const std::string& key, const std::string& bytes, std::stop_token stop);
  objstore::Store& store_;
  const velero::Layout& layout_;
  const std::string name_;
  Clock& clock_;
  std::vector<std::string> written_;
};

}  // namespace holdfast::backup
