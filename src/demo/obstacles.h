// What keeps this machine from making sites: one line for each obstacle, with its remedy.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace holdfast::demo {

/// A program in PATH, and the package that has it.
using Needed = std::pair<const char*, const char*>;

/// Root is missing, or a program is.
[[nodiscard]] std::vector<std::string> machine_obstacles(const std::vector<Needed>& programs);
/// An image directory, holdfast's or the ledger's, is missing.
[[nodiscard]] std::vector<std::string> image_obstacles(const std::string& images_directory);

}  // namespace holdfast::demo
