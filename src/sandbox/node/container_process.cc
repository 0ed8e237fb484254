// A container's root is put together on a tmpfs: the image's top-level directories are bound in read-only, /etc is
// copied so that it can be written, and what Kubernetes mounts (volumes, token, hosts) gets directories of its own.
// That needs no overlay file system and works in a user namespace.
#include "sandbox/node/container_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/file.h"

namespace holdfast::sandbox {

namespace fs = std::filesystem;

json::value to_json(const ContainerSpec& spec) {
  json::array mounts;
  for (const BindMount& mount : spec.mounts) {
    mounts.push_back(json::object{{"source", mount.source}, {"target", mount.target}, {"readOnly", mount.read_only}});
  }
  json::array groups;
  for (const unsigned group : spec.groups) groups.emplace_back(group);
  return json::object{{"imageRoot", spec.image_root},
                      {"root", spec.root},
                      {"argv", json::from_strings(spec.argv)},
                      {"environment", json::from_strings(spec.environment)},
                      {"directory", spec.directory},
                      {"hostname", spec.hostname},
                      {"uid", spec.uid},
                      {"gid", spec.gid},
                      {"groups", std::move(groups)},
                      {"mounts", std::move(mounts)},
                      {"networkPid", spec.network_pid}};
}

Result<ContainerSpec> container_spec_from_json(const json::value& v) {
  ContainerSpec spec;
  spec.image_root = json::string_at(v, {"imageRoot"});
  spec.root = json::string_at(v, {"root"});
  spec.argv = json::strings(json::array_at(v, {"argv"}));
  spec.environment = json::strings(json::array_at(v, {"environment"}));
  spec.directory = json::string_at(v, {"directory"}, "/");
  spec.hostname = json::string_at(v, {"hostname"});
  spec.uid = static_cast<unsigned>(json::int_at(v, {"uid"}));
  spec.gid = static_cast<unsigned>(json::int_at(v, {"gid"}));
  for (const json::value& group : json::array_at(v, {"groups"})) {
    spec.groups.push_back(static_cast<unsigned>(json::int_at(group, {})));
  }
  for (const json::value& mount : json::array_at(v, {"mounts"})) {
    spec.mounts.push_back(
        {json::string_at(mount, {"source"}), json::string_at(mount, {"target"}), json::bool_at(mount, {"readOnly"})});
  }
  spec.network_pid = static_cast<int>(json::int_at(v, {"networkPid"}));
  if (spec.root.empty() || spec.argv.empty())
    return Error(ErrorCode::invalid, "a container needs a root and a command");
  return spec;
}

namespace {

constexpr int kSetupFailed = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

Status call(int result, std::string_view what) {
  if (result < 0) return errno_error(errno, what);
  return {};
}

Status bind_mount(const std::string& source, const std::string& target, bool read_only) {
  TRY(call(::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr),
           "bind " + source + " to " + target));
  if (!read_only) return {};
  // A user namespace may not drop flags that the source's mount has locked; asking for these keeps them.
  constexpr unsigned long kKept = MS_NOSUID | MS_NODEV;
  const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY;
  if (::mount(nullptr, target.c_str(), nullptr, flags, nullptr) == 0) return {};
  return call(::mount(nullptr, target.c_str(), nullptr, flags | kKept, nullptr), "make read-only " + target);
}

Status make_place(const std::string& source, const std::string& target) {
  struct stat status {};
  TRY(call(::stat(source.c_str(), &status), "stat " + source));
  if (S_ISDIR(status.st_mode)) return make_directories(target);
  TRY(make_directories(fs::path(target).parent_path()));
  const UniqueFd fd(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  return call(fd.get(), "create " + target);
}

Status place_image(const ContainerSpec& spec) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(spec.image_root, error)) {
    const fs::path target = fs::path(spec.root) / entry.path().filename();
    if (entry.is_symlink() || entry.path().filename() == "etc" || !entry.is_directory()) {
      fs::copy(entry.path(), target, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
      if (error) return Error(ErrorCode::unavailable, "copy " + entry.path().string() + ": " + error.message());
    } else if (entry.path().filename() == "tmp" || entry.path().filename() == "var" ||
               entry.path().filename() == "run") {
      TRY(make_directories(target));
    } else {
      TRY(make_directories(target));
      TRY(bind_mount(entry.path(), target, true));
    }
  }
  if (error) return Error(ErrorCode::not_found, "image " + spec.image_root + ": " + error.message());
  return {};
}

Status place_devices(const std::string& root) {
  TRY(make_directories(root + "/dev"));
  TRY(call(::mount("tmpfs", (root + "/dev").c_str(), "tmpfs", MS_NOSUID, "mode=755,size=64k"), "mount /dev"));
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    const std::string source = std::string("/dev/") + name;
    TRY(make_place(source, root + source));
    TRY(bind_mount(source, root + source, false));
  }
  for (const auto& [link, target] : {std::pair("/dev/fd", "/proc/self/fd"),
                                     {"/dev/stdin", "/proc/self/fd/0"},
                                     {"/dev/stdout", "/proc/self/fd/1"},
                                     {"/dev/stderr", "/proc/self/fd/2"}}) {
    TRY(call(::symlink(target, (root + link).c_str()), std::string("make ") + link));
  }
  return {};
}

