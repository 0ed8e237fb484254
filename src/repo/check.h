// Is the repository whole? Structure first; with read_data every byte of every pack.
//
// Nothing is changed. Each fault is told by name: the file, the blob, the snapshot. A fault (Damage) means that
// something cannot be restored or will be lost; a hint costs only space or speed. Reads take no lock of their own: the
// caller decides.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "repo/progress.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// Which packs a check reads whole.
struct DataSubset {
  enum class Kind { none, all, slice, percent, bytes } kind = Kind::none;
  uint64_t part = 0, parts = 0;  ///< slice: the packs of part `part` of `parts`, by the first byte of their id
  double percent = 0;            ///< percent: that share of the packs, picked at random
  uint64_t bytes = 0;            ///< bytes: random packs of about that size together
};
/// "n/t", "x%" or a size ("10G"), as restic's --read-data-subset; invalid otherwise.
[[nodiscard]] Result<DataSubset> parse_data_subset(std::string_view text);

struct CheckOptions {
  DataSubset data;
  size_t connections = 5;
};

struct CheckReport {
  std::vector<std::string> damage;  ///< sorted; empty: the repository is whole, as far as it was read
  std::vector<std::string> hints;   ///< unreferenced packs, doubled packs, mixed packs
  uint64_t snapshots = 0, trees = 0, packs = 0, packs_read = 0, blobs_used = 0, blobs_unused = 0;
  [[nodiscard]] bool clean() const { return damage.empty(); }
};

/// Loads the index of the repository anew. Fails only where it cannot go on (store unreachable, stopped); what is
/// damaged is in the report.
[[nodiscard]] Result<CheckReport> check(Repository& repository, const CheckOptions& options, std::stop_token stop = {},
                                        Progress* progress = nullptr);

/// One pack's bytes against its name, its header and what the index says of it. Each fault is one line.
[[nodiscard]] std::vector<std::string> check_pack_bytes(const crypto::EnvelopeKey& key, const PackContents& indexed,
                                                        std::string_view bytes);

}  // namespace holdfast::repo
