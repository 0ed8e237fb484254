#include "repo/polynomial.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <span>

#include "base/random.h"

namespace holdfast::repo {

int degree(Polynomial f) {
  return 63 - std::countl_zero(f);
}

Polynomial remainder(Polynomial f, Polynomial g) {
  CHECK(g != 0);
  const int target = degree(g);
  for (int at = degree(f); at >= target; at = degree(f)) f ^= g << (at - target);
  return f;
}

Polynomial multiply_mod(Polynomial f, Polynomial g, Polynomial m) {
  const Polynomial top = Polynomial{1} << degree(m);
  Polynomial product = 0;
  for (; g != 0; g >>= 1) {
    if ((g & 1) != 0) product ^= f;
    f <<= 1;
    if ((f & top) != 0) f ^= m;
  }
  return product;
}

Polynomial greatest_common_divisor(Polynomial f, Polynomial g) {
  while (g != 0) {
    const Polynomial rest = remainder(f, g);
    f = g;
    g = rest;
  }
  return f;
}

bool is_irreducible(Polynomial f) {
  const int size = degree(f);
  if (size < 1) return false;
  if (size == 1) return true;
  const Polynomial x = 2;
  Polynomial power = remainder(x, f);
  for (int i = 1; i <= size / 2; ++i) {
    power = multiply_mod(power, power, f);
    if (greatest_common_divisor(f, power ^ remainder(x, f)) != 1) return false;
  }
  return true;
}

Polynomial random_polynomial() {
  for (;;) {
    std::array<std::byte, 8> random;
    random_bytes(random);
    auto f = std::bit_cast<Polynomial>(random);
    f &= (Polynomial{1} << (kPolynomialDegree + 1)) - 1;
    f |= (Polynomial{1} << kPolynomialDegree) | 1;
    if (is_irreducible(f)) return f;
  }
}

std::string polynomial_text(Polynomial f) {
  return fmt::format("{:x}", f);
}

Result<Polynomial> parse_polynomial(std::string_view text) {
  Polynomial f = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), f, 16);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no polynomial in hex", text));
  }
  if (degree(f) != kPolynomialDegree || !is_irreducible(f)) {
    return Error(ErrorCode::invalid, fmt::format("the polynomial {} is not irreducible of degree 53", text));
  }
  return f;
}

}  // namespace holdfast::repo
