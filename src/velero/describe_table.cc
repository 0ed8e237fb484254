#include <fmt/format.h>
#include <fmt/ranges.h>

#include "velero/describe.h"
#include "velero/describe_parts.h"
#include "velero/selector.h"
#include "velero/tab_text.h"

namespace holdfast::velero {

namespace {

/// "29d", "5m": the largest whole unit.
std::string short_duration(Duration duration) {
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
  if (seconds < 365 * 86400) return fmt::format("{}d", seconds / 86400);
  return fmt::format("{}y", seconds / (365 * 86400));
}

std::string from_now(const std::optional<Time>& time, Time now) {
  if (!time) return "n/a";
  if (*time >= now) return short_duration(*time - now);
  return short_duration(now - *time) + " ago";
}

std::string created(const std::optional<Time>& time) {
  return time ? parts::time_text(*time) : "<nil>";
}

std::string selector(const std::optional<LabelSelector>& selector) {
  return selector ? format_selector(*selector) : "<none>";
}

class Table {
 public:
  Table(std::vector<std::string> headings, const TableOptions& options) : options_(options) {
    if (options_.show_labels) headings.emplace_back("LABELS");
    text_ = fmt::format("{}", fmt::join(headings, "\t"));
  }
  void row(std::vector<std::string> cells, const ObjectMeta& metadata) {
    if (options_.show_labels) {
      std::string labels;
      for (const auto& [key, value] : metadata.labels)
        labels += fmt::format("{}{}={}", labels.empty() ? "" : ",", key, value);
      cells.push_back(labels.empty() ? "<none>" : labels);
    }
    text_ += fmt::format("\n{}", fmt::join(cells, "\t"));
    empty_ = false;
  }
  [[nodiscard]] std::string text() const { return empty_ ? std::string() : align_tabs(text_, 3, 6) + "\n"; }

 private:
  const TableOptions& options_;
  std::string text_;
  bool empty_ = true;
};

std::string or_new(const std::string& phase) {
  return phase.empty() ? "New" : phase;
}

}  // namespace

std::string table(const std::vector<Backup>& list, const TableOptions& options) {
  Table out({"NAME", "STATUS", "ERRORS", "WARNINGS", "CREATED", "EXPIRES", "STORAGE LOCATION", "SELECTOR"}, options);
  for (const Backup& backup : list) {
    std::string status = or_new(backup.status.phase);
    if (backup.metadata.deletion_timestamp) status = "Deleting";
    out.row({backup.metadata.name, status, std::to_string(backup.status.errors), std::to_string(backup.status.warnings),
             created(backup.status.start_timestamp), from_now(backup.status.expiration, options.now),
             backup.spec.storage_location, selector(backup.spec.label_selector)},
            backup.metadata);
  }
  return out.text();
}

std::string table(const std::vector<Restore>& list, const TableOptions& options) {
  Table out({"NAME", "BACKUP", "STATUS", "STARTED", "COMPLETED", "ERRORS", "WARNINGS", "CREATED", "SELECTOR"}, options);
  for (const Restore& restore : list)
    out.row({restore.metadata.name, restore.spec.backup_name, or_new(restore.status.phase),
             created(restore.status.start_timestamp), created(restore.status.completion_timestamp),
             std::to_string(restore.status.errors), std::to_string(restore.status.warnings),
             created(restore.metadata.creation_timestamp), selector(restore.spec.label_selector)},
            restore.metadata);
  return out.text();
}

std::string table(const std::vector<Schedule>& list, const TableOptions& options) {
  Table out({"NAME", "STATUS", "CREATED", "SCHEDULE", "BACKUP TTL", "LAST BACKUP", "SELECTOR", "PAUSED"}, options);
  for (const Schedule& schedule : list)
    out.row({schedule.metadata.name, or_new(schedule.status.phase), created(schedule.metadata.creation_timestamp),
             schedule.spec.schedule, format_go_duration(schedule.spec.template_.ttl.value_or(Duration{})),
             from_now(schedule.status.last_backup, options.now), selector(schedule.spec.template_.label_selector),
             schedule.spec.paused ? "true" : "false"},
            schedule.metadata);
  return out.text();
}

std::string table(const std::vector<BackupStorageLocation>& list, const TableOptions& options) {
  Table out({"NAME", "PROVIDER", "BUCKET/PREFIX", "PHASE", "LAST VALIDATED", "ACCESS MODE", "DEFAULT"}, options);
  for (const BackupStorageLocation& location : list) {
    std::string bucket = location.spec.object_storage ? location.spec.object_storage->bucket : "";
    if (location.spec.object_storage && !location.spec.object_storage->prefix.empty())
      bucket += "/" + location.spec.object_storage->prefix;
    const std::optional<Time>& validated = location.status.last_validation_time;
    out.row({location.metadata.name, location.spec.provider, bucket,
             location.status.phase.empty() ? "Unknown" : location.status.phase,
             validated ? parts::time_text(*validated) : "Unknown",
             location.spec.access_mode.empty() ? "ReadWrite" : location.spec.access_mode,
             location.spec.is_default ? "true" : ""},
            location.metadata);
  }
  return out.text();
}

std::string table(const std::vector<BackupRepository>& list, const TableOptions& options) {
  Table out({"NAME", "STATUS", "LAST MAINTENANCE"}, options);
  for (const BackupRepository& repository : list) {
    const std::optional<Time>& last = repository.status.last_maintenance_time;
    out.row({repository.metadata.name, or_new(repository.status.phase), last ? parts::time_text(*last) : "<never>"},
            repository.metadata);
  }
  return out.text();
}

}  // namespace holdfast::velero
