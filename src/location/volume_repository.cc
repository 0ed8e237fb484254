#include "location/volume_repository.h"

#include <fmt/format.h>

#include "base/random.h"
#include "base/text.h"
#include "objstore/decorators.h"
#include "velero/names.h"

namespace holdfast::location {

namespace {

constexpr size_t kPasswordBytes = 32;
/// Velero's setting for repositories that lie elsewhere.
constexpr std::string_view kRepoPrefix = "resticRepoPrefix";

Result<crypto::Secret> password_in(const json::value& secret, const std::string& ns) {
  const std::string name(velero::kRepoCredentialsSecret);
  const json::value* data = json::find(secret, {"data", velero::kRepoPasswordKey});
  if (data == nullptr || !data->is_string()) {
    return Error(ErrorCode::not_found, fmt::format("Secret {}/{} has no key {}", ns, name, velero::kRepoPasswordKey),
                 "import the recovery kit, or put the password of the repositories there");
  }
  std::string text = TRY(from_base64(data->get_string()).in(fmt::format("Secret {}/{}", ns, name)));
  crypto::Secret password = crypto::Secret::of(text);
  crypto::wipe(text);
  if (password.empty()) return Error(ErrorCode::invalid, fmt::format("Secret {}/{} holds an empty password", ns, name));
  return password;
}

}  // namespace

Result<crypto::Secret> repository_password(kube::Api& api, const std::string& ns, Missing missing,
                                           std::stop_token stop) {
  const std::string name(velero::kRepoCredentialsSecret);
  Result<json::value> secret = api.get(kube::types::secrets(), ns, name, stop);
  if (secret.is(ErrorCode::not_found) && missing == Missing::create) {
    const json::value fresh =
        json::object{{"apiVersion", "v1"},
                     {"kind", "Secret"},
                     {"type", "Opaque"},
                     {"metadata", json::object{{"name", name}, {"namespace", ns}}},
                     {"data", json::object{{velero::kRepoPasswordKey, to_base64(random_hex(kPasswordBytes))}}}};
    const Result<json::value> made = api.create(kube::types::secrets(), ns, fresh, {}, stop);
    if (!made && !made.is(ErrorCode::exists)) return made.error().in(fmt::format("make Secret {}/{}", ns, name));
    // Whoever made it: the value that counts is the one that is stored.
    secret = api.get(kube::types::secrets(), ns, name, stop);
  }
  if (secret.is(ErrorCode::not_found)) {
    return Error(ErrorCode::not_found,
                 fmt::format("Secret {}/{}, the password of the volume repositories, does not exist", ns, name),
                 "import the recovery kit of the site that wrote the backups");
  }
  if (!secret) return secret.error().in(fmt::format("Secret {}/{}", ns, name));
  return password_in(*secret, ns);
}

bool is_well_known(const crypto::Secret& password) {
  return password.reveal() == velero::kVeleroDefaultPassword;
}

Result<std::unique_ptr<repo::Repository>> open_volume_repository(const Location& location,
                                                                 const std::string& volume_namespace,
                                                                 const crypto::Secret& password, Missing missing,
                                                                 const repo::RepositoryOptions& options,
                                                                 std::stop_token stop) {
  const std::string what =
      fmt::format("repository of namespace {} in backup location {}", volume_namespace, location.object.metadata.name);
  if (const auto elsewhere = location.object.spec.config.find(std::string(kRepoPrefix));
      elsewhere != location.object.spec.config.end() && !elsewhere->second.empty()) {
    return Error(ErrorCode::unsupported,
                 fmt::format("{}: spec.config.{} puts it outside the location, at {}/{}; only repositories inside the "
                             "location are used here",
                             what, kRepoPrefix, elsewhere->second, volume_namespace),
                 "take the setting away, and copy repositories that must stay usable to restic/NAMESPACE below the "
                 "location's prefix");
  }
  std::shared_ptr<objstore::Store> store = TRY(objstore::below(location.store, "restic/" + volume_namespace).in(what));
  Result<std::unique_ptr<repo::Repository>> opened = repo::Repository::open(store, password, options, stop);
  if (opened.is(ErrorCode::not_found) && missing == Missing::create && !location.object.read_only()) {
    opened = repo::Repository::init(store, password, {}, options, stop);
    // Somebody else made it at the same time: theirs is the one.
    if (opened.is(ErrorCode::exists)) opened = repo::Repository::open(store, password, options, stop);
  }
  if (opened.is(ErrorCode::denied)) {
    return Error(ErrorCode::denied, fmt::format("{}: {}", what, opened.error().message()),
                 fmt::format("Secret {} holds another password than the one the repository was made with: import the "
                             "recovery kit of the site that wrote it",
                             velero::kRepoCredentialsSecret));
  }
  if (!opened) return std::move(opened).error().in(what);
  return opened;
}

std::string repository_identifier(const velero::BackupStorageLocation& location, const std::string& volume_namespace) {
  const velero::BackupStorageLocationSpec& spec = location.spec;
  const auto config = [&](const char* key) {
    const auto found = spec.config.find(key);
    return found == spec.config.end() ? std::string() : found->second;
  };
  const std::string prefix = spec.object_storage.has_value() ? spec.object_storage->prefix : "";
  const std::string tail = (prefix.empty() ? "" : prefix + "/") + "restic/" + volume_namespace;
  if (!config("resticRepoPrefix").empty()) return config("resticRepoPrefix") + "/" + volume_namespace;
  if (spec.provider == "holdfast.dev/directory") return config("path") + "/" + tail;
  const std::string bucket = spec.object_storage.has_value() ? spec.object_storage->bucket : "";
  std::string url = config("s3Url");
  if (url.empty()) url = fmt::format("s3-{}.amazonaws.com", config("region"));
  while (url.ends_with('/')) url.pop_back();
  return fmt::format("s3:{}/{}/{}", url, bucket, tail);
}

}  // namespace holdfast::location
