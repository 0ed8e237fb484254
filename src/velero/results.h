// B-results.gz and restore-R-results.gz: errors and warnings by where they belong. Pure.
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

/// One side of the file.
struct Findings {
  StringList velero;
  StringList cluster;
  std::map<std::string, StringList> namespaces;
  json::object extra;

  [[nodiscard]] size_t count() const;
};

struct Results {
  Findings errors;
  Findings warnings;
  json::object extra;
};

/// The plain JSON of the file. invalid names the member.
[[nodiscard]] Result<Results> decode_results(std::string_view text);
/// One line and its newline; both members are always there, {} when empty.
[[nodiscard]] std::string encode_results(const Results& results);

}  // namespace holdfast::velero
