// A directory as an object store: the object a/b/c is the file DIR/a/b/c, so that other tools (restic's local backend)
// read what lies in it.
//
// A put writes and syncs a temporary file below DIR/.holdfast-tmp, gives it its name in one step (rename, or link for
// put_if_absent, which no other name can race) and syncs the directory. A file that a dead process left in the
// temporary folder is no object; opening the store removes it (living writers hold a lock on theirs). Symbolic links
// inside DIR are neither followed nor listed. Directories that become empty go with their last object. One limit a
// bucket does not have: a key cannot be both an object and the beginning of another (a and a/b).
#pragma once

#include "objstore/store.h"

namespace holdfast::objstore {

struct FsOptions {
  std::string path;  ///< absolute
  enum class Missing { fail, create } missing = Missing::fail;
  unsigned file_mode = 0600;
  unsigned directory_mode = 0700;
};

/// not_found where the directory is missing (and not to be made), invalid where it is none, denied without rights. A
/// directory that may only be read opens too: its puts are denied.
[[nodiscard]] Result<std::shared_ptr<Store>> open_directory(FsOptions options);

}  // namespace holdfast::objstore
