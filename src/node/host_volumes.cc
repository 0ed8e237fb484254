#include "node/host_volumes.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "base/text.h"

namespace holdfast::node {

namespace {

constexpr std::string_view kCsiPlugin = "kubernetes.io~csi";
constexpr std::string_view kEmptyDirPlugin = "kubernetes.io~empty-dir";
constexpr size_t kMountPointField = 4;

Status check_element(std::string_view what, const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
      name.find('\0') == std::string::npos) {
    return {};
  }
  return Error(ErrorCode::invalid, fmt::format("\"{}\" cannot be a {}", name, what));
}

bool is_directory(const std::string& path) {
  struct stat status {};
  // A link in the place of a volume is no volume: following it would leave the kubelet's directory.
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>> entries_of(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (directory == nullptr) return errno_error(errno, path);
  std::vector<std::string> out;
  for (errno = 0; const dirent* entry = ::readdir(directory.get()); errno = 0) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  if (errno != 0) return errno_error(errno, path);
  std::ranges::sort(out);
  return out;
}

/// The claim's name that a pod volume stands for; empty where it is of another kind.
std::string claim_of(const json::value& pod, const json::value& volume) {
  const std::string named = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
  if (!named.empty()) return named;
  if (json::find(volume, {"ephemeral"}) == nullptr) return {};
  return json::string_at(pod, {"metadata", "name"}) + "-" + json::string_at(volume, {"name"});
}

/// A path of mountinfo, in which blanks and backslashes are octal numbers.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const auto digit = [&](size_t i) { return at + i < text.size() && text[at + i] >= '0' && text[at + i] <= '7'; };
    if (text[at] == '\\' && digit(1) && digit(2) && digit(3)) {
      const int code = (text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0');
      out += static_cast<char>(code);
      at += 3;
    } else {
      out += text[at];
    }
  }
  return out;
}

}  // namespace

Result<json::value> find_pod(kube::Api& api, const velero::ObjectReference& reference, std::stop_token stop) {
  const std::string what = fmt::format("pod {}/{}", reference.namespace_, reference.name);
  Result<json::value> pod = api.get(kube::types::pods(), reference.namespace_, reference.name, std::move(stop));
  if (pod.is(ErrorCode::not_found)) return Error(ErrorCode::not_found, what + " is gone");
  if (!pod) return std::move(pod).error().in(what);
  if (!reference.uid.empty() && json::string_at(*pod, {"metadata", "uid"}) != reference.uid) {
    return Error(ErrorCode::not_found, what + " is gone; another pod has its name");
  }
  return pod;
}

Result<PodVolume> describe_volume(kube::Api& api, const json::value& pod, const std::string& volume,
                                  std::stop_token stop) {
  const json::array& volumes = json::array_at(pod, {"spec", "volumes"});
  const auto found =
      std::ranges::find_if(volumes, [&](const json::value& v) { return json::string_at(v, {"name"}) == volume; });
  const std::string ns = json::string_at(pod, {"metadata", "namespace"});
  if (found == volumes.end()) {
    return Error(ErrorCode::not_found,
                 fmt::format("pod {}/{} has no volume {}", ns, json::string_at(pod, {"metadata", "name"}), volume));
  }
  const std::string name = claim_of(pod, *found);
  if (name.empty()) return PodVolume{volume, {}, {}};
  const json::value claim = TRY(api.get(kube::types::persistent_volume_claims(), ns, name, std::move(stop))
                                    .in(fmt::format("claim {}/{} of volume {}", ns, name, volume)));
  if (json::string_at(claim, {"spec", "volumeMode"}) == "Block") {
    return Error(ErrorCode::unsupported, fmt::format("claim {}/{} is a block device without files", ns, name),
                 "exclude this volume from file backups");
  }
  PodVolume out{json::string_at(claim, {"spec", "volumeName"}), name, json::string_at(claim, {"metadata", "uid"})};
  if (out.directory_name.empty()) {
    return Error(ErrorCode::conflict, fmt::format("claim {}/{} is not bound to a volume", ns, name));
  }
  return out;
}

Result<std::string> find_volume_directory(const std::string& host_pods, const std::string& pod_uid,
                                          const std::string& directory_name) {
  TRY(check_element("pod uid", pod_uid));
  TRY(check_element("directory of a volume", directory_name));
  const std::string volumes = host_pods + "/" + pod_uid + "/volumes";
  const Result<std::vector<std::string>> plugins = entries_of(volumes);
  if (!plugins && !plugins.is(ErrorCode::not_found)) return plugins.error().in("volumes of the pod");
  std::vector<std::string> found;
  for (const std::string& plugin : plugins ? *plugins : std::vector<std::string>{}) {
    std::string path = volumes + "/" + plugin + "/" + directory_name;
    if (!is_directory(volumes + "/" + plugin) || !is_directory(path)) continue;
    if (plugin == kCsiPlugin) path += "/mount";
    if (is_directory(path)) found.push_back(std::move(path));
  }
  if (found.empty()) {
    return Error(ErrorCode::not_found, fmt::format("no directory matches {}/*/{}[/mount]", volumes, directory_name),
                 "hostPath volumes have none; else see whether the kubelet's pods directory is mounted into the agent");
  }
  if (found.size() > 1) {
    return Error(ErrorCode::conflict, fmt::format("{} directories match, where exactly one must: {} and {}",
                                                  found.size(), found[0], found[1]));
  }
  return found.front();
}

Result<bool> is_mount_point(const std::string& directory) {
  std::error_code failure;
  const std::string path = std::filesystem::canonical(directory, failure).string();
  if (failure) return errno_error(failure.value(), directory);
  constexpr const char* kTable = "/proc/self/mountinfo";
  std::ifstream table(kTable);
  if (!table) return errno_error(errno, kTable);
  bool found = false;
  std::string line;
  while (std::getline(table, line)) {
    const std::vector<std::string> fields = split(line, ' ');
    found = found || (fields.size() > kMountPointField && unescaped(fields[kMountPointField]) == path);
  }
  if (table.bad()) return errno_error(EIO, kTable);
  return found;
}

Status check_mounted(const std::string& directory, const MountTest& test) {
  if (std::filesystem::path(directory).parent_path().filename() == kEmptyDirPlugin) return {};
  if (TRY(test(directory).in("look for the volume's mount"))) return {};
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) return errno_error(errno, directory);
  return Error(
      ErrorCode::conflict,
      fmt::format("nothing is mounted at {}: it is a plain directory on device {}:{} of the node, not the volume",
                  directory, major(status.st_dev), minor(status.st_dev)),
      "see whether the pod still runs and its volume is attached, and whether the agent mounts the kubelet's pods "
      "directory with mountPropagation HostToContainer");
}

}  // namespace holdfast::node
