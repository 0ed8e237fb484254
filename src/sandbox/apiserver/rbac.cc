#include "sandbox/apiserver/rbac.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::sandbox {

namespace {

const char kRbac[] = "rbac.authorization.k8s.io";

bool contains(const User& user, std::string_view group) {
  return std::find(user.groups.begin(), user.groups.end(), group) != user.groups.end();
}

bool lists(const json::value& rule, std::string_view field, std::string_view wanted) {
  const json::array& entries = json::array_at(rule, {field});
  return std::any_of(entries.begin(), entries.end(), [&](const json::value& entry) {
    return entry.is_string() && (entry.as_string() == "*" || std::string_view(entry.as_string()) == wanted);
  });
}

// "/healthz", or "/logs/*" for all below.
bool covers_path(const json::value& rule, const std::string& path) {
  for (const std::string& url : json::strings(json::array_at(rule, {"nonResourceURLs"}))) {
    if (url == "*" || url == path) return true;
    if (!url.empty() && url.back() == '*' && path.compare(0, url.size() - 1, url, 0, url.size() - 1) == 0) return true;
  }
  return false;
}

bool names_user(const json::value& subject, const User& user, const std::string& binding_ns) {
  const std::string kind = json::string_at(subject, {"kind"});
  const std::string name = json::string_at(subject, {"name"});
  if (kind == "User") return user.name == name;
  if (kind == "Group") return contains(user, name);
  if (kind != "ServiceAccount") return false;
  const std::string ns = json::string_at(subject, {"namespace"}, binding_ns);
  return user.name == fmt::format("system:serviceaccount:{}:{}", ns, name);
}

// One binding: does it name the user, and does its role cover the request?
bool grants(const Store& store, const json::value& binding, const User& user, const ApiRequest& request) {
  const std::string ns = json::string_at(binding, {"metadata", "namespace"});
  const json::array& subjects = json::array_at(binding, {"subjects"});
  if (std::none_of(subjects.begin(), subjects.end(), [&](const auto& s) { return names_user(s, user, ns); })) {
    return false;
  }
  const bool cluster_role = json::string_at(binding, {"roleRef", "kind"}) == "ClusterRole";
  const std::string role_name = json::string_at(binding, {"roleRef", "name"});
  const Object role = store.get(cluster_role ? fmt::format("clusterroles.{}//{}", kRbac, role_name)
                                             : fmt::format("roles.{}/{}/{}", kRbac, ns, role_name));
  if (!role) return false;
  const json::array& rules = json::array_at(*role, {"rules"});
  return std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule_covers(rule, request); });
}

bool any_grants(const Store& store, const std::string& prefix, const User& user, const ApiRequest& request) {
  const Result<Store::Listing> bindings = store.list(prefix);
  CHECK(bindings.ok());  // a list of the present state cannot fail
  return std::any_of(bindings->objects.begin(), bindings->objects.end(),
                     [&](const Object& binding) { return grants(store, *binding, user, request); });
}

bool open_to_all(const User& user, const ApiRequest& request) {
  if (request.is_resource || request.verb != "get") return false;
  const std::string& path = request.path;
  if (path == "/version" || path == "/healthz" || path == "/readyz" || path == "/livez") return true;
  if (!contains(user, "system:authenticated")) return false;
  return path == "/api" || path == "/apis" || path.rfind("/api/", 0) == 0 || path.rfind("/apis/", 0) == 0 ||
         path.rfind("/openapi/", 0) == 0 || path == "/openapi";
}

}  // namespace

bool rule_covers(const json::value& rule, const ApiRequest& request) {
  if (!lists(rule, "verbs", request.verb)) return false;
  if (!request.is_resource) return covers_path(rule, request.path);
  if (!lists(rule, "apiGroups", request.group)) return false;
  const std::string resource =
      request.subresource.empty() ? request.plural : request.plural + "/" + request.subresource;
  if (!lists(rule, "resources", resource) &&
      (request.subresource.empty() || !lists(rule, "resources", "*/" + request.subresource))) {
    return false;
  }
  const json::array& names = json::array_at(rule, {"resourceNames"});
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const json::value& name) {
           return name.is_string() && std::string_view(name.as_string()) == request.name;
         });
}

bool rbac_allows(const Store& store, const User& user, const ApiRequest& request) {
  if (contains(user, "system:masters") || open_to_all(user, request)) return true;
  if (any_grants(store, fmt::format("clusterrolebindings.{}/", kRbac), user, request)) return true;
  return request.is_resource && !request.ns.empty() &&
         any_grants(store, fmt::format("rolebindings.{}/{}/", kRbac, request.ns), user, request);
}

std::string refusal_sentence(const User& user, const ApiRequest& request) {
  if (!request.is_resource) {
    return fmt::format("forbidden: User \"{}\" cannot {} path \"{}\"", user.name, request.verb, request.path);
  }
  const std::string resource =
      request.subresource.empty() ? request.plural : request.plural + "/" + request.subresource;
  const std::string subject = request.group.empty() ? request.plural : request.plural + "." + request.group;
  const std::string where =
      request.ns.empty() ? "at the cluster scope" : fmt::format("in the namespace \"{}\"", request.ns);
  return fmt::format("{} {}is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {}", subject,
                     request.name.empty() ? "" : "\"" + request.name + "\" ", user.name, request.verb, resource,
                     request.group, where);
}

}  // namespace holdfast::sandbox
