// What lies under a Backup's name in its location, and whether it is this Backup.
//
// Names are not proofs: a Backup that failed because its name was taken, one that was made by hand, and the namesake of
// another site all point at somebody else's files. Metadata proves by its attempt id (Velero's, which has none, by its
// start), files without metadata by the claim in their log.
#pragma once

#include <string>
#include <vector>

#include "backup/claim.h"
#include "location/location.h"
#include "velero/types.h"

namespace holdfast::control {

enum class Stored {
  nothing,
  this_backup,  ///< the metadata is this Backup's
  remains,      ///< no metadata; the rest is of this Backup's attempt, or of its half-done deletion
  another,      ///< somebody else's, or nobody can tell whose
};

/// corrupt where there is metadata that cannot be read.
[[nodiscard]] Result<Stored> what_is_stored(objstore::Store& store, const velero::Backup& backup, std::stop_token stop);

/// The claim in the log of that backup's directory; nothing where there is no log or another program wrote it.
[[nodiscard]] Result<std::optional<backup::Claim>> claim_of(objstore::Store& store, const std::string& backup,
                                                            std::stop_token stop);

/// Removes the files of a backup's directory; the log, which says whose they are, as the last of them.
[[nodiscard]] Status remove_backup_files(objstore::Store& store, const std::string& backup, std::stop_token stop);

}  // namespace holdfast::control
