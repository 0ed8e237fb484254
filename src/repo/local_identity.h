// Who writes: this machine's name and this process' user, as key files, locks and snapshots record them.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::repo {

struct LocalIdentity {
  std::string hostname, username;  ///< empty where the system knows none
  uint32_t uid = 0, gid = 0;
  int64_t pid = 0;
};
[[nodiscard]] LocalIdentity local_identity();

}  // namespace holdfast::repo
