// The BackupRepository objects of an installation: which volume repositories there are, and whether they can be used
// (velero.md 1.4). The controller makes and judges them; whoever moves data only asks here.
//
// A repository is that of one source namespace in one location; its object carries both, and the type, as labels, and
// is called NAMESPACE-LOCATION-restic-XXXXX. Stateless; any thread.
#pragma once

#include <optional>
#include <string>

#include "kube/api.h"
#include "velero/types.h"

namespace holdfast::location {

/// The selector that finds the object of a namespace's repository in a location.
[[nodiscard]] std::string backup_repository_selector(const std::string& location, const std::string& volume_namespace);

/// The name of the object that we make: the last part depends on namespace and location alone, so that two makers make
/// one object.
[[nodiscard]] std::string backup_repository_name(const std::string& location, const std::string& volume_namespace);

/// The object for restic's format, under whatever name; nothing where there is none; conflict where there are several.
[[nodiscard]] Result<std::optional<velero::BackupRepository>> find_backup_repository(
    kube::Api& api, const std::string& ns, const std::string& location, const std::string& volume_namespace,
    std::stop_token stop = {});

/// Success where the repository may be used. not_found: there is no object; unavailable: it is not Ready, with the
/// object's message.
[[nodiscard]] Status require_ready_repository(kube::Api& api, const std::string& ns, const std::string& location,
                                              const std::string& volume_namespace, std::stop_token stop = {});

}  // namespace holdfast::location
