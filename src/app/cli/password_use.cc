#include "app/cli/password_use.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "location/location.h"
#include "location/volume_repository.h"

namespace holdfast::app {

namespace {

bool restics(const std::string& type) {
  return type.empty() || type == "restic";
}

/// The namespaces that have a repository in the location.
Result<std::set<std::string>> namespaces_in(const location::Location& location) {
  std::set<std::string> out;
  objstore::ListRequest request;
  request.prefix = "restic/";
  request.delimiter = "/";
  do {
    const objstore::ListPage page = TRY(location.store->list(request));
    for (const std::string& directory : page.prefixes) {
      const std::string name = directory.substr(request.prefix.size());
      out.insert(name.substr(0, name.find('/')));
    }
    request.after = page.next;
  } while (!request.after.empty());
  return out;
}

std::string doubt(const std::string& what, const Error& error) {
  return fmt::format("{}: it cannot be told whether it opens with it: {}", what, error.message());
}

/// A directory of the nodes need not be one of this machine, and must not be made here by looking for it.
Status check_here(const velero::BackupStorageLocation& location) {
  if (location.spec.provider != "holdfast.dev/directory") return {};
  const auto path = location.spec.config.find("path");
  std::error_code ignored;
  if (path == location.spec.config.end() || std::filesystem::is_directory(path->second, ignored)) return {};
  return Error(ErrorCode::not_found, fmt::format("directory {} is not on this machine", path->second));
}

void look_into(const Cluster& cluster, const velero::BackupStorageLocation& object, const crypto::Secret& password,
               std::vector<std::string>& uses) {
  const std::string& name = object.metadata.name;
  const auto open = [&]() -> Result<location::Location> {
    TRY(check_here(object));
    return location::open_location(*cluster.api, cluster.ns, name);
  };
  const Result<location::Location> location = open();
  if (!location) {
    uses.push_back(doubt("what lies in backup location " + name, location.error()));
    return;
  }
  const Result<std::set<std::string>> namespaces = namespaces_in(*location);
  if (!namespaces) {
    uses.push_back(doubt("what lies in backup location " + name, namespaces.error()));
    return;
  }
  for (const std::string& ns : *namespaces) {
    const auto opened = location::open_volume_repository(*location, ns, password, location::Missing::refuse);
    const std::string what = fmt::format("the repository of namespace {} in backup location {}", ns, name);
    if (opened.ok()) {
      uses.push_back(what + " opens with it");
    } else if (!opened.is(ErrorCode::denied) && !opened.is(ErrorCode::not_found)) {
      uses.push_back(doubt(what, opened.error()));
    }
  }
}

}  // namespace

Result<std::vector<std::string>> uses_of_password(const Cluster& cluster, const crypto::Secret& password) {
  std::vector<std::string> uses;
  for (const auto& object : TRY(list_objects<velero::BackupRepository>(cluster)))
    uses.push_back(fmt::format("BackupRepository {} is there", object.metadata.name));
  size_t saved = 0;
  for (const auto& backup : TRY(list_objects<velero::PodVolumeBackup>(cluster)))
    if (restics(backup.spec.uploader_type) && !backup.status.snapshot_id.empty()) ++saved;
  if (saved > 0) uses.push_back(fmt::format("PodVolumeBackups name {} snapshot(s) that may need it", saved));
  for (const auto& location : TRY(list_objects<velero::BackupStorageLocation>(cluster)))
    look_into(cluster, location, password, uses);
  return uses;
}

}  // namespace holdfast::app
