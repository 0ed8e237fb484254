// `holdfast controller`: the controllers of an installation, as a Deployment runs them; and `holdfast read-object`, by
// which a client reads a file of a backup location through the controller's pod where the store cannot sign URLs.
#include <fmt/format.h>

#include <atomic>
#include <cstdio>

#include "app/cli/acting_cluster.h"
#include "app/cli/cluster.h"
#include "app/cli/commands.h"
#include "app/cli/metrics_endpoint.h"
#include "app/cli/signals.h"
#include "base/text.h"
#include "base/version.h"
#include "control/control_plane.h"
#include "kube/lease.h"

namespace holdfast::app {

namespace {

using config::Kind;

int fail(std::string_view verb, const Error& error) {
  fmt::print(stderr, "holdfast {}: {}\n", verb, error.to_string());
  return 1;
}

control::ControlOptions options_from(const config::Arguments& arguments, const std::string& ns) {
  control::ControlOptions options;
  options.ns = ns;
  options.site = arguments.text("site");
  options.version = program_version();
  options.spill_directory = arguments.text("scratch-dir");
  options.default_location = arguments.text("default-backup-storage-location");
  options.default_volumes_to_fs_backup = arguments.boolean("default-volumes-to-fs-backup");
  options.default_backup_ttl = arguments.duration("default-backup-ttl");
  options.default_item_operation_timeout = arguments.duration("default-item-operation-timeout");
  options.default_validation_frequency = arguments.duration("store-validation-frequency");
  options.default_sync_period = arguments.duration("backup-sync-period");
  options.fs_backup_timeout = arguments.duration("fs-backup-timeout");
  options.garbage_collection_frequency = arguments.duration("garbage-collection-frequency");
  options.restore_sync_wait = arguments.duration("restore-sync-wait");
  options.restore_parallel = static_cast<size_t>(arguments.number("restore-parallel"));
  options.restore_wait.image = arguments.text("restore-helper-image");
  options.restore_wait.command = {"/usr/bin/holdfast", "restore-helper"};
  return options;
}

/// What tells this site from all others where nobody named it: the id of its cluster.
Result<std::string> cluster_id(kube::Api& api, const std::string& ns) {
  Result<json::value> found = api.get(kube::types::namespaces(), "", "kube-system");
  if (found.is(ErrorCode::not_found)) found = api.get(kube::types::namespaces(), "", ns);
  if (!found) return found.error().in("read the id of the cluster");
  return json::string_at(*found, {"metadata", "uid"});
}

Status serve(const config::Arguments& arguments) {
  const EndSignals end;
  const log::Level level = TRY(log::parse_level(arguments.text("log-level")));
  const log::Format format = TRY(log::parse_format(arguments.text("log-format")));
  const log::Logger log(log::descriptor_sink(2, level, format));
  const Cluster cluster = TRY(open_cluster(process_surroundings(), arguments, kServerPatience));
  metrics::Registry metrics;
  std::atomic<bool> ready = false;
  const auto server = TRY(serve_metrics(arguments.text("metrics-address"), metrics, [&] { return ready.load(); }));
  control::LeadershipOptions leadership;
  leadership.identity = kube::unique_identity(arguments.text("pod-name"));
  leadership.lease_duration = arguments.duration("lease-duration");
  leadership.renew_deadline = leadership.lease_duration * 2 / 3;
  leadership.retry_period = leadership.lease_duration / 6;
  leadership.on_ready = [&](bool serves) { ready = serves; };
  control::ControlOptions options = options_from(arguments, cluster.ns);
  if (options.site.empty()) options.site = TRY(cluster_id(*cluster.api, cluster.ns));
  std::shared_ptr<kube::Api> restore_api;
  if (const std::string account = arguments.text("restore-account"); !account.empty()) {
    const ClusterFlags flags{arguments.text("kubeconfig"), arguments.text("kubecontext"), kServerPatience};
    restore_api = TRY(open_cluster_as(flags, fmt::format("system:serviceaccount:{}:{}", cluster.ns, account)));
  }
  const Status status = control::run_control_plane(*cluster.api, system_clock(), log, metrics, options, leadership,
                                                   end.token(), restore_api.get());
  if (status.is(ErrorCode::cancelled) || end.token().stop_requested()) return {};
  return status;
}

int controller(const config::Arguments& arguments) {
  const Status status = serve(arguments);
  return status.ok() ? 0 : fail("controller", status.error());
}

Status print_object(const config::Arguments& arguments) {
  const auto part = static_cast<uint64_t>(arguments.number("length"));
  const Cluster cluster = TRY(open_cluster(process_surroundings(), arguments, kServerPatience));
  const location::Location location = TRY(location::open_location(*cluster.api, cluster.ns, arguments.positional(0)));
  const std::string key = arguments.positional(1);
  const objstore::ObjectMeta meta = TRY(location.store->head(key));
  const auto offset = static_cast<uint64_t>(arguments.number("offset"));
  std::string bytes;
  if (offset < meta.size)
    bytes = TRY(location.store->get(key, objstore::Range{offset, std::min(part, meta.size - offset)}));
  fmt::print("{}\n{}\n", meta.size, to_base64(bytes));
  return {};
}

int read_object(const config::Arguments& arguments) {
  const Status status = print_object(arguments);
  return status.ok() ? 0 : fail("read-object", status.error());
}

}  // namespace

config::Command controller_command() {
  config::Command command;
  command.name = "controller";
  command.summary = "Run the controllers of an installation (what its Deployment starts)";
  command.examples = {"holdfast controller --site site-a",
                      "holdfast controller --kubeconfig admin.conf --log-level debug"};
  command.options = {
      {.name = "site", .help = "name of this site, recorded in its backups; the id of the cluster without it"},
      {.name = "pod-name",
       .help = "name of this process in the lease",
       .fallback = "controller",
       .environment = "POD_NAME"},
      {.name = "restore-account",
       .help =
           "service account of the installation's namespace that restores act as, by impersonation; without it they "
           "act as the controllers do"},
      {.name = "lease-duration",
       .kind = Kind::duration,
       .help = "another replica takes over this long after the leader's last word",
       .fallback = "15s"},
      {.name = "default-backup-storage-location", .help = "location of backups that name none", .fallback = "default"},
      {.name = "default-volumes-to-fs-backup",
       .kind = Kind::boolean,
       .help = "back up all pod volumes where a backup does not say",
       .fallback = "false"},
      {.name = "default-backup-ttl",
       .kind = Kind::duration,
       .help = "how long backups are kept that do not say",
       .fallback = "720h0m0s"},
      {.name = "default-item-operation-timeout",
       .kind = Kind::duration,
       .help = "limit of asynchronous operations",
       .fallback = "4h0m0s"},
      {.name = "store-validation-frequency",
       .kind = Kind::duration,
       .help = "how often locations are checked",
       .fallback = "1m0s"},
      {.name = "backup-sync-period",
       .kind = Kind::duration,
       .help = "how often backups are looked for in locations",
       .fallback = "1m0s"},
      {.name = "fs-backup-timeout",
       .kind = Kind::duration,
       .help = "limit of the volume data of one backup or restore",
       .fallback = "4h0m0s"},
      {.name = "garbage-collection-frequency",
       .kind = Kind::duration,
       .help = "how often expired backups are looked for",
       .fallback = "1h0m0s"},
      {.name = "restore-sync-wait",
       .kind = Kind::duration,
       .help = "how long a restore waits for its backup to appear",
       .fallback = "2m0s"},
      {.name = "restore-parallel",
       .kind = Kind::number,
       .help = "objects created at once in a restore",
       .fallback = "16"},
      {.name = "restore-helper-image",
       .help = "image of the init container that waits for volumes",
       .fallback = fmt::format("localhost/holdfast:{}", program_version())},
      {.name = "scratch-dir", .help = "directory for tarballs on their way", .fallback = "/tmp"},
      {.name = "metrics-address", .help = "address of /metrics, /healthz and /readyz", .fallback = ":8085"},
      {.name = "log-level",
       .help = "least level that is logged",
       .fallback = "info",
       .choices = {"debug", "info", "warning", "error"}},
      {.name = "log-format", .help = "form of log lines", .fallback = "text", .choices = {"text", "json"}}};
  command.run = controller;
  return command;
}

config::Command read_object_command() {
  config::Command command;
  command.name = "read-object";
  command.summary = "Print a part of an object of a backup location: its whole size, then the part in base64";
  command.options.push_back(
      {.name = "offset", .kind = Kind::number, .help = "first byte of the part", .fallback = "0"});
  command.options.push_back(
      {.name = "length", .kind = Kind::number, .help = "bytes of the part", .fallback = "524288"});
  command.positionals = {{"LOCATION", "name of the BackupStorageLocation"}, {"KEY", "key below its prefix"}};
  command.hidden = true;
  command.run = read_object;
  return command;
}

}  // namespace holdfast::app
