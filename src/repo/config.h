// The config file: version, id and chunker polynomial of a repository. Plain values; no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace holdfast::repo {

struct Config {
  unsigned version = 2;
  std::string id;  ///< 64 hex digits, random
  uint64_t polynomial = 0;
  json::object unknown;  ///< fields of other programs, kept when the config is rewritten
};

[[nodiscard]] std::string encode_config(const Config& config);
/// unsupported for a version other than 1 and 2; invalid for missing fields and for a polynomial that is no irreducible
/// one of degree 53.
[[nodiscard]] Result<Config> decode_config(std::string_view text);

}  // namespace holdfast::repo
