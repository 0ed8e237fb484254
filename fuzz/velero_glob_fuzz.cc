// Pattern, newline, text: must answer, and a pattern without special characters must match exactly itself.
#include "velero/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::velero;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t line = all.find('\n');
  const std::string_view pattern = all.substr(0, line);
  const std::string_view text = line == std::string_view::npos ? std::string_view() : all.substr(line + 1);
  const bool matched = glob_match(pattern, text);
  if (!has_glob(pattern)) CHECK(matched == (pattern == text));
  CHECK(glob_match("*", text));
  (void)check_namespace_lists({{std::string(pattern)}, {std::string(text)}});
  return 0;
}
