// One function per controller; controllers.cc makes the table of them.
#pragma once

#include "sandbox/controllers/controllers.h"

namespace holdfast::sandbox {

/// Default ServiceAccount and CA ConfigMap of each namespace; empties terminating ones.
[[nodiscard]] ControllerSpec namespace_controller();
[[nodiscard]] ControllerSpec replica_set_controller();
[[nodiscard]] ControllerSpec replication_controller_controller();
[[nodiscard]] ControllerSpec deployment_controller();
[[nodiscard]] ControllerSpec stateful_set_controller();
[[nodiscard]] ControllerSpec daemon_set_controller();
/// OpenShift's DeploymentConfig without deployer pods; runs on real clusters too.
[[nodiscard]] ControllerSpec deployment_config_controller();
[[nodiscard]] ControllerSpec job_controller();
[[nodiscard]] ControllerSpec endpoints_controller();
/// Binds claims to volumes, provisions directories, and lets go of what is deleted.
[[nodiscard]] ControllerSpec volume_controller();
[[nodiscard]] ControllerSpec scheduler();
/// Owner references, foreground and orphan deletion, pods of nodes that are gone.
[[nodiscard]] ControllerSpec garbage_collector();

}  // namespace holdfast::sandbox
