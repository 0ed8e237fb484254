#include <fmt/format.h>

#include "backup/json_edit.h"
#include "backup/object_restorer.h"
#include "sync/retry.h"

namespace holdfast::backup {
namespace {

bool terminating(const json::value& ns) {
  return json::find(ns, {"metadata", "deletionTimestamp"}) != nullptr ||
         json::string_at(ns, {"status", "phase"}) == "Terminating";
}

json::object new_namespace(const Tarball& tarball, const std::string& source, const std::string& target) {
  json::object object;
  if (const Tarball::Entry* entry = tarball.find({"namespaces", "", source})) {
    if (Result<json::object> copy = tarball.object(*entry)) object = std::move(*copy);
  }
  strip_metadata(object);
  object.erase("status");
  json::erase(object, {"metadata", "namespace"});
  object["apiVersion"] = "v1";
  object["kind"] = "Namespace";
  json::set(object, {"metadata", "name"}, json::value(target));
  if (json::find(object, {"metadata", "labels", "kubernetes.io/metadata.name"}) != nullptr) {
    json::set(object, {"metadata", "labels", "kubernetes.io/metadata.name"}, json::value(target));
  }
  return object;
}

}  // namespace

void ObjectRestorer::ensure_namespace(const std::string& source, std::stop_token stop) {
  {
    std::lock_guard lock(mutex_);
    if (!tried_.insert({"namespaces", "", source}).second) return;
  }
  const std::string target = facts_.mapped(source);
  const kube::ResourceType& type = kube::types::namespaces();
  const BootTime deadline = clock_.boottime() + rules_.terminating_wait;
  bool made = false;
  const Status status = call(stop, [&]() -> Status {
    while (true) {
      const Result<json::value> live = api_.get(type, "", target, stop);
      if (live && !terminating(*live)) return {};
      if (!live && !live.is(ErrorCode::not_found)) return live.error();
      if (!live) {
        made = true;
        const Result<json::value> created = api_.create(type, "", new_namespace(tarball_, source, target), {}, stop);
        if (created) return {};
        if (!created.is(ErrorCode::exists)) return created.error();
        continue;  // somebody was faster, or an earlier answer was lost: look what is there
      }
      if (clock_.boottime() >= deadline) {
        return Error(ErrorCode::conflict, "it is still being deleted", "restore again once it is gone");
      }
      TRY(clock_.sleep(stop, std::chrono::seconds(1)));
    }
  });
  if (!status) {
    findings_.error(target,
                    fmt::format("namespace {}: {}; its objects are not restored", target, status.error().to_string()));
    std::lock_guard lock(mutex_);
    failed_namespaces_.insert(source);
    return;
  }
  if (made) record(type, "", target, Act::created);
}

}  // namespace holdfast::backup
