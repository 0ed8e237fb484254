#include "base/version.h"

namespace holdfast {

std::string_view program_version() {
  return HOLDFAST_VERSION;
}

}  // namespace holdfast
