#include "crypto/scrypt.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace holdfast::crypto {
namespace {

std::string derive(std::string_view password, std::string_view salt, ScryptCost cost) {
  return to_hex(scrypt(as_bytes(password), as_bytes(salt), cost, 64).value().bytes());
}

// RFC 7914, section 12.
TEST(Scrypt, MatchesRfc7914) {
  EXPECT_EQ(derive("", "", {16, 1, 1}),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  EXPECT_EQ(derive("password", "NaCl", {1024, 8, 16}),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
}

TEST(Scrypt, RefusesParametersThatNoHonestFileHolds) {
  for (const ScryptCost& cost : {ScryptCost{0, 8, 1}, ScryptCost{1, 8, 1}, ScryptCost{1000, 8, 1},
                                 ScryptCost{uint64_t{1} << 40, 8, 1}, ScryptCost{1024, 0, 1}, ScryptCost{1024, 8, 0},
                                 ScryptCost{1024, 1 << 20, 1 << 20}, ScryptCost{2, 8, 1 << 26}}) {
    EXPECT_TRUE(scrypt({}, {}, cost, 64).is(ErrorCode::invalid)) << cost.n << " " << cost.r << " " << cost.p;
  }
}

TEST(Scrypt, CalibrationKeepsToTheMemoryLimit) {
  const ScryptCost cost = calibrate_scrypt(std::chrono::milliseconds(200), uint64_t{60} << 20).value();
  EXPECT_LE(128 * cost.n * cost.r, uint64_t{60} << 20);
  EXPECT_GE(cost.n, 16384u);
  EXPECT_GE(cost.p, 1u);
}

}  // namespace
}  // namespace holdfast::crypto
