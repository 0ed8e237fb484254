// The CustomResourceDefinitions of velero.io: eleven kinds of v1, DataUpload and DataDownload of v2alpha1.
//
// Shapes are those of Velero 1.18, which accepts all that 1.14 accepts; the schemas carry no descriptions. The data is
// generated from tools/velero_crds.txt. Pure; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"

namespace holdfast::velero {

/// One object per kind, ready to be created in a cluster (apiextensions.k8s.io/v1), in a fixed order.
[[nodiscard]] std::vector<json::object> custom_resource_definitions();

namespace detail {
/// The generated texts.
[[nodiscard]] const std::vector<std::string_view>& crd_texts();
}  // namespace detail

}  // namespace holdfast::velero
