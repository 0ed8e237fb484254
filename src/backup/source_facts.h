// Asks a cluster what the pure item actions must know.
#pragma once

#include <stop_token>
#include <string>

#include "backup/findings.h"
#include "backup/item_action.h"
#include "backup/type_index.h"

namespace holdfast::backup {

/// What is read in vain is a finding; the actions then know less.
[[nodiscard]] BackupFacts gather_backup_facts(kube::Api& api, const TypeIndex& types, const std::string& backup,
                                              Findings& findings, std::stop_token stop);

/// "1.29" on OpenShift (its own types are served), else empty.
[[nodiscard]] std::string openshift_version(kube::Api& api, const TypeIndex& types, std::stop_token stop);
/// OpenShift's internal image registry, from any ImageStream; empty where none says it.
[[nodiscard]] std::string registry_hostname(kube::Api& api, const TypeIndex& types, std::stop_token stop);

}  // namespace holdfast::backup
