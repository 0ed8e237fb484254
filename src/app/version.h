// The release of this program. The one place that says it; CMakeLists.txt's project version is checked against it.
#pragma once

namespace holdfast::app {
inline constexpr const char* kVersion = "0.1.0";
}
