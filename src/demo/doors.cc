#include "demo/doors.h"

#include <fmt/format.h>

namespace holdfast::demo {

Result<std::string> Doors::open(const sandbox::DoorEnd& from, const sandbox::DoorEnd& to) {
  const std::string key = fmt::format("{} {} {} {} {}", from.network, from.address, to.network, to.address, to.port);
  auto found = doors_.find(key);
  if (found == doors_.end()) found = doors_.emplace(key, TRY(sandbox::Forwarder::start(runtime_, from, to))).first;
  return fmt::format("{}:{}", from.address, found->second.port());
}

}  // namespace holdfast::demo
