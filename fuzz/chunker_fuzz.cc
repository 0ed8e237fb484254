// The chunker, fed in pieces, cuts where its naive twin cuts: a ring of 64 bytes and long division.
#include <algorithm>
#include <deque>
#include <vector>

#include "base/check.h"
#include "repo/chunker.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::repo;
  if (size < 2 || size > 4096) return 0;
  const ChunkLimits limits{.smallest = 64, .largest = 512, .split_bits = 5};
  constexpr Polynomial kPolynomial = 0x3DA3358B4DC173;
  static const auto kTables = std::make_shared<const ChunkTables>(kPolynomial, limits);
  const size_t step = data[0] + size_t{1};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  std::vector<size_t> naive;
  for (size_t start = 0; start < text.size();) {
    std::deque<uint8_t> window(kChunkWindow, 0);
    size_t length = 0;
    while (start + length < text.size()) {
      window.pop_front();
      window.push_back(static_cast<uint8_t>(text[start + length]));
      if (++length < limits.smallest) continue;
      Polynomial digest = 0;
      for (const uint8_t byte : window) digest = remainder((digest << 8) | byte, kPolynomial);
      if ((digest & 31) == 0 || length == limits.largest) break;
    }
    naive.push_back(length);
    start += length;
  }

  std::vector<size_t> ours;
  Chunker chunker(kTables);
  size_t start = 0, known = 0;
  while (start < text.size()) {
    if (const auto cut = chunker.next(text.substr(start, known - start), known == text.size())) {
      ours.push_back(*cut);
      start += *cut;
    } else {
      known = std::min(text.size(), known + step);
    }
    known = std::max(known, start);
  }
  CHECK(ours == naive);
  return 0;
}
