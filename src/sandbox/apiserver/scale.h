// The scale subresource: a Scale object read out of, and written into, anything with replicas. Pure.
#pragma once

#include "sandbox/apiserver/resource_kind.h"

namespace holdfast::sandbox {

[[nodiscard]] json::value scale_of(const ResourceKind& kind, const json::value& object);
/// The object with the Scale's spec.replicas. invalid: a negative number.
[[nodiscard]] Result<json::value> with_scale(const ResourceKind& kind, const json::value& object,
                                             const json::value& scale);

}  // namespace holdfast::sandbox
