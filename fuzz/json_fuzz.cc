// What parses must print and parse again to the same value.
#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace {

using namespace holdfast;

/// Boost.JSON 1.81 reads doubles of large exponents to within the last places only.
bool same(const json::value& a, const json::value& b) {
  if (a.is_double() && b.is_double()) {
    return std::abs(a.get_double() - b.get_double()) <= 1e-14 * std::abs(a.get_double()) + 1e-290;
  }
  if (a.is_array() && b.is_array()) {
    return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(), same);
  }
  if (a.is_object() && b.is_object()) {
    const auto member = [](const auto& x, const auto& y) { return x.key() == y.key() && same(x.value(), y.value()); };
    return std::equal(a.get_object().begin(), a.get_object().end(), b.get_object().begin(), b.get_object().end(),
                      member);
  }
  return a == b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<json::value> first = json::parse({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const Result<json::value> second = json::parse(json::pretty(*first));
  CHECK(second.ok());
  CHECK(same(*first, *second));
  return 0;
}
