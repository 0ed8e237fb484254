// The story: two sites, two applications under load, backups on a schedule, the loss of a site, the recovery.
//
// Everything is done as a user would do it: holdfast's own verbs run as child processes, the applications are applied
// from their YAML files, the ledgers are reached over HTTP. What was seen goes into Facts for checks.h to judge.
// Blocks; one thread. A stop request ends it with `cancelled`; everything it started ends with the Story.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "demo/facts.h"
#include "demo/progress.h"
#include "demo/site_control.h"
#include "demo/store_place.h"

namespace holdfast::demo {

struct StoryOptions {
  std::string program;              ///< this program, for its verbs
  std::string load_program;         ///< ledger-load
  std::string manifests_directory;  ///< with web-app1.yaml and web-app2.yaml
  std::string directory;            ///< of records, kit and logs, outside the sites
  StorePlace store;                 ///< where backups go
  std::string every = "5s";         ///< between backups
};

class Story {
 public:
  /// `sites`, `clock` and `progress` outlive it.
  [[nodiscard]] static Result<std::unique_ptr<Story>> prepare(StoryOptions options, SiteControl& sites, Clock& clock,
                                                              const Progress& progress);
  virtual ~Story() = default;
  /// Runs all steps in order. What failed says at which step.
  [[nodiscard]] virtual Result<Facts> run(std::stop_token stop) = 0;
};

}  // namespace holdfast::demo
