#include "sandbox/node/volumes.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"

namespace holdfast::sandbox {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0644;

class VolumeSetup {
 public:
  VolumeSetup(const VolumeContext& context, const json::value& pod, std::string pod_ip)
      : context_(context),
        pod_(pod),
        pod_ip_(std::move(pod_ip)),
        ns_(json::string_at(pod, {"metadata", "namespace"})),
        base_(context.pods_directory + "/" + json::string_at(pod, {"metadata", "uid"}) + "/volumes") {}

  Result<std::map<std::string, std::string>> all() {
    std::map<std::string, std::string> out;
    for (const json::value& volume : json::array_at(pod_, {"spec", "volumes"})) {
      const std::string name = json::string_at(volume, {"name"});
      out[name] = TRY(one(name, volume).in(fmt::format("volume {}", name)));
    }
    return out;
  }

 private:
  Result<std::string> one(const std::string& name, const json::value& volume) {
    if (const json::value* claim = json::find(volume, {"persistentVolumeClaim"})) return claimed(*claim);
    if (const json::value* host = json::find(volume, {"hostPath"})) return host_path(*host);
    if (json::find(volume, {"emptyDir"}) != nullptr) return directory("kubernetes.io~empty-dir", name, 0777);
    if (const json::value* source = json::find(volume, {"configMap"})) {
      const std::string path = TRY(directory("kubernetes.io~configmap", name));
      TRY(write_config_map(path, *source));
      return path;
    }
    if (const json::value* source = json::find(volume, {"secret"})) {
      const std::string path = TRY(directory("kubernetes.io~secret", name));
      TRY(write_secret(path, *source, "secretName"));
      return path;
    }
    if (const json::value* source = json::find(volume, {"downwardAPI"})) {
      const std::string path = TRY(directory("kubernetes.io~downward-api", name));
      TRY(write_downward(path, *source));
      return path;
    }
    if (const json::value* source = json::find(volume, {"projected"})) {
      const std::string path = TRY(directory("kubernetes.io~projected", name));
      for (const json::value& part : json::array_at(*source, {"sources"})) TRY(write_projection(path, part));
      return path;
    }
    std::string kind = "without a source";
    for (const auto& [key, unused] : volume.as_object()) {
      if (key != "name") kind = std::string("of type ") + std::string(key);
    }
    return Error(ErrorCode::unsupported, "the sandbox has no volumes " + kind,
                 "use emptyDir, persistentVolumeClaim, hostPath, configMap, secret, projected or downwardAPI");
  }

  Result<std::string> directory(const char* plugin, const std::string& name, unsigned mode = 0755) const {
    const std::string path = fmt::format("{}/{}/{}", base_, plugin, name);
    TRY(make_directories(path));
    if (::chmod(path.c_str(), mode) != 0) return errno_error(errno, "chmod " + path);
    return path;
  }

  /// What is missing may come: the caller tries again.
  static Error waiting(Error error) {
    if (error.code() != ErrorCode::not_found) return error;
    return Error(ErrorCode::unavailable, error.message());
  }

