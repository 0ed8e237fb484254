// Structural schemas of custom resources: prune what they do not name, fill in defaults, check types and bounds. Pure.
//
// Knows type, properties, additionalProperties, items, required, enum, minimum, maximum, minLength, maxLength,
// minItems, maxItems, default, nullable, x-kubernetes-int-or-string, x-kubernetes-preserve-unknown-fields and
// x-kubernetes-embedded-resource. Patterns, formats and validation rules (CEL) are not checked.
#pragma once

#include "sandbox/apiserver/resource_kind.h"

namespace holdfast::sandbox {

/// Prunes and defaults everything but apiVersion, kind and metadata.
void apply_schema(const ResourceKind& kind, json::object& object);

/// invalid names the field and what is wrong with it.
[[nodiscard]] Status check_custom(const ResourceKind& kind, const json::object& object);

}  // namespace holdfast::sandbox
