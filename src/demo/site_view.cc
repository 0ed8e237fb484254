#include "demo/site_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "velero/names.h"

namespace holdfast::demo {

namespace {

constexpr const char* kInstalledIn = "velero";

std::optional<Time> time_at(const json::value& object, json::Path path) {
  const Result<Time> time = parse_rfc3339(json::string_at(object, path));
  if (!time) return std::nullopt;
  return *time;
}

VolumeCopy copy_of(const json::value& pvb) {
  VolumeCopy out;
  out.application = json::string_at(pvb, {"spec", "pod", "namespace"});
  out.bytes_read = static_cast<uint64_t>(json::int_at(pvb, {"status", "progress", "totalBytes"}));
  out.bytes_stored = static_cast<uint64_t>(json::int_at(pvb, {"status", "incrementalBytes"}));
  out.started = time_at(pvb, {"status", "startTimestamp"}).value_or(Time{});
  out.ended = time_at(pvb, {"status", "completionTimestamp"}).value_or(out.started);
  return out;
}

BackupSeen backup_of(const json::value& backup) {
  BackupSeen out;
  out.name = json::string_at(backup, {"metadata", "name"});
  out.phase = json::string_at(backup, {"status", "phase"});
  out.created = time_at(backup, {"metadata", "creationTimestamp"}).value_or(Time{});
  out.completed = time_at(backup, {"status", "completionTimestamp"});
  out.errors = json::int_at(backup, {"status", "errors"});
  out.warnings = json::int_at(backup, {"status", "warnings"});
  return out;
}

void compare(const json::value& wanted, const json::value& found, const std::string& path,
             std::vector<std::string>& out) {
  if (wanted.is_object() && found.is_object()) {
    for (const auto& member : wanted.get_object()) {
      const std::string at =
          path.empty() ? std::string(member.key()) : fmt::format("{}.{}", path, std::string(member.key()));
      const json::value* other = found.get_object().if_contains(member.key());
      other == nullptr ? out.push_back(at) : compare(member.value(), *other, at, out);
    }
  } else if (wanted.is_array() && found.is_array()) {
    const json::array& list = wanted.get_array();
    if (list.size() > found.get_array().size()) return out.push_back(path);
    for (size_t i = 0; i < list.size(); ++i)
      compare(list[i], found.get_array()[i], fmt::format("{}[{}]", path, i), out);
  } else if (wanted != found) {
    out.push_back(path);
  }
}

/// What was applied, in the words of the server's answer: stringData is kept as data.
json::value as_kept(json::value object) {
  json::object& o = object.as_object();
  if (const json::value* texts = json::find(o, {"stringData"}); texts != nullptr && texts->is_object()) {
    const json::object plain = texts->get_object();
    for (const auto& member : plain) {
      if (member.value().is_string())
        json::set(o, {"data", member.key()}, to_base64(std::string_view(member.value().get_string())));
    }
    o.erase("stringData");
  }
  return object;
}

}  // namespace

std::vector<std::string> missing_parts(const json::value& wanted, const json::value& found) {
  std::vector<std::string> out;
  compare(as_kept(wanted), found, "", out);
  return out;
}

Result<kube::ResourceType> SiteView::type_of(const json::value& object, const std::stop_token& stop) {
  if (types_.empty()) types_ = TRY(api_.discover(stop));
  const std::string kind = json::string_at(object, {"kind"});
  const std::string version = json::string_at(object, {"apiVersion"});
  for (const kube::ResourceType& type : types_)
    if (type.kind == kind && type.api_version() == version) return type;
  return Error(ErrorCode::invalid, fmt::format("the cluster serves no {} of {}", kind, version));
}

Status SiteView::apply(const std::vector<json::value>& objects, std::stop_token stop) {
  for (const json::value& object : objects) {
    const kube::ResourceType type = TRY(type_of(object, stop));
    const std::string ns = json::string_at(object, {"metadata", "namespace"});
    const std::string name = json::string_at(object, {"metadata", "name"});
    const kube::WriteOptions options{.field_manager = "holdfast-demo"};
    TRY(api_.patch(type, ns, name, kube::PatchKind::apply, object, options, stop)
            .in(fmt::format("apply {}/{}", type.kind, name)));
  }
  return {};
}

Result<std::vector<std::string>> SiteView::differences(const std::vector<json::value>& objects, std::stop_token stop) {
  std::vector<std::string> out;
  for (const json::value& object : objects) {
    const kube::ResourceType type = TRY(type_of(object, stop));
    const std::string name = json::string_at(object, {"metadata", "name"});
    const Result<json::value> found = api_.get(type, json::string_at(object, {"metadata", "namespace"}), name, stop);
    if (found.is(ErrorCode::not_found)) {
      out.push_back(fmt::format("{}/{} is missing", type.kind, name));
      continue;
    }
    if (!found) return found.error();
    for (const std::string& path : missing_parts(object, *found))
      out.push_back(fmt::format("{}/{} differs at {}", type.kind, name, path));
  }
  return out;
}

Result<std::string> SiteView::location_phase(const std::string& name, std::stop_token stop) {
  const json::value location =
      TRY(api_.get(kube::types::velero("backupstoragelocations"), kInstalledIn, name, std::move(stop)));
  return json::string_at(location, {"status", "phase"});
}

Result<std::vector<BackupSeen>> SiteView::backups(const std::string& schedule, std::stop_token stop) {
  kube::ListOptions of_schedule;
  of_schedule.label_selector = fmt::format("{}={}", velero::label::kScheduleName, schedule);
  const kube::ListPage page =
      TRY(kube::list_all(api_, kube::types::velero("backups"), kInstalledIn, of_schedule, stop));
  const kube::ListPage volumes =
      TRY(kube::list_all(api_, kube::types::velero("podvolumebackups"), kInstalledIn, {}, stop));
  std::vector<BackupSeen> out;
  for (const json::value& item : page.items) {
    BackupSeen backup = backup_of(item);
    for (const json::value& pvb : volumes.items) {
      if (json::string_at(pvb, {"metadata", "labels", velero::label::kBackupName}) == backup.name)
        backup.volumes.push_back(copy_of(pvb));
    }
    out.push_back(std::move(backup));
  }
  // Names end with the time of their making.
  std::sort(out.begin(), out.end(), [](const BackupSeen& a, const BackupSeen& b) { return a.name < b.name; });
  return out;
}

Result<RestoreSeen> SiteView::restore(const std::string& name, std::stop_token stop) {
  const json::value object = TRY(api_.get(kube::types::velero("restores"), kInstalledIn, name, std::move(stop)));
  RestoreSeen out;
  out.name = name;
  out.phase = json::string_at(object, {"status", "phase"});
  out.backup = json::string_at(object, {"spec", "backupName"});
  out.failure = json::string_at(object, {"status", "failureReason"});
  for (const std::string& fault : json::strings(json::array_at(object, {"status", "validationErrors"})))
    out.failure += (out.failure.empty() ? "" : "; ") + fault;
  out.errors = json::int_at(object, {"status", "errors"});
  out.warnings = json::int_at(object, {"status", "warnings"});
  return out;
}

Result<uint64_t> SiteView::bytes_restored(const std::string& restore, const std::string& ns, std::stop_token stop) {
  kube::ListOptions of_restore;
  of_restore.label_selector = fmt::format("{}={}", velero::label::kRestoreName, velero::label_value(restore));
  const kube::ListPage page =
      TRY(kube::list_all(api_, kube::types::velero("podvolumerestores"), kInstalledIn, of_restore, std::move(stop)));
  uint64_t out = 0;
  for (const json::value& pvr : page.items) {
    if (json::string_at(pvr, {"spec", "pod", "namespace"}) == ns)
      out += static_cast<uint64_t>(json::int_at(pvr, {"status", "progress", "bytesDone"}));
  }
  return out;
}

}  // namespace holdfast::demo
