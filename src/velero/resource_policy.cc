#include "velero/resource_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <initializer_list>

#include "base/text.h"
#include "base/yaml.h"

namespace holdfast::velero {

namespace {

constexpr std::array<std::string_view, 30> kVolumeTypes = {"awsElasticBlockStore",
                                                           "azureDisk",
                                                           "azureFile",
                                                           "cephfs",
                                                           "cinder",
                                                           "configMap",
                                                           "csi",
                                                           "downwardAPI",
                                                           "emptyDir",
                                                           "ephemeral",
                                                           "fc",
                                                           "flexVolume",
                                                           "flocker",
                                                           "gcePersistentDisk",
                                                           "gitRepo",
                                                           "glusterfs",
                                                           "hostPath",
                                                           "image",
                                                           "iscsi",
                                                           "local",
                                                           "nfs",
                                                           "photonPersistentDisk",
                                                           "portworxVolume",
                                                           "projected",
                                                           "quobyte",
                                                           "rbd",
                                                           "scaleIO",
                                                           "secret",
                                                           "storageos",
                                                           "vsphereVolume"};

StringMap strings_of(const json::object& object) {
  StringMap out;
  for (const auto& [key, value] : object)
    if (value.is_string()) out.emplace(key, std::string(value.get_string()));
  return out;
}

/// What a PersistentVolume's spec and a pod's volume have in common.
VolumeFacts source_facts(const json::object& source) {
  VolumeFacts out;
  for (const std::string_view type : kVolumeTypes)
    if (source.contains(type)) out.type = type;
  // Velero writes this one word its own way.
  if (out.type == "storageos") out.type = "storageOS";
  if (source.contains("nfs"))
    out.nfs = VolumeFacts::Nfs{json::string_at(source, {"nfs", "server"}), json::string_at(source, {"nfs", "path"})};
  if (source.contains("csi"))
    out.csi = VolumeFacts::Csi{json::string_at(source, {"csi", "driver"}),
                               strings_of(json::object_at(source, {"csi", "volumeAttributes"}))};
  return out;
}

Error undecodable(std::string_view what) {
  return Error(ErrorCode::invalid, fmt::format("failed to decode yaml data into resource policies  {}", what));
}
Error bad_conditions(std::string_view what) {
  return Error(ErrorCode::invalid, fmt::format("failed to decode volume conditions: {}", what));
}

/// The first member of an object that is not among those known; empty where there is none.
std::string unknown_member(const json::object& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object)
    if (std::find(known.begin(), known.end(), std::string_view(key)) == known.end()) return std::string(key);
  return {};
}

/// A scalar as its text: YAML gives `capacity: 10` as a number.
std::optional<std::string> scalar(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_int64() || value.is_uint64() || value.is_double() || value.is_bool()) return json::compact(value);
  return std::nullopt;
}

Result<StringList> list_of(const json::value& value, std::string_view name) {
  StringList out;
  if (value.is_null()) return out;
  if (!value.is_array()) return bad_conditions(fmt::format("{} is not a list", name));
  for (const json::value& item : value.get_array()) {
    const std::optional<std::string> text = scalar(item);
    if (!text) return bad_conditions(fmt::format("{} is not a list of words", name));
    out.push_back(*text);
  }
  return out;
}

Result<StringMap> map_of(const json::value& value, std::string_view name) {
  StringMap out;
  if (value.is_null()) return out;
  if (!value.is_object()) return bad_conditions(fmt::format("{} is not a map", name));
  for (const auto& [key, item] : value.get_object()) {
    const std::optional<std::string> text = scalar(item);
    if (!text) return bad_conditions(fmt::format("{}.{} is not a word", name, std::string_view(key)));
    out.emplace(key, *text);
  }
  return out;
}

bool contains(const StringList& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Each pair of `wanted` is one of `there`.
bool has_all(const StringMap& there, const StringMap& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    const auto found = there.find(pair.first);
    return found != there.end() && found->second == pair.second;
  });
}

}  // namespace

