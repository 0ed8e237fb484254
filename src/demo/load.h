// The load on one ledger: a `ledger-load` process in the clients' network, and what it wrote down.
//
// The process reads its targets anew after each failure: lead() rewrites the file, and the posts go to the other site.
// Destroying a Load kills the process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/process.h"
#include "demo/facts.h"

namespace holdfast::demo {

struct LoadOptions {
  std::string program;              ///< path of ledger-load
  std::vector<std::string> prefix;  ///< words that put a command into the clients' network
  std::string directory;            ///< of its files; made where missing
  std::string name;                 ///< of the application: file names begin with it
  std::string target;               ///< first URL
};

class Load {
 public:
  [[nodiscard]] static Result<Load> start(LoadOptions options);

  /// From its next failure on it posts there, and only there.
  [[nodiscard]] Status lead(const std::string& target) const;
  /// What it has written down so far. unavailable where the process has ended by itself.
  [[nodiscard]] Result<std::vector<Posting>> postings();
  /// Ends it.
  void stop();

 private:
  Load(LoadOptions options, Process process) : options_(std::move(options)), process_(std::move(process)) {}
  [[nodiscard]] std::string file(std::string_view suffix) const;
  LoadOptions options_;
  Process process_;
  bool stopped_ = false;
};

/// Parses a record: one JSON object a line. A last line without its end is being written and left out; any other line
/// that is no record is corrupt.
[[nodiscard]] Result<std::vector<Posting>> parse_record(std::string_view text);

}  // namespace holdfast::demo
