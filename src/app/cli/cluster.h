// The one place where a verb gets its cluster: global flags in, Api and namespace out; and typed access to the
// velero.io objects of that namespace.
#pragma once

#include <string>
#include <vector>

#include "app/cli/surroundings.h"
#include "velero/types.h"

namespace holdfast::app {

/// -n, --kubeconfig, --kubecontext, and flags of Velero that change nothing here (--features, --colorized).
[[nodiscard]] std::vector<config::Option> cluster_options();

struct Cluster {
  std::shared_ptr<kube::Api> api;
  std::string ns;
};
/// How long a verb, and a process that serves, tries to reach an API server that does not answer.
inline constexpr Duration kVerbPatience = std::chrono::seconds(4);
inline constexpr Duration kServerPatience = std::chrono::seconds(30);
[[nodiscard]] Result<Cluster> open_cluster(const Surroundings& surroundings, const config::Arguments& arguments,
                                           Duration patience = kVerbPatience);

/// The plural of a velero.io type.
template <class T>
[[nodiscard]] const char* plural();
template <>
[[nodiscard]] inline const char* plural<velero::Backup>() {
  return "backups";
}
template <>
[[nodiscard]] inline const char* plural<velero::Restore>() {
  return "restores";
}
template <>
[[nodiscard]] inline const char* plural<velero::Schedule>() {
  return "schedules";
}
template <>
[[nodiscard]] inline const char* plural<velero::BackupStorageLocation>() {
  return "backupstoragelocations";
}
template <>
[[nodiscard]] inline const char* plural<velero::BackupRepository>() {
  return "backuprepositories";
}
template <>
[[nodiscard]] inline const char* plural<velero::PodVolumeBackup>() {
  return "podvolumebackups";
}
template <>
[[nodiscard]] inline const char* plural<velero::PodVolumeRestore>() {
  return "podvolumerestores";
}
template <>
[[nodiscard]] inline const char* plural<velero::DeleteBackupRequest>() {
  return "deletebackuprequests";
}
template <>
[[nodiscard]] inline const char* plural<velero::DownloadRequest>() {
  return "downloadrequests";
}
template <>
[[nodiscard]] inline const char* plural<velero::ServerStatusRequest>() {
  return "serverstatusrequests";
}

template <class T>
[[nodiscard]] const kube::ResourceType& type_of() {
  return kube::types::velero(plural<T>());
}

/// The server's own sentence about an object ("backups.velero.io "x" not found") without what stands in front of it.
[[nodiscard]] Error plainly(const Error& error, const kube::ResourceType& type, const std::string& name);

template <class T>
[[nodiscard]] Result<T> get_object(const Cluster& cluster, const std::string& name) {
  const Result<json::value> object = cluster.api->get(type_of<T>(), cluster.ns, name);
  if (!object) return plainly(object.error(), type_of<T>(), name);
  return velero::decode<T>(*object);
}
/// All objects that the selector matches, sorted by name as the server lists them.
template <class T>
[[nodiscard]] Result<std::vector<T>> list_objects(const Cluster& cluster, const std::string& selector = {}) {
  const kube::ListPage page = TRY(kube::list_all(*cluster.api, type_of<T>(), cluster.ns, {.label_selector = selector}));
  std::vector<T> out;
  for (const json::value& item : page.items) out.push_back(TRY(velero::decode<T>(item)));
  return out;
}
/// The named ones; without names all that the selector matches.
template <class T>
[[nodiscard]] Result<std::vector<T>> named_objects(const Cluster& cluster, const std::vector<std::string>& names,
                                                   const std::string& selector) {
  if (names.empty()) return list_objects<T>(cluster, selector);
  std::vector<T> out;
  for (const std::string& name : names) out.push_back(TRY(get_object<T>(cluster, name)));
  return out;
}
/// The names of all objects of the type, for completion; none where the cluster does not answer soon.
template <class T>
[[nodiscard]] config::Candidates names_of(const Surroundings& surroundings) {
  return [&surroundings](const config::Arguments& arguments) {
    std::vector<std::string> names;
    const Result<Cluster> cluster = open_cluster(surroundings, arguments, std::chrono::seconds(1));
    if (!cluster) return names;
    const Result<std::vector<T>> objects = list_objects<T>(*cluster);
    if (!objects) return names;
    for (const T& object : *objects) names.push_back(object.metadata.name);
    return names;
  };
}
template <class T>
[[nodiscard]] Result<T> create_object(const Cluster& cluster, const T& object) {
  json::object body = encode(object);
  body.erase("status");
  const Result<json::value> created = cluster.api->create(type_of<T>(), cluster.ns, std::move(body));
  if (!created) return plainly(created.error(), type_of<T>(), object.metadata.name);
  return velero::decode<T>(*created);
}
/// Reads, lets `mutate` change it, writes back; anew after a conflict.
template <class T, class Mutate>
[[nodiscard]] Result<T> change_object(const Cluster& cluster, const std::string& name, const Mutate& mutate) {
  const json::value changed =
      TRY(kube::update_with_retry(*cluster.api, type_of<T>(), cluster.ns, name, [&](json::value& v) -> Status {
        T object = TRY(velero::decode<T>(v));
        TRY(mutate(object));
        v = encode(object);
        return {};
      }));
  return velero::decode<T>(changed);
}

}  // namespace holdfast::app