std::optional<long double> parse_quantity(std::string_view text) {
  static constexpr std::pair<std::string_view, long double> kUnits[] = {
      {"", 1.0L},      {"n", 1e-9L},    {"u", 1e-6L},    {"m", 1e-3L},   {"k", 1e3L},     {"M", 1e6L},
      {"G", 1e9L},     {"T", 1e12L},    {"P", 1e15L},    {"E", 1e18L},   {"Ki", 0x1p10L}, {"Mi", 0x1p20L},
      {"Gi", 0x1p30L}, {"Ti", 0x1p40L}, {"Pi", 0x1p50L}, {"Ei", 0x1p60L}};
  if (text.starts_with('+')) text.remove_prefix(1);
  const size_t digits_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string digits(text.substr(0, digits_end));
  const bool number = digits.find_first_of("0123456789") != std::string::npos &&
                      std::count(digits.begin(), digits.end(), '.') <= 1 && digits.size() <= 40;
  if (!number) return std::nullopt;
  const long double value = std::strtold(digits.c_str(), nullptr);
  const std::string_view suffix = text.substr(digits_end);
  for (const auto& [unit, factor] : kUnits)
    if (suffix == unit) return value * factor;
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return std::nullopt;
  const Result<int64_t> exponent = parse_int(suffix.substr(suffix[1] == '+' ? 2 : 1));
  if (!exponent || std::abs(*exponent) > 40) return std::nullopt;
  return value * std::pow(10.0L, static_cast<long double>(*exponent));
}

VolumeFacts facts_of_persistent_volume(const json::value& volume, const json::value& claim) {
  VolumeFacts out = source_facts(json::object_at(volume, {"spec"}));
  out.capacity = parse_quantity(json::string_at(volume, {"spec", "capacity", "storage"})).value_or(0);
  out.storage_class = json::string_at(volume, {"spec", "storageClassName"});
  out.pvc_labels = strings_of(json::object_at(claim, {"metadata", "labels"}));
  out.pvc_phase = json::string_at(claim, {"status", "phase"});
  return out;
}

VolumeFacts facts_of_pod_volume(const json::value& volume) {
  return volume.is_object() ? source_facts(volume.get_object()) : VolumeFacts();
}

bool ResourcePolicy::Rule::matches(const VolumeFacts& volume) const {
  // As Velero: a volume without a known size matches only where there is no lower limit.
  if (volume.capacity < least) return false;
  if (most != 0 && volume.capacity > most) return false;
  if (!storage_classes.empty() && !contains(storage_classes, volume.storage_class)) return false;
  if (nfs) {
    if (!volume.nfs) return false;
    if (!nfs->path.empty() && nfs->path != volume.nfs->path) return false;
    if (!nfs->server.empty() && nfs->server != volume.nfs->server) return false;
  }
  if (csi) {
    if (!volume.csi) return false;
    if (!csi->driver.empty() && csi->driver != volume.csi->driver) return false;
    if (!has_all(volume.csi->attributes, csi->attributes)) return false;
  }
  if (!types.empty() && !contains(types, volume.type)) return false;
  if (!pvc_phases.empty() && !contains(pvc_phases, volume.pvc_phase)) return false;
  return has_all(volume.pvc_labels, pvc_labels);
}

std::optional<VolumeAction> ResourcePolicy::action(const VolumeFacts& volume) const {
  for (const Rule& rule : rules_)
    if (rule.matches(volume)) return rule.action;
  return std::nullopt;
}

/// From the YAML's values to rules; first what does not decode, then what is not allowed, as Velero looks at it.
class ResourcePolicy::Reader {
 public:
  static Result<Rule> rule(const json::value& policy) {
    if (!policy.is_object()) return undecodable("a volume policy is not a map");
    const std::string unknown = unknown_member(policy.get_object(), {"conditions", "action"});
    if (!unknown.empty()) return undecodable(fmt::format("field {} not found in a volume policy", unknown));
    Rule out;
    if (const json::value* conditions = json::find(policy, {"conditions"}); conditions && !conditions->is_null()) {
      if (!conditions->is_object()) return undecodable("conditions is not a map");
      TRY(read_conditions(conditions->get_object(), out));
    }
    const json::object& action = json::object_at(policy, {"action"});
    const std::string odd = unknown_member(action, {"type", "parameters"});
    if (!odd.empty()) return undecodable(fmt::format("field {} not found in an action", odd));
    out.action = TRY(action_of(json::string_at(action, {"type"})));
    return out;
  }

 private:
  static Result<VolumeAction> action_of(const std::string& type) {
    if (type == "skip") return VolumeAction::skip;
    if (type == "fs-backup") return VolumeAction::fs_backup;
    if (type == "snapshot" || type == "custom") {
      return Error(ErrorCode::unsupported, fmt::format("action type {} is not supported", type),
                   "volumes are saved as files here: take fs-backup, or skip");
    }
    return Error(ErrorCode::invalid, "invalid action type " + type);
  }

