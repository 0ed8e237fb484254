// The errors and warnings of one backup or restore, by where they belong, as Velero's results files show them.
//
// A failed object is an error here and one line in the log, and the run goes on; the count of errors decides the phase.
// From any thread.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/log.h"
#include "velero/results.h"

namespace holdfast::backup {

class Findings {
 public:
  /// Each finding is also one line of this log.
  explicit Findings(log::Logger logger) : log_(std::move(logger)) {}

  /// About an object or namespace; `ns` empty: cluster-scoped.
  void error(const std::string& ns, std::string_view message);
  void warning(const std::string& ns, std::string_view message);
  /// About the run itself.
  void run_error(std::string_view message);
  void run_warning(std::string_view message);

  [[nodiscard]] size_t errors() const;
  [[nodiscard]] size_t warnings() const;
  /// For the results file.
  [[nodiscard]] velero::Results results() const;
  [[nodiscard]] const log::Logger& log() const { return log_; }

 private:
  static void add(velero::Findings& list, const std::string& ns, std::string_view message);
  log::Logger log_;
  mutable std::mutex mutex_;
  velero::Results results_;
};

}  // namespace holdfast::backup