Status make_root(const ContainerSpec& spec) {
  // Mounts that the node makes later (volumes) still come in; ours do not go out.
  TRY(call(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr), "make mounts private"));
  TRY(call(::mount("tmpfs", spec.root.c_str(), "tmpfs", 0, "mode=755"), "mount the root"));
  TRY(place_image(spec));
  TRY(place_devices(spec.root));
  for (const char* name : {"/proc", "/tmp", "/var", "/run", "/old-root"}) TRY(make_directories(spec.root + name));
  TRY(call(::chmod((spec.root + "/tmp").c_str(), 01777), "chmod /tmp"));
  for (const BindMount& mount : spec.mounts) {
    const std::string target = spec.root + mount.target;
    TRY(make_place(mount.source, target));
    TRY(bind_mount(mount.source, target, mount.read_only));
  }
  return {};
}

Status enter_namespace(int pid, const char* name, int flag) {
  const std::string path = fmt::format("/proc/{}/ns/{}", pid, name);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  TRY(call(fd.get(), "open " + path));
  return call(::setns(fd.get(), flag), "enter " + path);
}

/// Gives up every right that the user of the container has not.
Status become(const ContainerSpec& spec) {
  if (spec.uid != ::getuid() || spec.gid != ::getgid() || !spec.groups.empty()) {
    std::vector<gid_t> groups(spec.groups.begin(), spec.groups.end());
    TRY(call(::setgroups(groups.size(), groups.data()), "set groups"));
    TRY(call(::setresgid(spec.gid, spec.gid, spec.gid), fmt::format("become group {}", spec.gid)));
    TRY(call(::setresuid(spec.uid, spec.uid, spec.uid), fmt::format("become user {}", spec.uid)));
  }
  return call(::chdir(spec.directory.c_str()), "enter " + spec.directory);
}

[[noreturn]] void run_program(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::clearenv();
  ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  for (const std::string& pair : environment) ::putenv(const_cast<char*>(pair.c_str()));
  std::signal(SIGPIPE, SIG_DFL);
  ::execvp(words[0], words.data());
  const int error = errno;
  fmt::print(stderr, "cannot run {}: {}\n", argv[0], errno_error(error, "exec").message());
  ::_exit(error == ENOENT ? kNotFound : kNotExecutable);
}

[[noreturn]] void be_first_process(const ContainerSpec& spec) {
  // Should the parent die, so does everything inside.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto prepare = [&]() -> Status {
    TRY(call(::mount("proc", (spec.root + "/proc").c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr),
             "mount /proc"));
    TRY(call(::chdir(spec.root.c_str()), "enter the root"));
    TRY(call(static_cast<int>(::syscall(SYS_pivot_root, ".", "old-root")), "change the root"));
    TRY(call(::chdir("/"), "enter the new root"));
    TRY(call(::umount2("/old-root", MNT_DETACH), "leave the old root"));
    ::rmdir("/old-root");
    if (!spec.hostname.empty())
      TRY(call(::sethostname(spec.hostname.data(), spec.hostname.size()), "set the host name"));
    return become(spec);
  };
  const Status status = prepare();
  if (!status) {
    fmt::print(stderr, "container: {}\n", status.error().message());
    ::_exit(kSetupFailed);
  }
  run_program(spec.argv, spec.environment);
}

