// The verbs of the program: one function each, one file each, wired together in main.cc. Nothing else lives here.
#pragma once

#include "config/command.h"

namespace holdfast::app {

[[nodiscard]] config::Command completion_command();

}  // namespace holdfast::app
