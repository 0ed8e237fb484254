// The recovery kit: what another site needs to restore and cannot get from a site that is lost. Locations, the
// credentials to read them, and the passwords of the volume repositories.
//
// Format 1, a YAML text: apiVersion holdfast.dev/v1alpha1, kind RecoveryKit, format, created, namespace, locations
// (name and spec of BackupStorageLocations), secrets (name and data, base64 as in the cluster). The file is a secret.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/cli/cluster.h"

namespace holdfast::app {

struct KitSecret {
  std::string name;
  std::map<std::string, std::string> data;  ///< base64
};

struct Kit {
  Time created;
  std::string ns;
  std::vector<velero::BackupStorageLocation> locations;
  std::vector<KitSecret> secrets;

  [[nodiscard]] const KitSecret* secret(std::string_view name) const;
};

/// Collects the kit of an installation. A repository password that does not exist yet is made here, so that the
/// repositories to come open with this kit. not_found names a Secret that a location needs and that is not there.
[[nodiscard]] Result<Kit> collect_kit(const Cluster& cluster, Time now);

[[nodiscard]] std::string write_kit(const Kit& kit);
/// invalid names the member; unsupported for a newer format. No Error holds a secret.
[[nodiscard]] Result<Kit> read_kit(std::string_view text);
/// What is missing for a restore from these locations alone; empty: nothing.
[[nodiscard]] std::vector<std::string> kit_faults(const Kit& kit);

struct ImportOptions {
  std::string location = {};     ///< only this location of the kit; empty: all
  std::string as = {};           ///< its name here; empty: the kit's; only with `location`
  std::string access_mode = {};  ///< ReadOnly, ReadWrite; empty: the kit's
  enum class Default { leave, make } is_default = Default::leave;
  enum class Password { keep_used, replace } password = Password::keep_used;  ///< what to do with another one in use
};
/// Creates passwords, credentials and locations, in that order; what is there already and equal stays. Returns a line
/// for each. conflict: a location of that name, or a password that is in use, is there and differs. With
/// Password::replace the latter goes into a Secret of another name, and the lines say what cannot be read any more.
[[nodiscard]] Result<std::vector<std::string>> import_kit(const Cluster& cluster, const Kit& kit,
                                                          const ImportOptions& options);

/// --replace-password, of every verb that imports.
[[nodiscard]] config::Option replace_password_option();

}  // namespace holdfast::app
