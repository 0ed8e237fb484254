// Kubernetes label selectors on plain label maps. Pure.
#pragma once

#include "velero/types/meta.h"

namespace holdfast::velero {

/// All labels and all expressions must hold; an empty selector matches everything. An unknown operator matches nothing
/// (check_selector refuses it beforehand).
[[nodiscard]] bool matches(const LabelSelector& selector, const StringMap& labels);
/// invalid: an unknown operator, In or NotIn without values, Exists or DoesNotExist with values, an empty key.
Status check_selector(const LabelSelector& selector);

/// As Velero prints it: "app=db,tier in (a,b),!x"; "<none>" for an empty one.
[[nodiscard]] std::string format_selector(const LabelSelector& selector);
/// "matchLabels" of an object's metadata: its labels as a map.
[[nodiscard]] StringMap labels_of(const json::value& object);

/// What spec.labelSelector and spec.orLabelSelectors say together: none, one, or any of several.
struct ObjectSelector {
  std::optional<LabelSelector> one;
  std::vector<LabelSelector> any;

  [[nodiscard]] bool matches(const StringMap& labels) const;
};

}  // namespace holdfast::velero
