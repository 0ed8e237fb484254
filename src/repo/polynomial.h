// Polynomials over GF(2), one bit per coefficient: what the chunker's rolling hash divides by. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::repo {

using Polynomial = uint64_t;
inline constexpr int kPolynomialDegree = 53;

/// The position of the highest coefficient; -1 for zero.
[[nodiscard]] int degree(Polynomial f);
/// f mod g; g is not zero.
[[nodiscard]] Polynomial remainder(Polynomial f, Polynomial g);
/// f * g mod m, where f and g have a lower degree than m.
[[nodiscard]] Polynomial multiply_mod(Polynomial f, Polynomial g, Polynomial m);
[[nodiscard]] Polynomial greatest_common_divisor(Polynomial f, Polynomial g);
/// Ben-Or's test: no factor of degree i divides x^(2^i) - x, for i up to half the degree.
[[nodiscard]] bool is_irreducible(Polynomial f);
/// A random irreducible polynomial of degree 53.
[[nodiscard]] Polynomial random_polynomial();

/// Lower-case hex without leading zeros, as the config file has it.
[[nodiscard]] std::string polynomial_text(Polynomial f);
/// invalid for other texts and for anything but an irreducible polynomial of degree 53.
[[nodiscard]] Result<Polynomial> parse_polynomial(std::string_view text);

}  // namespace holdfast::repo
