// The parts that every velero.io resource is made of: metadata, references, selectors.
//
// Plain values, copied freely, no threads. `extra` of every struct holds the members of the decoded object that the
// struct does not know, and known members that were present but empty (null, [], ""): encode puts both back, so that
// an object of a newer Velero passes through unharmed. Maps are ordered by key, as Go writes them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace holdfast::velero {

using StringMap = std::map<std::string, std::string>;
using StringList = std::vector<std::string>;

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  std::optional<bool> controller;
  std::optional<bool> block_owner_deletion;
  json::object extra;
};

struct ObjectMeta {
  std::string name;
  std::string generate_name;
  std::string namespace_;
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  std::optional<Time> creation_timestamp;
  std::optional<Time> deletion_timestamp;
  StringMap labels;
  StringMap annotations;
  std::vector<OwnerReference> owner_references;
  StringList finalizers;
  json::object extra;  ///< holds managedFields among others

  /// The value of a label or annotation; empty where it is missing.
  [[nodiscard]] std::string label(std::string_view key) const;
  [[nodiscard]] std::string annotation(std::string_view key) const;
};

/// A corev1.ObjectReference, as PodVolumeBackups name their pod.
struct ObjectReference {
  std::string kind;
  std::string namespace_;
  std::string name;
  std::string uid;
  json::object extra;
};

/// A corev1.TypedLocalObjectReference: resourcePolicy, resourceModifier.
struct TypedLocalReference {
  std::string kind;
  std::string name;
  json::object extra;
};

/// A key of a Secret in the server's namespace.
struct SecretKeySelector {
  std::string name;
  std::string key;
  json::object extra;
};

struct LabelSelectorRequirement {
  std::string key;
  std::string op;  ///< In, NotIn, Exists, DoesNotExist
  StringList values;
  json::object extra;
};

struct LabelSelector {
  StringMap match_labels;
  std::vector<LabelSelectorRequirement> match_expressions;
  json::object extra;
};

struct HookStatus {
  int64_t hooks_attempted = 0;
  int64_t hooks_failed = 0;
  json::object extra;
};

/// Progress of a data path, in bytes.
struct DataProgress {
  int64_t total_bytes = 0;
  int64_t bytes_done = 0;
  json::object extra;
};

}  // namespace holdfast::velero
