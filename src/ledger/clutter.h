// What every start of the ledger leaves on its volume besides the database: 30 MB of files of the kinds that backups
// get wrong: holes, symbolic and hard links, odd names, extended attributes, odd modes and times, an empty directory, a
// fifo.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::ledger {

/// Makes ROOT/start-N for the smallest N that is free, whole or not at all (a cut start leaves .start-N.tmp, which the
/// next one removes). Returns the name.
[[nodiscard]] Result<std::string> leave_clutter(const std::string& root);

}  // namespace holdfast::ledger
