// Role-based access control: may this user do that? Reads roles and bindings from the store at every question.
//
// What it leaves out: aggregated ClusterRoles, and the check that nobody grants more than they have.
#pragma once

#include "sandbox/apiserver/api_request.h"
#include "sandbox/apiserver/store.h"
#include "sandbox/apiserver/user.h"

namespace holdfast::sandbox {

/// True where a binding grants it. Members of system:masters may do everything; everybody may ask for version, health
/// and (when known) discovery.
[[nodiscard]] bool rbac_allows(const Store& store, const User& user, const ApiRequest& request);

/// True where one rule of a role covers the request; pure.
[[nodiscard]] bool rule_covers(const json::value& rule, const ApiRequest& request);

/// Kubernetes' sentence for a refusal.
[[nodiscard]] std::string refusal_sentence(const User& user, const ApiRequest& request);

}  // namespace holdfast::sandbox
