// holdfast's own verbs, run against a site as a user would: child processes with the site's kubeconfig.
//
// Used from one thread.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/process.h"
#include "demo/site_control.h"

namespace holdfast::demo {

class Verbs {
 public:
  /// `sites` outlives it; logs go to `directory`.
  Verbs(std::string program, std::string directory, const SiteControl& sites)
      : program_(std::move(program)), directory_(std::move(directory)), sites_(sites) {}

  /// Runs it to its end; a failure holds what it said.
  [[nodiscard]] Status run(int site, const std::vector<std::string>& words, Duration limit, std::stop_token stop) const;
  /// Starts it; what it says goes to the log of that name.
  [[nodiscard]] Result<Process> start(int site, const std::vector<std::string>& words, const std::string& log) const;
  /// What a started one has said so far.
  [[nodiscard]] Result<std::string> said(const std::string& log) const;

 private:
  [[nodiscard]] std::vector<std::string> command(int site, const std::vector<std::string>& words) const;
  [[nodiscard]] std::string path(const std::string& log) const;
  const std::string program_;
  const std::string directory_;
  const SiteControl& sites_;
};

}  // namespace holdfast::demo
