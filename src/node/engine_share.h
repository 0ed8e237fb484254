// How much of the repository engine one work may use, so that all works together stay below one ceiling of memory.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::node {

struct EngineShare {
  size_t workers = 1;      ///< works at once
  size_t readers = 2;      ///< files read at once in one work
  size_t connections = 3;  ///< packs on their way at once in one work
  uint64_t pack_size = uint64_t{16} << 20;
};

/// Divides `memory` bytes among `workers` works. Where that is too little for so many, there are fewer; one work with
/// small packs always remains.
[[nodiscard]] EngineShare share_engine(uint64_t memory, size_t workers, size_t cores);
/// What one work with that share needs at most, without the index.
[[nodiscard]] uint64_t memory_of_work(const EngineShare& share);

}  // namespace holdfast::node
