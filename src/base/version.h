// The version of this program, as the build says it: "0.1.0".
#pragma once

#include <string_view>

namespace holdfast {

[[nodiscard]] std::string_view program_version();

}  // namespace holdfast
