// The velero.io objects of one installation, read and written as structs.
//
// Statuses are written by merge patch: whole status in one request, so that a reader never sees half of it; members
// that are not in it any more go. Any thread.
#pragma once

#include <string>
#include <vector>

#include "kube/api.h"
#include "velero/types.h"

namespace holdfast::control {

/// The plural that the API serves a type under.
template <typename T>
constexpr std::string_view kPlural;
template <>
inline constexpr std::string_view kPlural<velero::Backup> = "backups";
template <>
inline constexpr std::string_view kPlural<velero::Restore> = "restores";
template <>
inline constexpr std::string_view kPlural<velero::Schedule> = "schedules";
template <>
inline constexpr std::string_view kPlural<velero::BackupStorageLocation> = "backupstoragelocations";
template <>
inline constexpr std::string_view kPlural<velero::PodVolumeBackup> = "podvolumebackups";
template <>
inline constexpr std::string_view kPlural<velero::PodVolumeRestore> = "podvolumerestores";
template <>
inline constexpr std::string_view kPlural<velero::BackupRepository> = "backuprepositories";
template <>
inline constexpr std::string_view kPlural<velero::DeleteBackupRequest> = "deletebackuprequests";
template <>
inline constexpr std::string_view kPlural<velero::DownloadRequest> = "downloadrequests";
template <>
inline constexpr std::string_view kPlural<velero::ServerStatusRequest> = "serverstatusrequests";

class VeleroObjects {
 public:
  VeleroObjects(kube::Api& api, std::string ns) : api_(api), ns_(std::move(ns)) {}

  template <typename T>
  [[nodiscard]] Result<T> get(const std::string& name, std::stop_token stop = {}) const {
    const json::value object = TRY(api_.get(type<T>(), ns_, name, std::move(stop)));
    return velero::decode<T>(object).in(std::string(T::kKind) + " " + name);
  }

  /// Objects that do not decode are left out: their own controller tells of them.
  template <typename T>
  [[nodiscard]] Result<std::vector<T>> list(const std::string& label_selector = {}, std::stop_token stop = {}) const {
    kube::ListOptions options;
    options.label_selector = label_selector;
    const kube::ListPage page = TRY(kube::list_all(api_, type<T>(), ns_, options, std::move(stop)));
    std::vector<T> out;
    for (const json::value& item : page.items) {
      if (Result<T> object = velero::decode<T>(item); object.ok()) out.push_back(std::move(*object));
    }
    return out;
  }

  template <typename T>
  [[nodiscard]] Result<T> create(const T& object, std::stop_token stop = {}) const {
    const json::value made = TRY(api_.create(type<T>(), ns_, velero::encode(object), {}, std::move(stop)));
    return velero::decode<T>(made);
  }

  /// Writes the object's status; with `metadata` its labels, annotations and finalizers, with `metadata_and_spec` also
  /// the spec, defaults filled in.
  enum class Also { nothing, metadata, metadata_and_spec };
  template <typename T>
  [[nodiscard]] Status write_status(const T& object, Also also = Also::nothing, std::stop_token stop = {}) const {
    const json::value stored = TRY(api_.get(type<T>(), ns_, object.metadata.name, stop));
    const json::object encoded = velero::encode(object);
    json::object patch;
    patch["status"] = without_stale(json::object_at(stored, {"status"}), json::object_at(encoded, {"status"}));
    if (also == Also::metadata_and_spec) {
      if (const json::value* spec = encoded.if_contains("spec")) patch["spec"] = *spec;
    }
    if (also != Also::nothing) {
      json::object meta;
      for (const char* field : {"labels", "annotations", "finalizers"}) {
        if (const json::value* part = json::find(encoded, {"metadata", field})) meta[field] = *part;
      }
      patch["metadata"] = std::move(meta);
    }
    return merge<T>(object.metadata.name, std::move(patch), std::move(stop));
  }

  template <typename T>
  [[nodiscard]] Status merge(const std::string& name, json::object patch, std::stop_token stop = {}) const {
    const Result<json::value> written =
        api_.patch(type<T>(), ns_, name, kube::PatchKind::merge, json::value(std::move(patch)), {}, std::move(stop));
    if (!written) return written.error().in(std::string("update ") + std::string(T::kKind) + " " + name);
    return {};
  }

  /// The same while the object is in that phase; conflict where it is in another one, is another object by now, or was
  /// changed in between. Whoever has been cut off for a while must not write over what another process has said since.
  template <typename T>
  [[nodiscard]] Status merge_in_phase(const T& object, std::string_view phase, json::object patch,
                                      std::stop_token stop = {}) const {
    const json::value stored = TRY(api_.get(type<T>(), ns_, object.metadata.name, stop));
    const std::string now = json::string_at(stored, {"status", "phase"});
    if (now != phase || json::string_at(stored, {"metadata", "uid"}) != object.metadata.uid) {
      return Error(ErrorCode::conflict, std::string(T::kKind) + " " + object.metadata.name + " is no longer " +
                                            std::string(phase) + " but " + now);
    }
    json::set(patch, {"metadata", "resourceVersion"}, json::string_at(stored, {"metadata", "resourceVersion"}));
    return merge<T>(object.metadata.name, std::move(patch), std::move(stop));
  }

  /// Gone already is a success.
  template <typename T>
  [[nodiscard]] Status remove(const std::string& name, std::stop_token stop = {}) const {
    Status status = api_.remove(type<T>(), ns_, name, {}, std::move(stop));
    if (status.is(ErrorCode::not_found)) return {};
    return status;
  }

  [[nodiscard]] kube::Api& api() const { return api_; }
  [[nodiscard]] const std::string& ns() const { return ns_; }

 private:
  /// `next` as a merge patch of `stored`: with a null for each member that is left out.
  [[nodiscard]] static json::object without_stale(const json::object& stored, json::object next) {
    for (const auto& [key, value] : stored) {
      json::value* wanted = next.if_contains(key);
      if (wanted == nullptr) {
        next[key] = json::value();
      } else if (wanted->is_object() && value.is_object()) {
        *wanted = without_stale(value.get_object(), std::move(wanted->get_object()));
      }
    }
    return next;
  }
  template <typename T>
  [[nodiscard]] static const kube::ResourceType& type() {
    return kube::types::velero(kPlural<T>);
  }
  kube::Api& api_;
  const std::string ns_;
};

}  // namespace holdfast::control
