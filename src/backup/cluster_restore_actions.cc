#include "backup/actions.h"
#include "backup/json_edit.h"

namespace holdfast::backup::actions {

Result<Outcome> restore_service_account(Objects account, const RestoreFacts&) {
  Outcome out{.object = account};
  const std::string prefix = object_name(account) + "-token-";
  drop_objects(out.object, {"secrets"},
               [&](const json::object& secret) { return json::string_at(secret, {"name"}).starts_with(prefix); });
  return out;
}

Result<Outcome> restore_role_binding(Objects binding, const RestoreFacts& facts) {
  Outcome out{.object = binding};
  each_object(out.object, {"subjects"}, [&](json::object& subject) {
    const std::string ns = json::string_at(subject, {"namespace"});
    if (!ns.empty()) subject["namespace"] = facts.mapped(ns);
    // A group of all service accounts of a namespace carries its name inside.
    const std::string name = json::string_at(subject, {"name"});
    const std::string_view prefix = "system:serviceaccounts:";
    if (json::string_at(subject, {"kind"}) == "Group" && name.starts_with(prefix)) {
      subject["name"] = std::string(prefix) + facts.mapped(name.substr(prefix.size()));
    }
  });
  return out;
}

Result<Outcome> restore_secret(Objects secret, const RestoreFacts&) {
  Outcome out{.object = secret};
  if (json::string_at(out.object, {"type"}) != "kubernetes.io/service-account-token") return out;
  const std::string account = annotation(secret, "kubernetes.io/service-account.name");
  if (object_name(secret).starts_with(account + "-token-")) {
    out.skip = true;
    out.reason = "the cluster makes the tokens of service accounts itself";
    return out;
  }
  for (std::string_view key : {"token", "ca.crt", "namespace"}) json::erase(out.object, {"data", key});
  drop_annotation(out.object, "kubernetes.io/service-account.uid");
  return out;
}

Result<Outcome> restore_api_service(Objects service, const RestoreFacts&) {
  Outcome out{.object = service};
  out.skip = !label(service, "kube-aggregator.kubernetes.io/automanaged").empty();
  if (out.skip) out.reason = "the API server keeps this APIService itself";
  return out;
}

Result<Outcome> restore_admission_webhooks(Objects configuration, const RestoreFacts&) {
  Outcome out{.object = configuration};
  if (!json::string_at(out.object, {"apiVersion"}).ends_with("/v1")) return out;
  each_object(out.object, {"webhooks"}, [](json::object& webhook) {
    const std::string effects = json::string_at(webhook, {"sideEffects"});
    if (effects != "None" && effects != "NoneOnDryRun") webhook["sideEffects"] = "None";
  });
  return out;
}

Result<Outcome> restore_crd(Objects definition, const RestoreFacts&) {
  Outcome out{.object = definition};
  // v1 forbids the old flag; what it allowed is said by the schema there.
  if (!json::bool_at(out.object, {"spec", "preserveUnknownFields"})) return out;
  json::set(out.object, {"spec", "preserveUnknownFields"}, false);
  each_object(out.object, {"spec", "versions"}, [](json::object& version) {
    json::set(version, {"schema", "openAPIV3Schema", "x-kubernetes-preserve-unknown-fields"}, true);
    if (json::string_at(version, {"schema", "openAPIV3Schema", "type"}).empty()) {
      json::set(version, {"schema", "openAPIV3Schema", "type"}, "object");
    }
  });
  return out;
}

}  // namespace holdfast::backup::actions
