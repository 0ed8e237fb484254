// What a run of the demo has seen: plain data, collected by the story, judged by checks.h, printed by report.h.
//
// All times are UTC of this machine: the load generator, the ledgers and the sites share its clock.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace holdfast::demo {

/// One post of the load generator, as its record has it.
struct Posting {
  std::string key;
  int64_t amount = 0;
  Time sent{};
  Time answered{};
  bool acknowledged = false;
  std::string target;  ///< URL without path
  std::string reason;  ///< why there was no acknowledgement
};

/// A freeze as the ledger tells of it, with the volume's manifest of that moment.
struct Freeze {
  std::string manifest_sha256;
  Time taken{};
  double frozen_ms = 0;    ///< from the first held post to the thaw
  double manifest_ms = 0;  ///< the manifest's share of it
  std::string manifest;    ///< as the ledger wrote it, kept outside the sites
};

/// One volume of one backup.
struct VolumeCopy {
  std::string application;
  uint64_t bytes_read = 0;
  uint64_t bytes_stored = 0;
  Time started{};
  Time ended{};
};

struct BackupSeen {
  std::string name;
  std::string phase;
  Time created{};
  std::optional<Time> completed;
  int64_t errors = 0;
  int64_t warnings = 0;
  std::vector<VolumeCopy> volumes;
};

struct RestoreSeen {
  std::string name;
  std::string phase;
  std::string backup;
  std::string failure;
  Time created{};
  Time completed{};
  int64_t errors = 0;
  int64_t warnings = 0;
};

/// An entry as the ledger at the other site lists it.
struct LedgerEntry {
  int64_t id = 0;
  std::string key;
  int64_t amount = 0;
};

struct ApplicationSeen {
  std::string name;         ///< its namespace
  std::string lost_target;  ///< URL that was posted to at the site that was lost
  std::vector<Posting> postings;
  std::vector<Freeze> freezes;  ///< all that were seen, in order
  // At the other site, before anything was posted there:
  std::vector<LedgerEntry> entries;
  int64_t total_count = 0;
  int64_t total_sum = 0;
  std::string integrity;
  bool restored = false;  ///< the ledger found a manifest on its volume
  size_t files_compared = 0;
  std::string manifest_sha256;  ///< of the manifest it found
  std::vector<std::string> file_differences;
  std::vector<std::string> object_differences;
  size_t objects_compared = 0;
  uint64_t bytes_restored = 0;
  Time serving{};  ///< first answer at the other site
};

struct Facts {
  std::string clusters;  ///< "sandbox" or "real"
  std::string store;     ///< "directory" or "s3://BUCKET/PREFIX"
  Time begun{};
  Time load_begun{};
  Time lost{};  ///< just before the first site was killed
  Time location_added{};
  std::vector<BackupSeen> backups;  ///< by creation; those of the schedule, as last seen at the site that was lost
  RestoreSeen restore;
  std::vector<ApplicationSeen> applications;
};

}  // namespace holdfast::demo
