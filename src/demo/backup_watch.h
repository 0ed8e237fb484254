// Watches the backups of the story's schedule and the freezes that they make, and tells of each as it ends.
//
// What it sees is added to the Facts that it was given. Used from one thread.
#pragma once

#include <set>
#include <string>

#include "demo/facts.h"
#include "demo/ledger_client.h"
#include "demo/progress.h"
#include "demo/site_view.h"

namespace holdfast::demo {

/// True for a phase that is an end.
[[nodiscard]] bool ended(const std::string& phase);

class BackupWatch {
 public:
  /// Manifests are kept in `directory`. All references outlive it.
  BackupWatch(std::string schedule, std::string directory, LedgerClient& ledgers, const Progress& progress,
              Facts& facts)
      : schedule_(std::move(schedule)),
        directory_(std::move(directory)),
        ledgers_(ledgers),
        progress_(progress),
        facts_(facts) {}

  /// Looks at the backups, then at the freezes of the applications, whose URLs come in the order of the facts: a freeze
  /// is always seen before its backup is lost.
  [[nodiscard]] Status look(SiteView site, const std::vector<std::string>& urls, const std::stop_token& stop);

  /// True where the freeze of the newest completed backup was seen in each application. A look that took long may
  /// have missed it: an application tells of its last freeze only.
  [[nodiscard]] bool saw_newest_freezes() const;

 private:
  [[nodiscard]] static bool within(const BackupSeen& backup, const Freeze& freeze);
  [[nodiscard]] Status look_at_freeze(const std::string& url, ApplicationSeen& seen, const std::stop_token& stop);
  void tell();
  [[nodiscard]] std::string freeze_text(const BackupSeen& backup, const std::string& name) const;

  const std::string schedule_;
  const std::string directory_;
  LedgerClient& ledgers_;
  const Progress& progress_;
  Facts& facts_;
  std::set<std::string> told_;
};

}  // namespace holdfast::demo
