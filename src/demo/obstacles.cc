#include "demo/obstacles.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "config/command.h"

namespace holdfast::demo {

namespace {

bool on_path(const std::string& program) {
  const std::string path = config::process_environment()("PATH").value_or("/usr/bin:/bin");
  for (const std::string& directory : split(path, ':')) {
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> machine_obstacles(const std::vector<Needed>& programs) {
  std::vector<std::string> out;
  if (::geteuid() != 0) out.emplace_back("sites need root for their namespaces: run it with sudo");
  for (const auto& [program, package] : programs) {
    if (!on_path(program)) out.push_back(fmt::format("program {} is missing: apt-get install {}", program, package));
  }
  return out;
}

std::vector<std::string> image_obstacles(const std::string& images_directory) {
  std::vector<std::string> out;
  for (const char* image : {"holdfast", "ledger"}) {
    const std::string path = fmt::format("{}/{}", images_directory, image);
    if (::access(path.c_str(), R_OK) != 0)
      out.push_back(fmt::format("image {} is missing: ./dev demo makes it, or tools/image.sh {}", image, path));
  }
  return out;
}

}  // namespace holdfast::demo
