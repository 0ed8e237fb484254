#include <fmt/format.h>
#include <sys/stat.h>

#include "app/cli/commands.h"
#include "app/cli/kit.h"
#include "base/file.h"

namespace holdfast::app {

namespace {

Result<Kit> kit_file(const std::string& path) {
  const std::string text = TRY(read_file(path, size_t{16} << 20));
  return read_kit(text).in(path);
}

Result<int> export_kit(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const Kit kit = TRY(collect_kit(cluster, surroundings.clock->now()));
  const std::string path = arguments.positional(0);
  TRY(write_file_atomically(path, write_kit(kit), 0600));
  surroundings.out(
      fmt::format("Recovery kit with {} location(s) written to {}. It holds credentials: keep it safe, "
                  "and away from this site.\n",
                  kit.locations.size(), path));
  return 0;
}

Result<int> check_kit(const Surroundings& surroundings, const config::Arguments& arguments) {
  const std::string path = arguments.positional(0);
  const Kit kit = TRY(kit_file(path));
  std::vector<std::string> faults = kit_faults(kit);
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && (about.st_mode & 077) != 0)
    faults.push_back("others can read the file: chmod 600 " + path);
  for (const std::string& fault : faults) surroundings.out(fault + "\n");
  if (!faults.empty()) return 1;
  surroundings.out(
      fmt::format("The kit of {} is complete: {} location(s).\n", format_rfc3339(kit.created), kit.locations.size()));
  return 0;
}

Result<int> import_verb(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Kit kit = TRY(kit_file(arguments.positional(0)));
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  ImportOptions options;
  if (arguments.boolean("replace-password")) options.password = ImportOptions::Password::replace;
  for (const std::string& line : TRY(import_kit(cluster, kit, options))) surroundings.out(line + "\n");
  return 0;
}

config::Command kit_verb(const Surroundings& surroundings, const char* name, const char* summary, Work work) {
  return {.name = name,
          .summary = summary,
          .examples = {fmt::format("holdfast kit {} site-a.kit", name)},
          .positionals = {{"FILE", "the kit"}},
          .run = runs(surroundings, work)};
}

}  // namespace

config::Option replace_password_option() {
  return {.name = "replace-password",
          .kind = config::Kind::boolean,
          .help =
              "take the kit's repository password even where another one is in use here; volumes that were saved "
              "with that one cannot be restored here any more"};
}

config::Command kit_command(const Surroundings& surroundings) {
  config::Command import =
      kit_verb(surroundings, "import", "Add a kit's locations, credentials and passwords to this site", import_verb);
  import.options.push_back(replace_password_option());
  return {
      .name = "kit",
      .summary = "Work with the recovery kit: what another site needs when this one is lost",
      .examples = {"holdfast kit export site-a.kit", "holdfast kit import site-a.kit"},
      .subcommands = {kit_verb(surroundings, "export",
                               "Write locations, credentials and repository passwords to a file", export_kit),
                      kit_verb(surroundings, "check", "Say whether a kit is complete", check_kit), std::move(import)}};
}

}  // namespace holdfast::app
