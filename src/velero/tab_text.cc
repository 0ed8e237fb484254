#include "velero/tab_text.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace holdfast::velero {

namespace {

using Line = std::vector<std::string>;

/// UTF-8 characters, as Go counts a cell's width.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string align_tabs(std::string_view text, size_t padding, size_t least) {
  std::vector<Line> lines;
  size_t columns = 0;
  for (const std::string& line : split(text, '\n')) {
    lines.push_back(split(line, '\t'));
    columns = std::max(columns, lines.back().size() - 1);
  }
  for (size_t column = 0; column < columns; ++column) {
    for (size_t first = 0; first < lines.size();) {
      size_t end = first;
      size_t width = least;
      while (end < lines.size() && lines[end].size() > column + 1)
        width = std::max(width, width_of(lines[end++][column]) + padding);
      for (size_t i = first; i < end; ++i) lines[i][column].append(width - width_of(lines[i][column]), ' ');
      first = end == first ? first + 1 : end;
    }
  }
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    for (const std::string& cell : lines[i]) out += cell;
  }
  return out;
}

}  // namespace holdfast::velero
