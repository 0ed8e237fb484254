// The doors that a place with sites has opened between networks: each is opened once and stays.
//
// Used from one thread. Destroying it closes them all.
#pragma once

#include <map>
#include <string>

#include "sandbox/site/forwarder.h"

namespace holdfast::demo {

class Doors {
 public:
  explicit Doors(sandbox::Runtime runtime) : runtime_(std::move(runtime)) {}
  /// "ADDRESS:PORT" of the door from that network and address (at a free port) to `to`.
  [[nodiscard]] Result<std::string> open(const sandbox::DoorEnd& from, const sandbox::DoorEnd& to);
  void close_all() { doors_.clear(); }

 private:
  const sandbox::Runtime runtime_;
  std::map<std::string, sandbox::Forwarder> doors_;
};

}  // namespace holdfast::demo
