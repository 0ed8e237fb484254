// What a real API server fills in when an object is created or replaced: defaults of the built-in types.
//
// Pure but for random names. Only fields that tools and controllers look at are filled in.
#pragma once

#include "base/clock.h"
#include "sandbox/apiserver/resource_kind.h"

namespace holdfast::sandbox {

/// Fills in what the object leaves out; for creates and updates alike.
void apply_defaults(const ResourceKind& kind, json::object& object);

/// What only a create gets: the first status, finalizers, selectors of Jobs, the token volume of pods.
void apply_create_defaults(const ResourceKind& kind, json::object& object, Time now);

}  // namespace holdfast::sandbox