  Result<std::string> claimed(const json::value& source) const {
    const std::string claim_name = json::string_at(source, {"claimName"});
    const Result<json::value> claim = context_.api.get(kube::types::persistent_volume_claims(), ns_, claim_name);
    if (!claim) return waiting(claim.error());
    const std::string volume_name = json::string_at(*claim, {"spec", "volumeName"});
    if (volume_name.empty() || json::string_at(*claim, {"status", "phase"}) != "Bound") {
      return Error(ErrorCode::unavailable, fmt::format("claim {} is not bound yet", claim_name));
    }
    const Result<json::value> volume = context_.api.get(kube::types::persistent_volumes(), "", volume_name);
    if (!volume) return waiting(volume.error());
    const std::string path = json::string_at(*volume, {"spec", "local", "path"});
    if (path.empty()) {
      return Error(ErrorCode::unsupported, fmt::format("volume {} is not of type local", volume_name));
    }
    const std::string target = TRY(directory("kubernetes.io~local-volume", volume_name));
    struct stat inner {};
    struct stat outer {};
    if (::stat(path.c_str(), &inner) != 0) return errno_error(errno, "stat " + path);
    if (::stat(target.c_str(), &outer) != 0) return errno_error(errno, "stat " + target);
    const bool mounted = inner.st_dev == outer.st_dev && inner.st_ino == outer.st_ino;
    if (!mounted && ::mount(path.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return errno_error(errno, fmt::format("bind {} to {}", path, target));
    }
    return target;
  }

  static Result<std::string> host_path(const json::value& source) {
    const std::string path = json::string_at(source, {"path"});
    const std::string type = json::string_at(source, {"type"});
    if (type == "DirectoryOrCreate") TRY(make_directories(path));
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return errno_error(errno, "hostPath " + path);
    return path;
  }

  /// The key-value pairs to write, by file name, after `items` and `optional` of a source.
  static Status write_items(const std::string& path, const json::value& source,
                            const std::map<std::string, std::string>& data) {
    const json::array& items = json::array_at(source, {"items"});
    if (items.empty()) {
      for (const auto& [key, value] : data) TRY(write_file_atomically(path + "/" + key, value, kSecretMode));
      return {};
    }
    for (const json::value& item : items) {
      const std::string key = json::string_at(item, {"key"});
      const auto found = data.find(key);
      if (found == data.end()) {
        if (json::bool_at(source, {"optional"})) continue;
        return Error(ErrorCode::unavailable, fmt::format("key {} is missing", key));
      }
      const fs::path file = fs::path(path) / json::string_at(item, {"path"});
      TRY(make_directories(file.parent_path()));
      TRY(write_file_atomically(file, found->second, kSecretMode));
    }
    return {};
  }

  Status write_config_map(const std::string& path, const json::value& source) const {
    const Result<json::value> object =
        context_.api.get(kube::types::config_maps(), ns_, json::string_at(source, {"name"}));
    if (!object) {
      if (object.is(ErrorCode::not_found) && json::bool_at(source, {"optional"})) return {};
      return waiting(object.error());
    }
    std::map<std::string, std::string> data;
    for (const auto& [key, value] : json::object_at(*object, {"data"})) data[key] = value.as_string().c_str();
    for (const auto& [key, value] : json::object_at(*object, {"binaryData"})) {
      data[key] = TRY(from_base64(value.as_string()));
    }
    return write_items(path, source, data);
  }

  Status write_secret(const std::string& path, const json::value& source, std::string_view name_field) const {
    const Result<json::value> object =
        context_.api.get(kube::types::secrets(), ns_, json::string_at(source, {name_field}));
    if (!object) {
      if (object.is(ErrorCode::not_found) && json::bool_at(source, {"optional"})) return {};
      return waiting(object.error());
    }
    std::map<std::string, std::string> data;
    for (const auto& [key, value] : json::object_at(*object, {"data"})) data[key] = TRY(from_base64(value.as_string()));
    return write_items(path, source, data);
  }

  Status write_downward(const std::string& path, const json::value& source) const {
    for (const json::value& item : json::array_at(source, {"items"})) {
      const std::string field = json::string_at(item, {"fieldRef", "fieldPath"});
      TRY(write_file_atomically(path + "/" + json::string_at(item, {"path"}),
                                TRY(downward_field(pod_, field, context_.node_ip, pod_ip_))));
    }
    return {};
  }

  Status write_projection(const std::string& path, const json::value& part) const {
    if (const json::value* source = json::find(part, {"configMap"})) {
      // Every cluster has this one; the sandbox keeps the certificate itself.
      if (json::string_at(*source, {"name"}) == "kube-root-ca.crt") {
        return write_file_atomically(path + "/ca.crt", context_.ca_pem);
      }
      return write_config_map(path, *source);
    }
    if (const json::value* source = json::find(part, {"secret"})) return write_secret(path, *source, "name");
    if (const json::value* source = json::find(part, {"downwardAPI"})) return write_downward(path, *source);
    if (const json::value* source = json::find(part, {"serviceAccountToken"})) {
      const std::string file = json::string_at(*source, {"path"}, "token");
      return write_file_atomically(path + "/" + file, TRY(token()), 0600);
    }
    return Error(ErrorCode::unsupported, "a projected source that the sandbox does not have");
  }

  Result<std::string> token() const {
    const std::string account = json::string_at(pod_, {"spec", "serviceAccountName"}, "default");
    kube::WriteOptions options;
    options.subresource = "token";
    const json::object metadata{{"name", account}, {"namespace", ns_}};
    const json::value request = json::object{{"apiVersion", "authentication.k8s.io/v1"},
                                             {"kind", "TokenRequest"},
                                             {"metadata", metadata},
                                             {"spec", json::object{{"expirationSeconds", 365 * 86400}}}};
    const Result<json::value> answer = context_.api.create(kube::types::service_accounts(), ns_, request, options);
    if (!answer) return waiting(answer.error());
    return json::string_at(*answer, {"status", "token"});
  }

  const VolumeContext& context_;
  const json::value& pod_;
  const std::string pod_ip_;
  const std::string ns_;
  const std::string base_;
};

}  // namespace

Result<std::map<std::string, std::string>> set_up_volumes(const VolumeContext& context, const json::value& pod,
                                                          const std::string& pod_ip) {
  return VolumeSetup(context, pod, pod_ip).all();
}

Status tear_down_volumes(const std::string& pods_directory, const std::string& pod_uid) {
  const std::string root = pods_directory + "/" + pod_uid;
  const std::string mounts = root + "/volumes/kubernetes.io~local-volume";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(mounts, error)) {
    // Removing through a mount would delete the data: rmdir of a mount point fails, remove_all would not.
    if (::umount2(entry.path().c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
      return errno_error(errno, "unmount " + entry.path().string());
    }
    if (::rmdir(entry.path().c_str()) != 0 && errno != ENOENT)
      return errno_error(errno, "remove " + entry.path().string());
  }
  fs::remove_all(root, error);
  if (error) return Error(ErrorCode::unavailable, fmt::format("remove {}: {}", root, error.message()));
  return {};
}

Result<std::string> downward_field(const json::value& pod, const std::string& path, const std::string& node_ip,
                                   const std::string& pod_ip) {
  if (path == "metadata.name") return json::string_at(pod, {"metadata", "name"});
  if (path == "metadata.namespace") return json::string_at(pod, {"metadata", "namespace"});
  if (path == "metadata.uid") return json::string_at(pod, {"metadata", "uid"});
  if (path == "spec.nodeName") return json::string_at(pod, {"spec", "nodeName"});
  if (path == "spec.serviceAccountName") return json::string_at(pod, {"spec", "serviceAccountName"});
  if (path == "status.hostIP") return node_ip;
  if (path == "status.podIP") return pod_ip;
  for (const char* map : {"labels", "annotations"}) {
    const std::string prefix = fmt::format("metadata.{}['", map);
    if (path.starts_with(prefix) && path.ends_with("']")) {
      return json::string_at(pod, {"metadata", map, path.substr(prefix.size(), path.size() - prefix.size() - 2)});
    }
  }
  return Error(ErrorCode::unsupported, fmt::format("the sandbox has no downward field {}", path));
}

}  // namespace holdfast::sandbox
