#include "demo/checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "velero/names.h"

namespace holdfast::demo {

namespace {

constexpr double kFreezeLimitMs = 30'000;  // the hooks' --max: a longer freeze would have ended by itself
constexpr size_t kNamed = 3;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

bool before_the_loss(const Posting& posting, const ApplicationSeen& application) {
  return posting.target == application.lost_target;
}

/// What an application's checks say, gathered over all applications: passed where none found a fault.
class Findings {
 public:
  explicit Findings(std::string name) : name_(std::move(name)) {}
  void good(std::string detail) { details_.push_back(std::move(detail)); }
  void fault(std::string detail) {
    passed_ = false;
    details_.push_back(std::move(detail));
  }
  /// A check that looked at nothing has not passed.
  [[nodiscard]] Check check() const {
    return {name_, passed_ && !details_.empty(),
            details_.empty() ? "nothing was seen" : fmt::format("{}", fmt::join(details_, "; "))};
  }

 private:
  std::string name_;
  bool passed_ = true;
  std::vector<std::string> details_;
};

std::string examples(const std::vector<std::string>& all) {
  const std::vector<std::string> some(all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(kNamed, all.size())));
  return fmt::format("{}{}", fmt::join(some, ", "), all.size() > kNamed ? ", ..." : "");
}

Check check_backups(const Facts& facts) {
  Findings out("backups");
  size_t completed = 0;
  for (const BackupSeen& backup : facts.backups) {
    if (backup.phase == velero::phase::kCompleted) ++completed;
    // One that the loss cut off never ended; any other end than Completed is a fault.
    if (backup.completed && backup.phase != velero::phase::kCompleted)
      out.fault(fmt::format("{} is {} with {} errors", backup.name, backup.phase, backup.errors));
  }
  const std::string counted = fmt::format("{} completed, at least {} wanted", completed, kBackupsWanted);
  completed >= kBackupsWanted ? out.good(counted) : out.fault(counted);
  return out.check();
}

Check check_incremental(const Facts& facts) {
  Findings out("incremental");
  for (const ApplicationSeen& application : facts.applications) {
    std::vector<const VolumeCopy*> copies;
    for (const BackupSeen& backup : facts.backups) {
      if (backup.phase != velero::phase::kCompleted) continue;
      for (const VolumeCopy& copy : backup.volumes)
        if (copy.application == application.name) copies.push_back(&copy);
    }
    if (copies.size() < 2) {
      out.fault(fmt::format("{}: {} copies of its volume", application.name, copies.size()));
      continue;
    }
    uint64_t largest = 0;
    for (size_t i = 1; i < copies.size(); ++i) largest = std::max(largest, copies[i]->bytes_stored);
    const std::string text = fmt::format("{}: the first copy stored {}, later ones at most {}", application.name,
                                         format_bytes(copies.front()->bytes_stored), format_bytes(largest));
    largest * 2 <= copies.front()->bytes_stored ? out.good(text) : out.fault(text);
  }
  return out.check();
}

Check check_restore(const Facts& facts) {
  Findings out("restore");
  const RestoreSeen& restore = facts.restore;
  std::string newest;
  for (const BackupSeen& backup : facts.backups)
    if (backup.phase == velero::phase::kCompleted) newest = backup.name;
  const std::string text = fmt::format("{} of backup {} is {}, {} errors, {} warnings", restore.name, restore.backup,
                                       restore.phase, restore.errors, restore.warnings);
  if (restore.phase != velero::phase::kCompleted || restore.errors != 0) {
    out.fault(restore.failure.empty() ? text : text + ": " + restore.failure);
  } else {
    out.good(text);
  }
  if (restore.backup < newest) out.fault(fmt::format("the newest completed backup was {}", newest));
  return out.check();
}

Check check_integrity(const Facts& facts) {
  Findings out("integrity");
  for (const ApplicationSeen& application : facts.applications) {
    const std::string text = fmt::format("{}: {}", application.name, application.integrity);
    application.integrity == "ok" ? out.good(text) : out.fault(text);
  }
  return out.check();
}

Check check_recovery_point(const Facts& facts) {
  Findings out("recovery_point");
  for (const ApplicationSeen& application : facts.applications) {
    const Freeze* freeze = recovery_point(application);
    if (freeze == nullptr) {
      out.fault(fmt::format("{}: its volume holds manifest {}, which no freeze wrote", application.name,
                            application.manifest_sha256.empty() ? "none" : application.manifest_sha256));
    } else if (freeze->taken > facts.lost) {
      out.fault(fmt::format("{}: taken after the loss", application.name));
    } else {
      out.good(fmt::format("{}: taken {}, manifest {}", application.name, format_rfc3339_nano(freeze->taken),
                           freeze->manifest_sha256.substr(0, 12)));
    }
  }
  return out.check();
}

Check check_present(const Facts& facts) {
  Findings out("acknowledged_entries");
  for (const ApplicationSeen& application : facts.applications) {
    const Freeze* freeze = recovery_point(application);
    if (freeze == nullptr) {
      out.fault(fmt::format("{}: no recovery point", application.name));
      continue;
    }
    std::unordered_map<std::string, int64_t> there;
    for (const LedgerEntry& entry : application.entries) there.emplace(entry.key, entry.amount);
    size_t wanted = 0;
    std::vector<std::string> missing;
    for (const Posting& posting : application.postings) {
      if (!posting.acknowledged || !before_the_loss(posting, application) || posting.answered > freeze->taken) continue;
      ++wanted;
      const auto found = there.find(posting.key);
      if (found == there.end() || found->second != posting.amount) missing.push_back(posting.key);
    }
    if (!missing.empty()) {
      out.fault(fmt::format("{}: {} of {} are missing or changed: {}", application.name, missing.size(), wanted,
                            examples(missing)));
    } else if (wanted == 0) {
      out.fault(fmt::format("{}: none was acknowledged before the recovery point", application.name));
    } else {
      out.good(fmt::format("{}: all {} acknowledged before the recovery point are there", application.name, wanted));
    }
  }
  return out.check();
}

Check check_invented(const Facts& facts) {
  Findings out("no_invented_entries");
  for (const ApplicationSeen& application : facts.applications) {
    std::unordered_map<std::string, int64_t> posted;
    for (const Posting& posting : application.postings)
      if (before_the_loss(posting, application)) posted.emplace(posting.key, posting.amount);
    std::vector<std::string> invented;
    std::unordered_map<std::string, int> times;
    for (const LedgerEntry& entry : application.entries) {
      const auto found = posted.find(entry.key);
      if (found == posted.end() || found->second != entry.amount || ++times[entry.key] > 1)
        invented.push_back(entry.key);
    }
    invented.empty()
        ? out.good(fmt::format("{}: {} entries, each posted once", application.name, application.entries.size()))
        : out.fault(fmt::format("{}: {} entries that nobody posted: {}", application.name, invented.size(),
                                examples(invented)));
  }
  return out.check();
}

Check check_totals(const Facts& facts) {
  Findings out("totals");
  for (const ApplicationSeen& application : facts.applications) {
    int64_t sum = 0;
    for (const LedgerEntry& entry : application.entries) sum += entry.amount;
    const auto count = static_cast<int64_t>(application.entries.size());
    const std::string text = fmt::format("{}: count {} and sum {}, entries say {} and {}", application.name,
                                         application.total_count, application.total_sum, count, sum);
    count == application.total_count&& sum == application.total_sum ? out.good(text) : out.fault(text);
  }
  return out.check();
}

Check check_files(const Facts& facts) {
  Findings out("files");
  for (const ApplicationSeen& application : facts.applications) {
    if (!application.restored || application.files_compared == 0) {
      out.fault(fmt::format("{}: the volume held no manifest to compare with", application.name));
    } else if (!application.file_differences.empty()) {
      out.fault(fmt::format("{}: {} of {} files differ from the manifest: {}", application.name,
                            application.file_differences.size(), application.files_compared,
                            examples(application.file_differences)));
    } else {
      out.good(fmt::format("{}: {} files equal the manifest of the recovery point", application.name,
                           application.files_compared));
    }
  }
  return out.check();
}

Check check_objects(const Facts& facts) {
  Findings out("objects");
  for (const ApplicationSeen& application : facts.applications) {
    if (application.objects_compared == 0) {
      out.fault(fmt::format("{}: no object was compared", application.name));
    } else if (!application.object_differences.empty()) {
      out.fault(fmt::format("{}: {}", application.name, examples(application.object_differences)));
    } else {
      out.good(
          fmt::format("{}: {} objects are there as they were applied", application.name, application.objects_compared));
    }
  }
  return out.check();
}

/// The most acknowledgements within one second before the loss.
int64_t best_second(const ApplicationSeen& application) {
  std::vector<Time> times;
  for (const Posting& posting : application.postings)
    if (posting.acknowledged && before_the_loss(posting, application)) times.push_back(posting.answered);
  std::sort(times.begin(), times.end());
  size_t best = 0;
  size_t first = 0;
  for (size_t last = 0; last < times.size(); ++last) {
    while (times[last] - times[first] >= std::chrono::seconds(1)) ++first;
    best = std::max(best, last - first + 1);
  }
  return static_cast<int64_t>(best);
}

Check check_commits(const Facts& facts) {
  Findings out("commit_rate");
  for (const ApplicationSeen& application : facts.applications) {
    const int64_t best = best_second(application);
    const std::string text =
        fmt::format("{}: {} commits in its best second, {} wanted", application.name, best, kCommitsWanted);
    best >= kCommitsWanted ? out.good(text) : out.fault(text);
  }
  return out.check();
}

/// First and last acknowledgements around the loss.
struct Outage {
  std::optional<Time> last_before;
  std::optional<Time> first_after;
};
Outage outage_of(const ApplicationSeen& application) {
  Outage out;
  for (const Posting& posting : application.postings) {
    if (!posting.acknowledged) continue;
    if (before_the_loss(posting, application)) {
      if (!out.last_before || posting.answered > *out.last_before) out.last_before = posting.answered;
    } else if (!out.first_after || posting.answered < *out.first_after) {
      out.first_after = posting.answered;
    }
  }
  return out;
}

Check check_mid_write(const Facts& facts) {
  Findings out("lost_in_mid_write");
  for (const ApplicationSeen& application : facts.applications) {
    const Outage outage = outage_of(application);
    size_t unanswered = 0;
    for (const Posting& posting : application.postings)
      if (before_the_loss(posting, application) && !posting.acknowledged && posting.sent <= facts.lost &&
          posting.answered >= facts.lost)
        ++unanswered;
    // An answer may still arrive between the clock's reading and the kill.
    const double quiet = outage.last_before ? std::max(0.0, seconds(facts.lost - *outage.last_before)) : 1e9;
    const std::string text = fmt::format("{}: last acknowledgement {:.3f} s before the loss, {} posts on their way",
                                         application.name, quiet, unanswered);
    const bool mid_write = unanswered > 0 || quiet < 1;
    mid_write ? out.good(text) : out.fault(text);
  }
  return out.check();
}

Check check_serving(const Facts& facts) {
  Findings out("serves_again");
  for (const ApplicationSeen& application : facts.applications) {
    const Outage outage = outage_of(application);
    outage.first_after ? out.good(fmt::format("{}: new entries are acknowledged at the other site", application.name))
                       : out.fault(fmt::format("{}: no entry was acknowledged after the loss", application.name));
  }
  return out.check();
}

const Freeze* longest_freeze(const ApplicationSeen& application) {
  const auto found = std::max_element(application.freezes.begin(), application.freezes.end(),
                                      [](const Freeze& a, const Freeze& b) { return a.frozen_ms < b.frozen_ms; });
  return found == application.freezes.end() ? nullptr : &*found;
}

Check check_freezes(const Facts& facts) {
  Findings out("freezes");
  for (const ApplicationSeen& application : facts.applications) {
    const Freeze* longest = longest_freeze(application);
    if (longest == nullptr) {
      out.fault(fmt::format("{}: it was never frozen", application.name));
      continue;
    }
    const std::string text = fmt::format("{}: {} freezes, the longest {:.0f} ms", application.name,
                                         application.freezes.size(), longest->frozen_ms);
    longest->frozen_ms < kFreezeLimitMs ? out.good(text) : out.fault(text + ": it ended by itself");
  }
  return out.check();
}

int64_t lost_entries(const ApplicationSeen& application) {
  std::unordered_map<std::string, int64_t> there;
  for (const LedgerEntry& entry : application.entries) there.emplace(entry.key, entry.amount);
  return std::count_if(application.postings.begin(), application.postings.end(), [&](const Posting& posting) {
    return posting.acknowledged && before_the_loss(posting, application) && !there.contains(posting.key);
  });
}

std::vector<Step> steps_of(const Facts& facts, const ApplicationSeen& application, const Outage& outage) {
  std::vector<Step> out;
  for (const BackupSeen& backup : facts.backups)
    for (const VolumeCopy& copy : backup.volumes)
      if (copy.application == application.name) out.push_back({"backup " + backup.name, copy.started, copy.ended});
  for (const Freeze& freeze : application.freezes) {
    const auto length =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(freeze.frozen_ms));
    out.push_back({"freeze", freeze.taken, freeze.taken + length});
  }
  out.push_back({"site lost", facts.lost, facts.lost});
  out.push_back({"location added", facts.location_added, facts.location_added});
  out.push_back({"restore " + facts.restore.name, facts.restore.created, facts.restore.completed});
  out.push_back({"answers at the other site", application.serving, application.serving});
  if (outage.first_after) out.push_back({"first acknowledgement", *outage.first_after, *outage.first_after});
  std::stable_sort(out.begin(), out.end(), [](const Step& a, const Step& b) { return a.begin < b.begin; });
  return out;
}

