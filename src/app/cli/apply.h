// Brings objects into a cluster whether they are there already or not.
#pragma once

#include "kube/api.h"

namespace holdfast::app {

/// The type of an object that an installation or a kit consists of; unsupported for any other kind.
[[nodiscard]] Result<kube::ResourceType> applied_type(const json::value& object);

enum class Applied { created, updated };
/// Creates the object, or gives the one that is there its labels, annotations and all members beside metadata and
/// status. Other members of it stay.
[[nodiscard]] Result<Applied> apply(kube::Api& api, const json::value& object);

}  // namespace holdfast::app
