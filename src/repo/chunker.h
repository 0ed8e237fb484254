// Content-defined chunks, cut exactly where restic cuts.
//
// A rolling hash over the last 64 bytes (the residue of a Rabin polynomial) decides: from 512 KiB on, a chunk ends
// where the hash has its low 20 bits zero, at the latest at 8 MiB. The hash at a place is a function of the 64 bytes
// before it alone, so places where a cut is possible can be found by any number of lanes or threads and be walked
// afterwards: ChunkTables::find_boundary is that seam. Tables are immutable and shared; one Chunker belongs to one
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "repo/polynomial.h"

namespace holdfast::repo {

struct ChunkLimits {
  size_t smallest = 512 << 10;
  size_t largest = 8 << 20;
  unsigned split_bits = 20;  ///< a chunk ends where this many low bits of the hash are zero
};
inline constexpr size_t kChunkWindow = 64;

class ChunkTables {
 public:
  explicit ChunkTables(Polynomial polynomial, ChunkLimits limits = {});
  [[nodiscard]] Polynomial polynomial() const { return polynomial_; }
  [[nodiscard]] const ChunkLimits& limits() const { return limits_; }

  /// The smallest length in [from, to] at which `data` (which begins with the chunk) may be cut by its content; `to` +
  /// 1 where there is none. 64 <= from; to <= data.size().
  [[nodiscard]] size_t find_boundary(std::string_view data, size_t from, size_t to) const;

 private:
  [[nodiscard]] uint64_t append(uint64_t digest, uint8_t byte) const {
    return ((digest << 8) | byte) ^ mod_[digest >> (kPolynomialDegree - 8)];
  }
  const Polynomial polynomial_;
  const ChunkLimits limits_;
  uint64_t out_[256];  ///< what a byte contributes when it leaves the window
  uint64_t mod_[256];  ///< what reduces a digest that grew by eight bits
};

class Chunker {
 public:
  explicit Chunker(std::shared_ptr<const ChunkTables> tables) : tables_(std::move(tables)) {}

  /// `data` begins where the current chunk begins and grows from call to call. The chunk's length; empty while more
  /// bytes are needed to tell. `at_end`: nothing follows, the rest is a chunk. Empty data has none. After a chunk was
  /// told, the next call is about the next one.
  [[nodiscard]] std::optional<size_t> next(std::string_view data, bool at_end);

 private:
  std::shared_ptr<const ChunkTables> tables_;
  size_t scanned_ = 0;  ///< no cut at any length up to this one
};

}  // namespace holdfast::repo
