#include "location/location.h"

#include <fmt/format.h>

#include "base/text.h"
#include "objstore/decorators.h"
#include "objstore/open.h"
#include "objstore/probe.h"

namespace holdfast::location {

namespace {

constexpr size_t kOperationsAtOnce = 32;
constexpr Duration kProofHolds = std::chrono::hours(24);

/// The Secret's name and key that hold a location's credentials.
velero::SecretKeySelector credential_of(const velero::BackupStorageLocation& location) {
  if (location.spec.credential.has_value()) return *location.spec.credential;
  return {"cloud-credentials", "cloud", {}};
}

bool needs_credentials(const velero::BackupStorageLocation& location) {
  return location.spec.provider != "holdfast.dev/directory";
}

struct Sources {
  velero::BackupStorageLocation object;
  std::string credentials;
  std::string version;
};

Result<Sources> read_sources(kube::Api& api, const std::string& ns, const std::string& name, std::stop_token stop) {
  const Result<json::value> object = api.get(kube::types::velero("backupstoragelocations"), ns, name, stop);
  if (!object) {
    if (!object.is(ErrorCode::not_found)) return object.error().in(fmt::format("backup location {}", name));
    return Error(ErrorCode::not_found, fmt::format("backup location {} does not exist", name),
                 "`holdfast backup-location get` lists those there are");
  }
  Sources out;
  out.object = TRY(velero::decode<velero::BackupStorageLocation>(*object).in(fmt::format("backup location {}", name)));
  out.version = out.object.metadata.uid + "/" + std::to_string(out.object.metadata.generation) + "/" +
                json::compact(json::object_at(*object, {"spec"}));
  if (!needs_credentials(out.object)) return out;
  const velero::SecretKeySelector credential = credential_of(out.object);
  const Result<json::value> secret = api.get(kube::types::secrets(), ns, credential.name, stop);
  if (!secret) {
    if (!secret.is(ErrorCode::not_found))
      return secret.error().in(fmt::format("credentials of backup location {}", name));
    return Error(ErrorCode::not_found,
                 fmt::format("backup location {}: its Secret {}/{} does not exist", name, ns, credential.name),
                 "make the Secret, or name another one in spec.credential");
  }
  const json::value* data = json::find(*secret, {"data", credential.key});
  if (data == nullptr || !data->is_string()) {
    return Error(ErrorCode::not_found, fmt::format("backup location {}: Secret {}/{} has no key {}", name, ns,
                                                   credential.name, credential.key));
  }
  out.credentials = TRY(from_base64(data->get_string()).in(fmt::format("Secret {}/{}", ns, credential.name)));
  out.version += "/" + json::string_at(*secret, {"metadata", "resourceVersion"});
  return out;
}

Result<Location> open_sources(Sources sources) {
  const velero::BackupStorageLocationSpec& spec = sources.object.spec;
  objstore::OpenOptions options;
  options.config = spec.config;
  options.credentials = std::move(sources.credentials);
  options.limits.operations = kOperationsAtOnce;
  options.create_directory = !sources.object.read_only();
  std::string bucket;
  std::string prefix;
  if (spec.object_storage.has_value()) {
    bucket = spec.object_storage->bucket;
    prefix = spec.object_storage->prefix;
    options.ca_pem = TRY(from_base64(spec.object_storage->ca_cert).in("spec.objectStorage.caCert"));
  }
  std::shared_ptr<objstore::Store> store = TRY(objstore::open_location(spec.provider, bucket, prefix, options));
  return Location{std::move(sources.object), std::move(store)};
}

}  // namespace

Result<Location> open_location(kube::Api& api, const std::string& ns, const std::string& name, std::stop_token stop) {
  Sources sources = TRY(read_sources(api, ns, name, std::move(stop)));
  return open_sources(std::move(sources)).in(fmt::format("backup location {}", name));
}

Result<Location> Locations::get(const std::string& name, std::stop_token stop) {
  Sources sources = TRY(read_sources(api_, ns_, name, std::move(stop)));
  std::lock_guard lock(mutex_);
  const auto found = kept_.find(name);
  if (found != kept_.end() && found->second.version == sources.version) {
    // The store is the same; status and labels may be newer.
    found->second.location.object = std::move(sources.object);
    return found->second.location;
  }
  const std::string version = sources.version;
  Location location = TRY(open_sources(std::move(sources)).in(fmt::format("backup location {}", name)));
  if (decorate_) location.store = decorate_(std::move(location.store));
  kept_[name] = Kept{version, location, location.store};
  return location;
}

Result<Location> Locations::proven(const std::string& name, std::stop_token stop) {
  while (true) {
    const Location location = TRY(get(name, stop));
    if (location.object.read_only()) return location;
    std::shared_ptr<objstore::Store> claimed;
    {
      std::lock_guard lock(mutex_);
      const Kept& kept = kept_[name];
      if (kept.probed && clock_.boottime() - *kept.probed < kProofHolds) return kept.location;
      claimed = kept.claimed;
    }
    objstore::ProbeReport report =
        TRY(objstore::probe(*claimed, clock_, stop).in(fmt::format("backup location {}", name)));
    std::lock_guard lock(mutex_);
    Kept& kept = kept_[name];
    if (kept.claimed != claimed) continue;  // the location was changed while its old store was tried
    kept.probed = clock_.boottime();
    if (kept.location.without_conditional_put != report.without_conditional_put) {
      const bool disproved = !report.without_conditional_put.empty();
      kept.location.store = disproved ? objstore::without(claimed, {objstore::Capability::conditional_put}) : claimed;
      kept.location.without_conditional_put = std::move(report.without_conditional_put);
    }
    return kept.location;
  }
}

}  // namespace holdfast::location
