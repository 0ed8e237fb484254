// The single item actions, by group; item_action.cc puts them into the tables. Only for that file and the tests.
#pragma once

#include "backup/item_action.h"

namespace holdfast::backup::actions {

using Objects = const json::object&;

// backup_actions.cc
Result<Outcome> backup_pvc(Objects pvc, const BackupFacts& facts);
Result<Outcome> backup_pod(Objects pod, const BackupFacts& facts);
Result<Outcome> backup_service_account(Objects account, const BackupFacts& facts);
// openshift_backup_actions.cc
Result<Outcome> backup_openshift_any(Objects object, const BackupFacts& facts);
Result<Outcome> backup_deployment_config(Objects config, const BackupFacts& facts);
Result<Outcome> backup_openshift_service_account(Objects account, const BackupFacts& facts);
// workload_restore_actions.cc
Result<Outcome> restore_job(Objects job, const RestoreFacts& facts);
Result<Outcome> restore_pod(Objects pod, const RestoreFacts& facts);
Result<Outcome> restore_init_hooks(Objects pod, const RestoreFacts& facts);
Result<Outcome> restore_image_names(Objects workload, const RestoreFacts& facts);
Result<Outcome> restore_service(Objects service, const RestoreFacts& facts);
// volume_restore_actions.cc
Result<Outcome> restore_pod_volumes(Objects pod, const RestoreFacts& facts);
Result<Outcome> restore_pvcs_of_pod(Objects pod, const RestoreFacts& facts);
Result<Outcome> restore_pvc(Objects pvc, const RestoreFacts& facts);
Result<Outcome> restore_storage_class(Objects object, const RestoreFacts& facts);
// cluster_restore_actions.cc
Result<Outcome> restore_service_account(Objects account, const RestoreFacts& facts);
Result<Outcome> restore_role_binding(Objects binding, const RestoreFacts& facts);
Result<Outcome> restore_secret(Objects secret, const RestoreFacts& facts);
Result<Outcome> restore_api_service(Objects service, const RestoreFacts& facts);
Result<Outcome> restore_admission_webhooks(Objects configuration, const RestoreFacts& facts);
Result<Outcome> restore_crd(Objects definition, const RestoreFacts& facts);
// openshift_restore_actions.cc
const std::vector<RestoreAction>& openshift_restore_actions();

}  // namespace holdfast::backup::actions
