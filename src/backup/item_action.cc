#include "backup/item_action.h"

#include <fmt/format.h>

#include "backup/actions.h"

namespace holdfast::backup {

const std::vector<BackupAction>& backup_actions() {
  using namespace actions;
  static const std::vector<BackupAction> table = {
      {"pv", {"persistentvolumeclaims"}, backup_pvc},
      {"pod", {"pods"}, backup_pod},
      {"service-account", {"serviceaccounts"}, backup_service_account},
      {"openshift-any", {}, backup_openshift_any},
      {"openshift-deploymentconfig", {"deploymentconfigs.apps.openshift.io"}, backup_deployment_config},
      {"openshift-serviceaccount", {"serviceaccounts"}, backup_openshift_service_account},
  };
  return table;
}

const std::vector<RestoreAction>& restore_actions() {
  using namespace actions;
  static const std::vector<RestoreAction> table = [] {
    std::vector<RestoreAction> all = {
        {"job", {"jobs.batch"}, restore_job},
        {"pod", {"pods"}, restore_pod},
        {"add-pvc-from-pod", {"pods"}, restore_pvcs_of_pod},
        {"change-image-name",
         {"pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps",
          "replicationcontrollers", "jobs.batch", "cronjobs.batch", "deploymentconfigs.apps.openshift.io"},
         restore_image_names},
        {"pod-volume-restore", {"pods"}, restore_pod_volumes},
        {"init-restore-hook", {"pods"}, restore_init_hooks},
        {"service", {"services"}, restore_service},
        {"service-account", {"serviceaccounts"}, restore_service_account},
        {"pvc", {"persistentvolumeclaims"}, restore_pvc},
        {"change-storage-class",
         {"persistentvolumeclaims", "persistentvolumes", "statefulsets.apps"},
         restore_storage_class},
        {"role-bindings", {"rolebindings.rbac.authorization.k8s.io"}, restore_role_binding},
        {"cluster-role-bindings", {"clusterrolebindings.rbac.authorization.k8s.io"}, restore_role_binding},
        {"secret", {"secrets"}, restore_secret},
        {"apiservice", {"apiservices.apiregistration.k8s.io"}, restore_api_service},
        {"admission-webhook-configuration",
         {"mutatingwebhookconfigurations.admissionregistration.k8s.io",
          "validatingwebhookconfigurations.admissionregistration.k8s.io"},
         restore_admission_webhooks},
        {"crd-preserve-fields", {"customresourcedefinitions.apiextensions.k8s.io"}, restore_crd},
    };
    for (const RestoreAction& action : openshift_restore_actions()) all.push_back(action);
    return all;
  }();
  return table;
}

namespace {

template <typename Facts>
Result<Outcome> run_all(const std::vector<ItemAction<Facts>>& table, std::string_view group_resource,
                        json::object object, const Facts& facts) {
  Outcome whole;
  whole.object = std::move(object);
  for (const ItemAction<Facts>& action : table) {
    if (!action.applies(group_resource)) continue;
    Result<Outcome> step = action.act(whole.object, facts);
    if (!step) return std::move(step).error().in(fmt::format("action {}", action.name));
    whole.object = std::move(step->object);
    whole.additional.insert(whole.additional.end(), step->additional.begin(), step->additional.end());
    whole.needs_pull_secret = whole.needs_pull_secret || step->needs_pull_secret;
    if (step->skip) {
      whole.skip = true;
      whole.reason = std::move(step->reason);
      break;
    }
  }
  return whole;
}

}  // namespace

Result<Outcome> run_backup_actions(std::string_view group_resource, json::object object, const BackupFacts& facts) {
  return run_all(backup_actions(), group_resource, std::move(object), facts);
}

Result<Outcome> run_restore_actions(std::string_view group_resource, json::object object, const RestoreFacts& facts) {
  return run_all(restore_actions(), group_resource, std::move(object), facts);
}

}  // namespace holdfast::backup
