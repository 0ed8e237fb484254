#include "repo/chunker.h"

#include <algorithm>

#include "base/check.h"

namespace holdfast::repo {

ChunkTables::ChunkTables(Polynomial polynomial, ChunkLimits limits) : polynomial_(polynomial), limits_(limits) {
  CHECK(degree(polynomial) == kPolynomialDegree);
  CHECK(limits.smallest >= kChunkWindow && limits.largest >= limits.smallest && limits.split_bits < 53);
  for (uint64_t byte = 0; byte < 256; ++byte) {
    mod_[byte] = remainder(byte << kPolynomialDegree, polynomial) | (byte << kPolynomialDegree);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    uint64_t digest = append(0, static_cast<uint8_t>(byte));
    for (size_t i = 1; i < kChunkWindow; ++i) digest = append(digest, 0);
    out_[byte] = digest;
  }
}

size_t ChunkTables::find_boundary(std::string_view data, size_t from, size_t to) const {
  CHECK(from >= kChunkWindow && to <= data.size());
  if (from > to) return to + 1;
  const uint64_t mask = (uint64_t{1} << limits_.split_bits) - 1;
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
  uint64_t digest = 0;
  for (size_t i = from - kChunkWindow; i < from; ++i) digest = append(digest, bytes[i]);
  if ((digest & mask) == 0) return from;
  for (size_t length = from; length < to; ++length) {
    digest ^= out_[bytes[length - kChunkWindow]];
    digest = append(digest, bytes[length]);
    if ((digest & mask) == 0) return length + 1;
  }
  return to + 1;
}

std::optional<size_t> Chunker::next(std::string_view data, bool at_end) {
  const ChunkLimits& limits = tables_->limits();
  const size_t from = std::max(scanned_ + 1, limits.smallest);
  const size_t to = std::min(data.size(), limits.largest);
  if (from <= to) {
    const size_t cut = tables_->find_boundary(data, from, to);
    if (cut <= to || to == limits.largest) {
      scanned_ = 0;
      return std::min(cut, to);
    }
    scanned_ = to;
  }
  if (!at_end || data.empty()) return std::nullopt;
  scanned_ = 0;
  return data.size();
}

}  // namespace holdfast::repo
