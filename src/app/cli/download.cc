#include "app/cli/download.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "velero/gzip.h"
#include "velero/names.h"

namespace holdfast::app {

namespace {

constexpr std::string_view kDownloadKey = "holdfast.dev/download-key";

/// Asks, and waits for the answer.
Result<velero::DownloadRequest> answered(const Surroundings& surroundings, const Cluster& cluster,
                                         const velero::DownloadRequest& request, Duration timeout) {
  const BootTime deadline = surroundings.clock->boottime() + timeout;
  const std::string& name = request.metadata.name;
  while (true) {
    velero::DownloadRequest now = TRY(get_object<velero::DownloadRequest>(cluster, name));
    if (!now.status.download_url.empty() || !now.metadata.annotation(kDownloadKey).empty()) return now;
    if (surroundings.clock->boottime() >= deadline)
      return Error(ErrorCode::timeout, "timed out waiting for download URL",
                   "is the controller running? (kubectl -n " + cluster.ns + " get pods)");
    TRY(surroundings.clock->sleep({}, std::chrono::milliseconds(200)));
  }
}

bool runs_ready(const json::value& pod) {
  if (json::string_at(pod, {"status", "phase"}) != "Running") return false;
  for (const json::value& status : json::array_at(pod, {"status", "containerStatuses"}))
    if (!json::bool_at(status, {"ready"})) return false;
  return json::find(pod, {"metadata", "deletionTimestamp"}) == nullptr;
}

Result<std::string> controller_pod(const Cluster& cluster) {
  const kube::ListPage pods =
      TRY(kube::list_all(*cluster.api, kube::types::pods(), cluster.ns, {.label_selector = "deploy=velero"}));
  for (const json::value& pod : pods.items)
    if (runs_ready(pod)) return json::string_at(pod, {"metadata", "name"});
  return Error(ErrorCode::unavailable, fmt::format("no pod of the controller is ready in namespace {}", cluster.ns));
}

/// One part as `holdfast read-object` prints it: the object's whole size, then bytes from the offset on in base64.
struct Part {
  size_t whole = 0;
  std::string bytes;
};
Result<Part> parse_part(std::string_view text) {
  const std::vector<std::string> lines = split(text, '\n');
  if (lines.size() < 2) return Error(ErrorCode::corrupt, "the answer has no size and part");
  const int64_t whole = TRY(parse_int(lines[0]));
  if (whole < 0) return Error(ErrorCode::corrupt, "the answer's size is negative");
  return Part{static_cast<size_t>(whole), TRY(from_base64(lines[1]))};
}

Result<std::string> read_through_controller(const Cluster& cluster, const std::string& location,
                                            const std::string& key) {
  const std::string pod = TRY(controller_pod(cluster));
  const std::string what = fmt::format("read {} of location {} in pod {}", key, location, pod);
  std::string out;
  while (true) {
    const std::vector<std::string> command{"/usr/bin/holdfast",       "read-object", location, key, "--offset",
                                           std::to_string(out.size())};
    const kube::ExecResult answer = TRY(cluster.api->exec(cluster.ns, pod, "", command, std::chrono::minutes(1)));
    if (answer.exit_code != 0)
      return Error(ErrorCode::unavailable,
                   fmt::format("{}: exit code {}: {}", what, answer.exit_code, trim(answer.err)));
    const Part part = TRY(parse_part(answer.out).in(what));
    out += part.bytes;
    if (out.size() == part.whole) return out;
    if (out.size() > part.whole || part.bytes.empty())
      return Error(ErrorCode::corrupt, fmt::format("{}: {} bytes of {}", what, out.size(), part.whole));
  }
}

/// The certificates of the location that the backup of this target lies in; empty where it names none.
Result<std::string> location_ca(const Cluster& cluster, const std::string& kind, const std::string& name) {
  std::string backup = name;
  if (kind.starts_with("Restore")) backup = TRY(get_object<velero::Restore>(cluster, name)).spec.backup_name;
  const std::string location = TRY(get_object<velero::Backup>(cluster, backup)).spec.storage_location;
  const auto found = TRY(get_object<velero::BackupStorageLocation>(cluster, location));
  if (!found.spec.object_storage || found.spec.object_storage->ca_cert.empty()) return std::string();
  return from_base64(found.spec.object_storage->ca_cert).in("certificate of location " + location);
}

Result<std::string> fetch_answer(const Surroundings& surroundings, const Cluster& cluster,
                                 const velero::DownloadRequest& answer, const DownloadOptions& options) {
  if (answer.status.download_url.empty()) {
    const std::string words = answer.metadata.annotation(kDownloadKey);
    const size_t space = words.find(' ');
    if (space == std::string::npos)
      return Error(ErrorCode::corrupt, fmt::format("annotation {} is not LOCATION KEY: {}", kDownloadKey, words));
    return read_through_controller(cluster, words.substr(0, space), words.substr(space + 1));
  }
  Download wish{.url = answer.status.download_url, .ca_pem = options.ca_pem, .verify = options.verify};
  if (wish.ca_pem.empty() && wish.verify && wish.url.starts_with("https:"))
    wish.ca_pem = TRY(location_ca(cluster, answer.spec.target.kind, answer.spec.target.name));
  return surroundings.fetch(wish);
}

}  // namespace

bool has_files(std::string_view phase) {
  return phase == velero::phase::kCompleted || phase == velero::phase::kPartiallyFailed ||
         phase == velero::phase::kFailed || phase == velero::phase::kFinalizing ||
         phase == velero::phase::kFinalizingPartiallyFailed || phase == velero::phase::kWaiting ||
         phase == velero::phase::kWaitingPartiallyFailed;
}

std::vector<config::Option> download_options() {
  using config::Kind;
  return {{.name = "timeout", .kind = Kind::duration, .help = "how long the server may take", .fallback = "1m0s"},
          {.name = "cacert", .help = "certificates to trust for the object store", .value_name = "FILE"},
          {.name = "insecure-skip-tls-verify",
           .kind = Kind::boolean,
           .help = "trust any object store; whoever sits in between can read and change the file"}};
}

Result<DownloadOptions> download_options_of(const config::Arguments& arguments) {
  DownloadOptions out{.timeout = arguments.duration("timeout"),
                      .verify = !arguments.boolean("insecure-skip-tls-verify")};
  if (const std::string path = arguments.text("cacert"); !path.empty()) out.ca_pem = TRY(read_file(path));
  return out;
}

Result<std::string> download(const Surroundings& surroundings, const Cluster& cluster, const std::string& kind,
                             const std::string& name, const DownloadOptions& options) {
  velero::DownloadRequest request;
  request.metadata.name = name.substr(0, 200) + "-" + random_uuid();
  request.metadata.namespace_ = cluster.ns;
  request.spec.target.kind = kind;
  request.spec.target.name = name;
  TRY(create_object(cluster, request));
  const Result<velero::DownloadRequest> answer = answered(surroundings, cluster, request, options.timeout);
  Result<std::string> body =
      answer ? fetch_answer(surroundings, cluster, *answer, options) : Result<std::string>(answer.error());
  const Status removed = cluster.api->remove(type_of<velero::DownloadRequest>(), cluster.ns, request.metadata.name);
  // The server removes requests that expire; one that stays until then harms nobody.
  if (!removed && !removed.is(ErrorCode::not_found) && body)
    surroundings.err(fmt::format("warning: {}\n", removed.error().message()));
  return std::move(body).in(fmt::format("download {} of {}", kind, name));
}

Result<std::string> download_text(const Surroundings& surroundings, const Cluster& cluster, const std::string& kind,
                                  const std::string& name, const DownloadOptions& options) {
  const std::string packed = TRY(download(surroundings, cluster, kind, name, options));
  return velero::gunzip(packed).in(fmt::format("{} of {}", kind, name));
}

}  // namespace holdfast::app
