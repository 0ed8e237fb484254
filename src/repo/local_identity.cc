#include "repo/local_identity.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace holdfast::repo {

LocalIdentity local_identity() {
  LocalIdentity identity;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) identity.hostname = name.data();
  identity.uid = ::getuid();
  identity.gid = ::getgid();
  identity.pid = ::getpid();
  std::array<char, 4096> memory;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(identity.uid, &entry, memory.data(), memory.size(), &found) == 0 && found != nullptr) {
    identity.username = found->pw_name;
  }
  return identity;
}

}  // namespace holdfast::repo
