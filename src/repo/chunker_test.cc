#include "repo/chunker.h"

#include <gtest/gtest.h>

#include <deque>
#include <numeric>

#include "base/text.h"
#include "repo/test_repository.h"

namespace holdfast::repo {
namespace {

using testing::noise;
constexpr Polynomial kPolynomial = 0x3DA3358B4DC173;

// The chunker as its description reads: one byte after the other through a ring of 64, remainders by long division.
std::vector<size_t> naive_cuts(std::string_view data, Polynomial polynomial, const ChunkLimits& limits) {
  std::vector<size_t> cuts;
  size_t start = 0;
  while (start < data.size()) {
    // Zeros, then a one; the bytes that are too early for a cut are not hashed.
    std::deque<uint8_t> window(kChunkWindow, 0);
    window.pop_front();
    window.push_back(1);
    const uint64_t mask = (uint64_t{1} << limits.split_bits) - 1;
    size_t at = start + limits.smallest - kChunkWindow;
    size_t end = data.size();
    for (; at < data.size(); ++at) {
      window.pop_front();
      window.push_back(static_cast<uint8_t>(data[at]));
      const size_t length = at + 1 - start;
      if (length < limits.smallest) continue;
      Polynomial digest = 0;
      for (const uint8_t byte : window) digest = remainder((digest << 8) | byte, polynomial);
      if ((digest & mask) == 0 || length >= limits.largest) {
        end = at + 1;
        break;
      }
    }
    cuts.push_back(end - start);
    start = end;
  }
  return cuts;
}

std::vector<size_t> our_cuts(std::string_view data, const std::shared_ptr<const ChunkTables>& tables, size_t step) {
  std::vector<size_t> cuts;
  Chunker chunker(tables);
  size_t start = 0, known = 0;
  while (start < data.size()) {
    known = std::max(known, std::min(data.size(), start));
    const bool at_end = known == data.size();
    if (const auto cut = chunker.next(data.substr(start, known - start), at_end)) {
      cuts.push_back(*cut);
      start += *cut;
    } else {
      known = std::min(data.size(), known + step);
    }
  }
  return cuts;
}

TEST(Chunker, EqualsItsNaiveTwinOnSmallLimits) {
  const ChunkLimits limits{.smallest = 100, .largest = 900, .split_bits = 8};
  const auto tables = std::make_shared<const ChunkTables>(kPolynomial, limits);
  for (uint64_t seed = 0; seed < 12; ++seed) {
    std::string data = noise(5000 + seed * 37, seed);
    if (seed % 3 == 1) std::fill(data.begin() + 500, data.begin() + 2600, '\0');
    if (seed % 3 == 2) {
      for (size_t i = 0; i < data.size(); ++i) data[i] = data[i % 13];
    }
    const std::vector<size_t> naive = naive_cuts(data, kPolynomial, limits);
    for (const size_t step : {size_t{1}, size_t{7}, size_t{63}, size_t{1000}, data.size()}) {
      EXPECT_EQ(our_cuts(data, tables, step), naive) << "seed " << seed << " step " << step;
    }
  }
}

TEST(Chunker, EqualsItsNaiveTwinAtTheLeastLengthOfTheFormat) {
  const ChunkLimits limits{.smallest = 512 << 10, .largest = 8 << 20, .split_bits = 12};
  const auto tables = std::make_shared<const ChunkTables>(kPolynomial, limits);
  const std::string data = noise((1 << 20) + 70'017, 99);
  const std::vector<size_t> naive = naive_cuts(data, kPolynomial, limits);
  EXPECT_EQ(naive.size(), 3u);
  EXPECT_EQ(our_cuts(data, tables, 1 << 20), naive);
}

// The edges: everything up to 512 KiB is one chunk; zeros are cut at once, where the least length allows it.
TEST(Chunker, CutsShortZeroAndLongRunsAsTheFormatSays) {
  const auto tables = std::make_shared<const ChunkTables>(kPolynomial);
  const size_t least = 512 << 10;
  EXPECT_TRUE(our_cuts("", tables, 1).empty());
  EXPECT_EQ(our_cuts("short", tables, 1), std::vector<size_t>{5});
  EXPECT_EQ(our_cuts(noise(least - 1, 1), tables, 4096), std::vector<size_t>{least - 1});
  EXPECT_EQ(our_cuts(noise(least, 1), tables, 4096), std::vector<size_t>{least});
  EXPECT_EQ(our_cuts(std::string(3 * least + 5, '\0'), tables, 65536), (std::vector<size_t>{least, least, least, 5}));
  const ChunkLimits never{.smallest = 64, .largest = 1000, .split_bits = 52};
  EXPECT_EQ(our_cuts(noise(2500, 4), std::make_shared<const ChunkTables>(kPolynomial, never), 300),
            (std::vector<size_t>{1000, 1000, 500}));
}

TEST(Polynomial, KnowsIrreducibleOnes) {
  for (const Polynomial prime : {0x3DA3358B4DC173ull, 0x7ull, 0xbull, 0x11bull}) EXPECT_TRUE(is_irreducible(prime));
  for (const Polynomial product : {0x5ull, 0x6ull, 0x9ull, 0x3DA3358B4DC172ull, 0x101ull}) {
    EXPECT_FALSE(is_irreducible(product)) << product;
  }
  // Every polynomial of degree 2 to 10 against trial division.
  for (Polynomial f = 4; f < 2048; ++f) {
    bool divisible = false;
    for (Polynomial g = 2; 2 * degree(g) <= degree(f); ++g) divisible = divisible || remainder(f, g) == 0;
    EXPECT_EQ(is_irreducible(f), !divisible) << f;
  }
}

TEST(Polynomial, RandomOnesAreValidAndDiffer) {
  const Polynomial a = random_polynomial(), b = random_polynomial();
  EXPECT_NE(a, b);
  for (const Polynomial f : {a, b}) EXPECT_EQ(parse_polynomial(polynomial_text(f)).value(), f);
  for (const char* text : {"", "x", "3DA3358B4DC172", "7", "0x3da3358b4dc173", "3da3358b4dc173 "}) {
    EXPECT_TRUE(parse_polynomial(text).is(ErrorCode::invalid)) << text;
  }
}

}  // namespace
}  // namespace holdfast::repo
