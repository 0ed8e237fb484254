// Whose files lie in a backup's directory when its metadata is not there: the first line of its log says so.
//
// The log is the first file of a backup and is put by put-if-absent, so whoever it names put all that lies beside it.
// It goes last when files are removed again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"

namespace holdfast::backup {

struct Claim {
  std::string attempt;  ///< random id of the attempt
  std::string epoch;    ///< decimal
  std::string site;     ///< empty: the site had no name
  Time begun = {};      ///< by the clock of that site
};

/// Writes the line that claims.
void write_claim(const log::Logger& log, const Claim& claim);
/// The claim in the gzipped bytes of a log file; nothing where another program wrote it.
[[nodiscard]] Result<std::optional<Claim>> read_claim(std::string_view gzipped_log);

}  // namespace holdfast::backup
