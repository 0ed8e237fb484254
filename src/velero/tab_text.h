// Tabbed text into aligned text, by the rules of Go's text/tabwriter, which lays out every table of velero and kubectl.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::velero {

/// Cells end in a tab; a column is a run of adjacent lines that have that cell. Each is as wide as its widest cell plus
/// `padding`, at least `least`. What follows a line's last tab is no cell.
[[nodiscard]] std::string align_tabs(std::string_view text, size_t padding, size_t least = 0);

}  // namespace holdfast::velero
