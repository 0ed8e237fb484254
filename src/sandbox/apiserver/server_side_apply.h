// Server-side apply: merge what a manager wants, remember which fields it set, drop those it no longer sets. Pure.
//
// metadata.managedFields holds one entry of operation Apply per manager (format FieldsV1: "f:NAME" for members,
// "k:{...}" for elements of keyed lists). Fields changed by other means than apply have no owner here, so only two
// appliers can conflict.
#pragma once

#include "base/clock.h"
#include "sandbox/apiserver/resource_kind.h"

namespace holdfast::sandbox {

struct Applier {
  std::string manager;
  bool force = false;  ///< take over fields that another manager applied with another value
};

/// The object after the apply. conflict names the other manager and the field.
[[nodiscard]] Result<json::value> server_side_apply(const ResourceKind& kind, const json::value& current,
                                                    const json::object& applied, const Applier& applier, Time now);

}  // namespace holdfast::sandbox
