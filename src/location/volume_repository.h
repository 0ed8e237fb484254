// The volume repository of one source namespace in one backup location: STORE/restic/NAMESPACE (velero.md 3.1).
//
// Its password is key repository-password of the Secret velero-repo-credentials. A missing Secret is made once, with a
// random value (safety.md 7); Velero's constant static-passw0rd works.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "crypto/secret.h"
#include "kube/api.h"
#include "location/location.h"
#include "repo/repository.h"

namespace holdfast::location {

enum class Missing { create, refuse };

/// The repository password of an installation. With `create`, a missing Secret is made; two makers agree on one value.
[[nodiscard]] Result<crypto::Secret> repository_password(kube::Api& api, const std::string& ns, Missing missing,
                                                         std::stop_token stop = {});
/// True for Velero's constant, which every reader of its source knows.
[[nodiscard]] bool is_well_known(const crypto::Secret& password);

/// Opens the repository of `volume_namespace`; with `create`, a missing one is initialised. denied: the password does
/// not fit; the error names the location, the Secret and the next step. unsupported: the location's config has
/// resticRepoPrefix, which puts repositories outside it.
[[nodiscard]] Result<std::unique_ptr<repo::Repository>> open_volume_repository(
    const Location& location, const std::string& volume_namespace, const crypto::Secret& password, Missing missing,
    const repo::RepositoryOptions& options = {}, std::stop_token stop = {});

/// restic's URL of it, as PodVolumeBackups carry it: "s3:http://host/bucket/prefix/restic/ns"; a directory's path.
[[nodiscard]] std::string repository_identifier(const velero::BackupStorageLocation& location,
                                                const std::string& volume_namespace);

}  // namespace holdfast::location
