// Who asks.
#pragma once

#include <string>
#include <vector>

namespace holdfast::sandbox {

struct User {
  std::string name;
  std::vector<std::string> groups;
};

}  // namespace holdfast::sandbox
