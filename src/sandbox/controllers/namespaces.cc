// Namespaces: what each one has from the start, and the emptying of terminating ones.
#include "sandbox/controllers/objects.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

Status ensure(const ControllerFacts& facts, const kube::ResourceType& type, json::object object) {
  const std::string name = json::string_at(object, {"metadata", "name"});
  const Result<json::value> present = facts.api.get(type, facts.ns, name, facts.stop);
  if (!present.is(ErrorCode::not_found)) return present.ok() ? Status() : Status(present.error());
  const Result<json::value> made = facts.api.create(type, facts.ns, object, {}, facts.stop);
  if (made.ok() || made.is(ErrorCode::exists) || made.is(ErrorCode::denied)) return {};  // denied: it terminates by now
  return made.error();
}

Status furnish(const ControllerFacts& facts) {
  TRY(ensure(facts, kube::types::service_accounts(), {{"metadata", json::object{{"name", "default"}}}}));
  if (facts.options.root_ca_pem.empty()) return {};
  return ensure(facts, kube::types::config_maps(),
                {{"metadata", json::object{{"name", "kube-root-ca.crt"}}},
                 {"data", json::object{{"ca.crt", facts.options.root_ca_pem}}}});
}

// True once nothing is left in it.
Result<bool> empty_out(const ControllerFacts& facts) {
  bool empty = true;
  for (const kube::ResourceType& type : TRY(facts.api.discover(facts.stop))) {
    if (!type.namespaced || !type.preferred || !type.can("list") || !type.can("delete")) continue;
    for (const json::value& object : TRY(list(facts.api, type, facts.ns, facts.stop))) {
      empty = false;
      if (!is_deleting(object)) TRY(remove_if_there(facts.api, type, object, {}, facts.stop));
    }
  }
  return empty;
}

Result<kube::After> reconcile(const ControllerFacts& facts) {
  Result<json::value> found = facts.api.get(kube::types::namespaces(), "", facts.ns, facts.stop);
  if (found.is(ErrorCode::not_found)) return kube::After::done();
  json::value ns = TRY(std::move(found));
  if (!is_deleting(ns)) {
    TRY(furnish(facts));
    return kube::After::done();
  }
  if (!TRY(empty_out(facts))) return kube::After::in(std::chrono::milliseconds(200));
  json::erase(ns.as_object(), {"spec", "finalizers"});
  const Result<json::value> done =
      facts.api.update(kube::types::namespaces(), "", ns, {.subresource = "finalize"}, facts.stop);
  if (!done.ok() && !done.is(ErrorCode::not_found)) return done.error();
  return kube::After::done();
}

}  // namespace

ControllerSpec namespace_controller() {
  return {.name = "namespace",
          .scope = ControllerSpec::Scope::per_namespace,
          .watches = {kube::types::namespaces(), kube::types::service_accounts()},
          .reconcile = reconcile};
}

}  // namespace holdfast::sandbox
