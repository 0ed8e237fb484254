// Preloaded into a program, it kills the program right before or right after its n-th change of a directory tree: the
// moments that a power cut or an eviction would choose. The program is the one that users run, unchanged.
//
//   KILL_AT_TREE=/srv/store/main   KILL_AT=before:7   LD_PRELOAD=libkill_at.so   holdfast controller ...
//
// A change is a call that gives a file in that tree a name or takes it away: linkat, renameat, renameat2, unlinkat. The
// directory store makes an object visible by nothing else, so n counts its puts, removals and temporary files' ends.
// With KILL_AT=count nothing is killed. KILL_AT_LOG names a file to which each change is appended as "N CALL PATH".
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::string text_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct Plan {
  std::string tree = text_of("KILL_AT_TREE");
  std::string log = text_of("KILL_AT_LOG");
  bool after = text_of("KILL_AT").starts_with("after:");
  long at = 0;
  Plan() {
    const std::string when = text_of("KILL_AT");
    const size_t colon = when.find(':');
    if (colon != std::string::npos) at = std::strtol(when.c_str() + colon + 1, nullptr, 10);
  }
};

const Plan& plan() {
  static const Plan made;
  return made;
}

std::string path_of(int directory, const char* name) {
  if (name[0] == '/') return name;
  if (directory == AT_FDCWD) return name;
  std::array<char, PATH_MAX> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size() - 1);
  return length < 0 ? "" : std::string(target.data(), static_cast<size_t>(length)) + "/" + name;
}

/// Counts the change; true where it is the one.
bool is_due(const char* call, const std::string& path) {
  static std::atomic<long> count{0};
  const Plan& own = plan();
  if (own.tree.empty() || !path.starts_with(own.tree + "/")) return false;
  const long number = ++count;
  if (!own.log.empty()) {
    const int file = ::open(own.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file >= 0) {
      ::dprintf(file, "%ld %s %s\n", number, call, path.c_str());
      ::close(file);
    }
  }
  return number == own.at;
}

template <typename Function, typename... Arguments>
int watched(const char* call, const std::string& path, Arguments... arguments) {
  static_assert(sizeof(Function) > 0);
  const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, call));
  const bool due = is_due(call, path);
  if (due && !plan().after) ::kill(::getpid(), SIGKILL);
  const int result = real(arguments...);
  if (due) ::kill(::getpid(), SIGKILL);
  return result;
}

}  // namespace

extern "C" {

int linkat(int from_directory, const char* from, int directory, const char* name, int flags) noexcept {
  return watched<int (*)(int, const char*, int, const char*, int)>("linkat", path_of(directory, name), from_directory,
                                                                   from, directory, name, flags);
}

int renameat(int from_directory, const char* from, int directory, const char* name) noexcept {
  return watched<int (*)(int, const char*, int, const char*)>("renameat", path_of(directory, name), from_directory,
                                                              from, directory, name);
}

int renameat2(int from_directory, const char* from, int directory, const char* name, unsigned flags) noexcept {
  return watched<int (*)(int, const char*, int, const char*, unsigned)>("renameat2", path_of(directory, name),
                                                                        from_directory, from, directory, name, flags);
}

int unlinkat(int directory, const char* name, int flags) noexcept {
  return watched<int (*)(int, const char*, int)>("unlinkat", path_of(directory, name), directory, name, flags);
}
}
