// The flags that `backup create`, `schedule create` and `restore create` share, and what they make of a spec.
#pragma once

#include <vector>

#include "config/command.h"
#include "velero/types.h"

namespace holdfast::app {

/// Velero's flags for a BackupSpec, labels and annotations; -o among them.
[[nodiscard]] std::vector<config::Option> backup_options();
/// invalid names the flag.
[[nodiscard]] Result<velero::BackupSpec> backup_spec(const config::Arguments& arguments);

/// "a=b,c in (d,e)" as in --selector; invalid names the place.
[[nodiscard]] Result<velero::LabelSelector> label_selector(const std::string& text);
/// The alternatives of --or-selector, separated by " or ".
[[nodiscard]] Result<std::vector<velero::LabelSelector>> or_label_selectors(const std::string& text);
/// A reference to a ConfigMap of policies or modifiers, as velero writes it.
[[nodiscard]] velero::TypedLocalReference config_map_reference(const std::string& name);

}  // namespace holdfast::app
