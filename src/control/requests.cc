#include "control/requests.h"

#include <fmt/format.h>

#include "velero/layout.h"
#include "velero/names.h"

namespace holdfast::control {

namespace {
constexpr Duration kUrlValid = std::chrono::minutes(10);
constexpr Duration kStatusKept = std::chrono::minutes(1);
}  // namespace

Result<kube::After> DownloadRequests::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::DownloadRequest> found = context_.objects.get<velero::DownloadRequest>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::DownloadRequest request = TRY(std::move(found));
  if (request.status.phase == velero::phase::kProcessed) {
    const Time expires = request.status.expiration.value_or(context_.clock.now());
    if (expires > context_.clock.now()) return kube::After::in(expires - context_.clock.now());
    TRY(context_.objects.remove<velero::DownloadRequest>(name, stop));
    return kube::After::done();
  }
  const velero::Layout layout = TRY(velero::Layout::at(""));
  const std::string key = TRY(layout.download_key(request.spec.target.kind, request.spec.target.name));
  const std::string location_name = TRY(location_of(request, stop));
  const location::Location location = TRY(context_.locations.get(location_name, stop));
  if (location.store->can(objstore::Capability::presign)) {
    request.status.download_url = TRY(location.store->presign_get(key, kUrlValid));
  } else {
    request.metadata.annotations[std::string(kDownloadKeyAnnotation)] = location_name + " " + key;
  }
  request.status.phase = velero::phase::kProcessed;
  request.status.expiration = context_.clock.now() + kUrlValid;
  TRY(context_.objects.write_status(request, VeleroObjects::Also::metadata, stop));
  return kube::After::in(kUrlValid);
}

Result<std::string> DownloadRequests::location_of(const velero::DownloadRequest& request, std::stop_token stop) const {
  std::string backup_name = request.spec.target.name;
  if (request.spec.target.kind.starts_with("Restore")) {
    backup_name = TRY(context_.objects.get<velero::Restore>(request.spec.target.name, stop)).spec.backup_name;
  }
  return TRY(context_.objects.get<velero::Backup>(backup_name, stop)).spec.storage_location;
}

Result<kube::After> ServerStatusRequests::reconcile(const std::string& name, std::stop_token stop) {
  Result<velero::ServerStatusRequest> found = context_.objects.get<velero::ServerStatusRequest>(name, stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  velero::ServerStatusRequest request = TRY(std::move(found));
  if (request.status.phase == velero::phase::kProcessed) {
    const Time since = request.status.processed_timestamp.value_or(context_.clock.now());
    const Duration left = since + kStatusKept - context_.clock.now();
    if (left > Duration::zero()) return kube::After::in(left);
    TRY(context_.objects.remove<velero::ServerStatusRequest>(name, stop));
    return kube::After::done();
  }
  request.status.phase = velero::phase::kProcessed;
  request.status.processed_timestamp = context_.clock.now();
  request.status.server_version = context_.options.version;
  TRY(context_.objects.write_status(request, VeleroObjects::Also::nothing, stop));
  return kube::After::in(kStatusKept);
}

}  // namespace holdfast::control