volatile sig_atomic_t forward_to = 0;

void forward(int number) {
  if (forward_to > 0) ::kill(forward_to, number);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return kSetupFailed;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<ContainerSpec> read_spec(const std::string& file) {
  const std::string text = TRY(read_file(file));
  const json::value v = TRY(json::parse(text).in(file));
  return container_spec_from_json(v).in(file);
}

int report(const Error& error) {
  fmt::print(stderr, "container: {}\n", error.message());
  return kSetupFailed;
}

}  // namespace

int container_run(const std::string& spec_file) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Result<ContainerSpec> spec = read_spec(spec_file);
  if (!spec) return report(spec.error());
  const auto isolate = [&]() -> Status {
    if (spec->network_pid > 0) TRY(enter_namespace(spec->network_pid, "net", CLONE_NEWNET));
    TRY(call(::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC), "make namespaces"));
    return make_root(*spec);
  };
  if (const Status status = isolate(); !status) return report(status.error());
  int gate[2] = {-1, -1};
  if (::pipe2(gate, O_CLOEXEC) != 0) return report(errno_error(errno, "make a pipe"));
  const pid_t child = ::fork();
  if (child < 0) return report(errno_error(errno, "fork"));
  if (child == 0) {
    // pivot_root moves the parent's root as well: it must have written its file before.
    char go = 0;
    ::close(gate[1]);
    if (::read(gate[0], &go, 1) != 1) ::_exit(kSetupFailed);
    be_first_process(*spec);
  }
  forward_to = child;
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) std::signal(number, forward);
  // Whoever starts us learns pid 1 from here; it is what container-exec needs.
  if (const Status written = write_file_atomically(spec_file + ".pid", fmt::format("{}\n", child)); !written) {
    ::kill(child, SIGKILL);
    return report(written.error());
  }
  if (::write(gate[1], "g", 1) != 1) return report(errno_error(errno, "start the container"));
  return wait_for(child);
}

int container_exec(const std::string& spec_file, int pid, const std::vector<std::string>& argv) {
  const Result<ContainerSpec> spec = read_spec(spec_file);
  if (!spec) return report(spec.error());
  const auto enter = [&]() -> Status {
    // All of them are opened by the old root's /proc before the first is entered.
    std::vector<std::pair<UniqueFd, int>> doors;
    for (const auto& [name, flag] : {std::pair("net", CLONE_NEWNET),
                                     {"uts", CLONE_NEWUTS},
                                     {"ipc", CLONE_NEWIPC},
                                     {"pid", CLONE_NEWPID},
                                     {"mnt", CLONE_NEWNS}}) {
      UniqueFd fd(::open(fmt::format("/proc/{}/ns/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
      TRY(call(fd.get(), fmt::format("open namespace {} of process {}", name, pid)));
      doors.emplace_back(std::move(fd), flag);
    }
    for (const auto& [fd, flag] : doors) TRY(call(::setns(fd.get(), flag), "enter a namespace"));
    return {};
  };
  if (const Status status = enter(); !status) return report(status.error());
  const pid_t child = ::fork();
  if (child < 0) return report(errno_error(errno, "fork"));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (const Status status = become(*spec); !status) ::_exit(report(status.error()));
    run_program(argv, spec->environment);
  }
  forward_to = child;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) std::signal(number, forward);
  return wait_for(child);
}

int pod_network() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto make = []() -> Status {
    TRY(call(::unshare(CLONE_NEWNET), "make a network namespace"));
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    TRY(call(socket.get(), "open a socket"));
    ifreq request{};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP;
    return call(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "bring lo up");
  };
  if (const Status status = make(); !status) return report(status.error());
  // Says that the namespace is there.
  fmt::print("ready\n");
  std::fflush(stdout);
  while (true) ::pause();
}

}  // namespace holdfast::sandbox