  static Status read_conditions(const json::object& in, Rule& out) {
    const std::string unknown =
        unknown_member(in, {"capacity", "storageClass", "nfs", "csi", "volumeTypes", "pvcLabels", "pvcPhase"});
    if (!unknown.empty()) return bad_conditions(fmt::format("field {} not found in the conditions", unknown));
    const auto at = [&](const char* name) -> json::value {
      const json::value* value = in.if_contains(name);
      return value == nullptr ? json::value() : *value;
    };
    TRY(read_capacity(at("capacity"), out));
    out.storage_classes = TRY(list_of(at("storageClass"), "storageClass"));
    out.types = TRY(list_of(at("volumeTypes"), "volumeTypes"));
    out.pvc_phases = TRY(list_of(at("pvcPhase"), "pvcPhase"));
    out.pvc_labels = TRY(map_of(at("pvcLabels"), "pvcLabels"));
    if (const json::value nfs = at("nfs"); !nfs.is_null()) {
      StringMap members = TRY(map_of(nfs, "nfs"));
      const std::string odd = unknown_member(nfs.get_object(), {"server", "path"});
      if (!odd.empty()) return bad_conditions(fmt::format("field {} not found in nfs", odd));
      out.nfs = VolumeFacts::Nfs{members["server"], members["path"]};
    }
    return read_csi(at("csi"), out);
  }

  static Status read_csi(const json::value& csi, Rule& out) {
    if (csi.is_null()) return {};
    if (!csi.is_object()) return bad_conditions("csi is not a map");
    const std::string odd = unknown_member(csi.get_object(), {"driver", "volumeAttributes"});
    if (!odd.empty()) return bad_conditions(fmt::format("field {} not found in csi", odd));
    out.csi = VolumeFacts::Csi{json::string_at(csi, {"driver"}), {}};
    if (const json::value* attributes = json::find(csi, {"volumeAttributes"}))
      out.csi->attributes = TRY(map_of(*attributes, "csi.volumeAttributes"));
    if (out.csi->driver.empty() && !out.csi->attributes.empty())
      return Error(ErrorCode::invalid, "csi driver should not be empty when filtering by volume attributes");
    return {};
  }

  static Status read_capacity(const json::value& value, Rule& out) {
    if (value.is_null()) return {};
    const std::optional<std::string> text = scalar(value);
    if (!text) return bad_conditions("capacity is not a text");
    if (text->empty()) return {};
    const std::vector<std::string> limits = split(*text, ',');
    if (limits.size() != 2) return Error(ErrorCode::invalid, fmt::format("wrong format of Capacity {}", *text));
    for (const auto& [limit, into] : {std::pair(limits[0], &out.least), std::pair(limits[1], &out.most)}) {
      const std::string_view bare = trim(limit);
      if (bare.empty()) continue;
      const std::optional<long double> bytes = parse_quantity(bare);
      if (!bytes) {
        return Error(ErrorCode::invalid,
                     fmt::format("wrong format of Capacity {} with err \"{}\" is no quantity", limit, bare));
      }
      *into = *bytes;
    }
    if (out.most != 0 && out.most < out.least)
      return Error(ErrorCode::invalid, fmt::format("illegal values for capacity {}", *text));
    return {};
  }
};

Result<ResourcePolicy> ResourcePolicy::parse(std::string_view text) {
  const Result<json::value> document = yaml::parse(text);
  if (!document) return undecodable(document.error().message());
  if (!document->is_object()) return undecodable("it is not a map");
  const std::string unknown =
      unknown_member(document->get_object(), {"version", "volumePolicies", "includeExcludePolicy"});
  if (!unknown.empty()) return undecodable(fmt::format("field {} not found in the policies", unknown));
  ResourcePolicy out;
  if (const json::value* list = json::find(*document, {"volumePolicies"}); list != nullptr && !list->is_null()) {
    if (!list->is_array()) return undecodable("volumePolicies is not a list");
    for (const json::value& policy : list->get_array()) out.rules_.push_back(TRY(Reader::rule(policy)));
  }
  const json::value* version = json::find(*document, {"version"});
  const std::string said = version == nullptr ? "" : scalar(*version).value_or("");
  if (said != "v1") {
    return Error(ErrorCode::invalid, fmt::format("incompatible version number {} with supported version v1", said));
  }
  if (json::find(*document, {"includeExcludePolicy"}) != nullptr) {
    return Error(ErrorCode::unsupported, "includeExcludePolicy is not supported",
                 "give the lists in the spec of the Backup");
  }
  return out;
}

Result<ResourcePolicy> resource_policy_of(const json::value& config_map, const std::string& namespace_,
                                          const std::string& name) {
  const std::string what = fmt::format("resource policies {}/{}", namespace_, name);
  const json::object& data = json::object_at(config_map, {"data"});
  if (data.size() != 1 || !data.begin()->value().is_string()) {
    return Error(ErrorCode::invalid,
                 fmt::format("{}: illegal resource policies {}/{} configmap", what, namespace_, name));
  }
  return ResourcePolicy::parse(data.begin()->value().get_string()).in(what);
}

}  // namespace holdfast::velero
