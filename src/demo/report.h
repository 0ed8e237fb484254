// What the demo tells at its end: figures for each application, checks, and whether all passed; as JSON, text and HTML.
//
// The JSON object has the members `clusters`, `store`, `applications`, `checks` and `passed`, and beside them
// `backups`, `restore` and `lost_at` for the curious. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "demo/facts.h"

namespace holdfast::demo {

struct Check {
  std::string name;
  bool passed = false;
  std::string detail;
};

/// Something that happened to one application, for the time line.
struct Step {
  std::string name;
  Time begin{};
  Time end{};  ///< equal to `begin`: a moment
};

struct ApplicationReport {
  std::string name;
  std::optional<double> rpo_seconds;     ///< the loss minus the recovery point's `taken`; missing: no recovery point
  int64_t lost_entries = 0;              ///< acknowledged before the loss and gone
  int64_t in_doubt = 0;                  ///< posted before the loss and never answered
  double restore_seconds = 0;            ///< Restore created until Completed
  std::optional<double> outage_seconds;  ///< last acknowledgement before the loss until the first after it
  double freeze_ms_max = 0;
  double freeze_manifest_ms = 0;  ///< the manifest's share of that freeze
  uint64_t bytes_restored = 0;
  int64_t acknowledged = 0;        ///< posts acknowledged before the loss
  int64_t commits_per_second = 0;  ///< in the best second before the loss
  std::vector<Step> steps;
};

struct Report {
  std::string clusters;  ///< "sandbox" or "real"
  std::string store;
  std::vector<ApplicationReport> applications;
  std::vector<Check> checks;
  std::vector<BackupSeen> backups;
  RestoreSeen restore;
  Time begun{};
  Time lost{};

  [[nodiscard]] bool passed() const;
};

[[nodiscard]] json::object to_json(const Report& report);
/// For a terminal.
[[nodiscard]] std::string to_text(const Report& report);
/// One page that needs no other file, with the time line as inline SVG.
[[nodiscard]] std::string to_html(const Report& report);

}  // namespace holdfast::demo
