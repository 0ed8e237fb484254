#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/cli/commands.h"
#include "app/cli/kit.h"
#include "app/cli/output.h"
#include "app/cli/selection.h"
#include "base/file.h"
#include "base/text.h"
#include "velero/names.h"
#include "velero/validate.h"

namespace holdfast::app {

namespace {

using config::Kind;
using velero::BackupStorageLocation;

/// --credential NAME=KEY
Result<std::optional<velero::SecretKeySelector>> credential(const config::Arguments& arguments) {
  const auto pairs = arguments.map("credential");
  if (pairs.empty()) return std::optional<velero::SecretKeySelector>();
  if (pairs.size() > 1) return Error(ErrorCode::invalid, "--credential: one Secret and its key, as NAME=KEY");
  return std::optional(velero::SecretKeySelector{pairs.begin()->first, pairs.begin()->second, {}});
}

Result<BackupStorageLocation> location_object(const Cluster& cluster, const config::Arguments& arguments) {
  BackupStorageLocation out;
  out.metadata.name = arguments.positional(0);
  out.metadata.namespace_ = cluster.ns;
  out.metadata.labels = arguments.map("labels");
  out.spec.provider = arguments.text("provider");
  out.spec.config = arguments.map("config");
  out.spec.credential = TRY(credential(arguments));
  out.spec.is_default = arguments.boolean("default");
  out.spec.access_mode = arguments.text("access-mode");
  if (arguments.given("backup-sync-period")) out.spec.backup_sync_period = arguments.duration("backup-sync-period");
  if (arguments.given("validation-frequency"))
    out.spec.validation_frequency = arguments.duration("validation-frequency");
  velero::ObjectStorageLocation storage;
  storage.bucket = arguments.text("bucket");
  storage.prefix = arguments.text("prefix");
  if (const std::string path = arguments.text("cacert"); !path.empty())
    storage.ca_cert = to_base64(TRY(read_file(path)));
  out.spec.object_storage = std::move(storage);
  const velero::StringList faults = validate(out);
  if (!faults.empty()) return Error(ErrorCode::invalid, fmt::format("{}", fmt::join(faults, "; ")));
  return out;
}

/// One location at most is the default.
Status clear_other_defaults(const Cluster& cluster, const std::string& name) {
  for (const BackupStorageLocation& other : TRY(list_objects<BackupStorageLocation>(cluster))) {
    if (!other.spec.is_default || other.metadata.name == name) continue;
    TRY(change_object<BackupStorageLocation>(cluster, other.metadata.name, [](BackupStorageLocation& l) -> Status {
      l.spec.is_default = false;
      return {};
    }));
  }
  return {};
}

/// Which location of the kit is meant: the one asked for, the one of the same name, else the only one.
Result<std::string> kit_location(const Kit& kit, const config::Arguments& arguments) {
  const std::string asked = arguments.text("kit-location");
  if (!asked.empty()) return asked;
  for (const BackupStorageLocation& location : kit.locations)
    if (location.metadata.name == arguments.positional(0)) return location.metadata.name;
  if (kit.locations.size() == 1) return kit.locations.front().metadata.name;
  return Error(ErrorCode::invalid, "the kit has several locations", "--kit-location names one of them");
}

Result<int> create_from_kit(const Surroundings& surroundings, const config::Arguments& arguments) {
  const std::string path = arguments.text("from-kit");
  const std::string text = TRY(read_file(path, size_t{16} << 20));
  const Kit kit = TRY(read_kit(text).in(path));
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  ImportOptions options{.location = TRY(kit_location(kit, arguments)), .as = arguments.positional(0)};
  if (arguments.given("access-mode")) options.access_mode = arguments.text("access-mode");
  if (arguments.boolean("default")) {
    options.is_default = ImportOptions::Default::make;
    TRY(clear_other_defaults(cluster, options.as));
  }
  if (arguments.boolean("replace-password")) options.password = ImportOptions::Password::replace;
  TRY(import_kit(cluster, kit, options));
  surroundings.out(fmt::format("Backup storage location \"{}\" configured successfully.\n", options.as));
  return 0;
}

Result<int> create(const Surroundings& surroundings, const config::Arguments& arguments) {
  if (!arguments.text("from-kit").empty()) return create_from_kit(surroundings, arguments);
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const BackupStorageLocation location = TRY(location_object(cluster, arguments));
  const std::string& name = location.metadata.name;
  if (const auto format = output_format(arguments); format) {
    surroundings.out(new_object_text(*format, surroundings.clock->now(), location));
    return 0;
  }
  if (location.spec.is_default) TRY(clear_other_defaults(cluster, name));
  TRY(create_object(cluster, location));
  surroundings.out(fmt::format("Backup storage location \"{}\" configured successfully.\n", name));
  return 0;
}

Result<int> set(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const std::string name = arguments.positional(0);
  const auto new_credential = TRY(credential(arguments));
  std::string certificate;
  if (const std::string path = arguments.text("cacert"); !path.empty()) certificate = TRY(read_file(path));
  TRY(get_object<BackupStorageLocation>(cluster, name));
  if (arguments.boolean("default")) TRY(clear_other_defaults(cluster, name));
  TRY(change_object<BackupStorageLocation>(cluster, name, [&](BackupStorageLocation& location) -> Status {
    if (arguments.given("take-over"))
      location.metadata.annotations[std::string(velero::annotation::kTakeOver)] =
          fmt::format("{}", fmt::join(arguments.list("take-over"), ","));
    if (arguments.given("default")) location.spec.is_default = arguments.boolean("default");
    if (new_credential) location.spec.credential = new_credential;
    if (!certificate.empty()) {
      if (!location.spec.object_storage) location.spec.object_storage.emplace();
      location.spec.object_storage->ca_cert = to_base64(certificate);
    }
    return {};
  }));
  surroundings.out(fmt::format("Backup storage location \"{}\" configured successfully.\n", name));
  return 0;
}

Result<int> get(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  auto list = TRY(named_objects<BackupStorageLocation>(cluster, arguments.positionals(), arguments.text("selector")));
  if (arguments.boolean("default"))
    std::erase_if(list, [](const BackupStorageLocation& location) { return !location.spec.is_default; });
  surroundings.out(list_text(list, arguments, surroundings.clock->now()));
  for (const BackupStorageLocation& location : list) {
    if (location.status.message.empty() || output_format(arguments).value_or(Format::table) != Format::table) continue;
    surroundings.err(fmt::format("{}: {}\n", location.metadata.name, location.status.message));
  }
  return 0;
}

/// The records of a location's backups go with it, as in Velero; what is in the bucket stays.
Status remove_records(const Cluster& cluster, const std::string& location) {
  const std::string selector = fmt::format("{}={}", velero::label::kStorageLocation, velero::label_value(location));
  const auto gone = [](Status status) { return status.is(ErrorCode::not_found) ? Status() : status; };
  for (const auto& backup : TRY(list_objects<velero::Backup>(cluster, selector)))
    TRY(gone(cluster.api->remove(type_of<velero::Backup>(), cluster.ns, backup.metadata.name)));
  for (const auto& repository : TRY(list_objects<velero::BackupRepository>(cluster, selector)))
    TRY(gone(cluster.api->remove(type_of<velero::BackupRepository>(), cluster.ns, repository.metadata.name)));
  return {};
}

Result<int> remove(const Surroundings& surroundings, const config::Arguments& arguments) {
  TRY(check_selection(arguments, "backup locations"));
  if (!confirmed(surroundings, arguments)) return 0;
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const auto locations = TRY(selected<BackupStorageLocation>(surroundings, cluster, arguments));
  if (locations.empty()) surroundings.out("No backup-locations found\n");
  for (const BackupStorageLocation& location : locations) {
    const std::string& name = location.metadata.name;
    TRY(cluster.api->remove(type_of<BackupStorageLocation>(), cluster.ns, name).in("delete backup location " + name));
    TRY(remove_records(cluster, name).in("records of backup location " + name));
    surroundings.out(fmt::format("Backup storage location \"{}\" deleted successfully.\n", name));
  }
  return 0;
}

config::Option credential_option() {
  return {.name = "credential",
          .kind = Kind::map,
          .help = "Secret and key in it with the object store's credentials",
          .value_name = "SECRET=KEY"};
}
config::Option certificate_option() {
  return {.name = "cacert", .help = "certificates to trust for the object store", .value_name = "FILE"};
}

}  // namespace

config::Command backup_location_create_command(const Surroundings& surroundings) {
  config::Command out{
      .name = "create",
      .summary = "Add a place where backups are kept",
      .examples = {"holdfast backup-location create default --provider aws --bucket backups --prefix site-a "
                   "--config region=eu-central-1 --credential s3=cloud --default",
                   "# a directory of the nodes",
                   "holdfast backup-location create dir --provider holdfast.dev/directory --bucket store "
                   "--config path=/srv/store",
                   "# the location of a lost site",
                   "holdfast backup-location create site-a --from-kit site-a.kit --access-mode ReadOnly"},
      .options = {{.name = "provider", .help = "aws for everything that speaks S3, or holdfast.dev/directory"},
                  {.name = "bucket", .help = "name of the bucket"},
                  {.name = "prefix", .help = "path in the bucket below which everything is kept"},
                  {.name = "config", .kind = Kind::map, .help = "settings of the provider"},
                  credential_option(),
                  {.name = "default", .kind = Kind::boolean, .help = "backups that name no location go here"},
                  {.name = "access-mode",
                   .help = "ReadOnly: restore only, nothing is written or deleted",
                   .fallback = "ReadWrite",
                   .choices = {"ReadWrite", "ReadOnly"}},
                  {.name = "backup-sync-period",
                   .kind = Kind::duration,
                   .help = "how often the bucket is looked through for backups; 0s: never"},
                  {.name = "validation-frequency",
                   .kind = Kind::duration,
                   .help = "how often the location is tried; 0s: never"},
                  certificate_option(),
                  {.name = "labels", .kind = Kind::map, .help = "labels of the location"},
                  {.name = "from-kit",
                   .help = "take location, credentials and repository passwords from a recovery kit",
                   .value_name = "FILE"},
                  {.name = "kit-location", .help = "with --from-kit: which of its locations"},
                  replace_password_option()},
      .positionals = {{"NAME", "name of the location"}},
      .run = runs(surroundings, create)};
  for (config::Option& option : create_output_options()) out.options.push_back(std::move(option));
  return out;
}

config::Command backup_location_get_command(const Surroundings& surroundings) {
  std::vector<config::Option> options = get_options();
  options.push_back({.name = "default", .kind = Kind::boolean, .help = "only the default location"});
  return {.name = "get",
          .summary = "List backup locations",
          .examples = {"holdfast backup-location get"},
          .options = std::move(options),
          .positionals = {{"NAME", "only these", false, true, names_of<velero::BackupStorageLocation>(surroundings)}},
          .run = runs(surroundings, get)};
}

config::Command backup_location_delete_command(const Surroundings& surroundings) {
  return {.name = "delete",
          .summary = "Forget backup locations; what is in the bucket stays",
          .examples = {"holdfast backup-location delete old --confirm"},
          .options = selection_options("delete", "backup locations", Confirm::yes),
          .positionals = {{"NAME", "locations to delete", false, true,
                           names_of<velero::BackupStorageLocation>(surroundings)}},
          .run = runs(surroundings, remove)};
}

config::Command backup_location_command(const Surroundings& surroundings) {
  config::Command set_command{
      .name = "set",
      .summary = "Change a backup location",
      .examples = {"holdfast backup-location set dr --default"},
      .options = {{.name = "default", .kind = Kind::boolean, .help = "backups that name no location go here"},
                  credential_option(),
                  certificate_option(),
                  {.name = "take-over",
                   .kind = Kind::list,
                   .help = "sites that are gone for good: their backups are deleted and expired by this site now",
                   .value_name = "SITE"}},
      .positionals = {{"NAME", "name of the location", true, false,
                       names_of<velero::BackupStorageLocation>(surroundings)}},
      .run = runs(surroundings, set)};
  return {.name = "backup-location",
          .summary = "Work with the places where backups are kept",
          .examples = {"holdfast backup-location get", "holdfast backup-location create dr --from-kit site-a.kit"},
          .subcommands = {backup_location_create_command(surroundings), backup_location_get_command(surroundings),
                          std::move(set_command), backup_location_delete_command(surroundings)},
          .aliases = {"backup-locations"}};
}

}  // namespace holdfast::app