ApplicationReport figures(const Facts& facts, const ApplicationSeen& application) {
  ApplicationReport out;
  out.name = application.name;
  const Outage outage = outage_of(application);
  if (const Freeze* freeze = recovery_point(application)) out.rpo_seconds = seconds(facts.lost - freeze->taken);
  out.lost_entries = lost_entries(application);
  for (const Posting& posting : application.postings) {
    if (!before_the_loss(posting, application) || posting.sent > facts.lost) continue;
    posting.acknowledged ? ++out.acknowledged : ++out.in_doubt;
  }
  out.commits_per_second = best_second(application);
  out.restore_seconds = seconds(facts.restore.completed - facts.restore.created);
  if (outage.last_before && outage.first_after) out.outage_seconds = seconds(*outage.first_after - *outage.last_before);
  if (const Freeze* longest = longest_freeze(application)) {
    out.freeze_ms_max = longest->frozen_ms;
    out.freeze_manifest_ms = longest->manifest_ms;
  }
  out.bytes_restored = application.bytes_restored;
  out.steps = steps_of(facts, application, outage);
  return out;
}

}  // namespace

const Freeze* recovery_point(const ApplicationSeen& application) {
  if (application.manifest_sha256.empty()) return nullptr;
  const auto found = std::find_if(application.freezes.begin(), application.freezes.end(), [&](const Freeze& freeze) {
    return freeze.manifest_sha256 == application.manifest_sha256;
  });
  return found == application.freezes.end() ? nullptr : &*found;
}

Report judge(const Facts& facts) {
  Report out;
  out.checks = {check_backups(facts),        check_incremental(facts), check_freezes(facts),  check_commits(facts),
                check_mid_write(facts),      check_restore(facts),     check_objects(facts),  check_integrity(facts),
                check_recovery_point(facts), check_present(facts),     check_invented(facts), check_totals(facts),
                check_files(facts),          check_serving(facts)};
  for (const ApplicationSeen& application : facts.applications) out.applications.push_back(figures(facts, application));
  out.clusters = facts.clusters;
  out.store = facts.store;
  out.backups = facts.backups;
  out.restore = facts.restore;
  out.begun = facts.begun;
  out.lost = facts.lost;
  return out;
}

}  // namespace holdfast::demo
