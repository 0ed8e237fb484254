#include "demo/verbs.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/file.h"
#include "base/text.h"

namespace holdfast::demo {

Status Verbs::run(int site, const std::vector<std::string>& words, Duration limit, std::stop_token stop) const {
  const CommandOutput output = TRY(run_command(command(site, words), {}, limit, std::move(stop)));
  if (output.code == 0) return {};
  return Error(ErrorCode::internal,
               fmt::format("holdfast {}: {}", words.front(), trim(output.err.empty() ? output.out : output.err)));
}

Result<Process> Verbs::start(int site, const std::vector<std::string>& words, const std::string& log) const {
  const UniqueFd out(::open(path(log).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out.valid()) return errno_error(errno, "open " + path(log));
  return Process::spawn({.argv = command(site, words), .out = out.get(), .err = out.get()});
}

Result<std::string> Verbs::said(const std::string& log) const {
  return std::string(trim(TRY(read_file(path(log)))));
}

std::vector<std::string> Verbs::command(int site, const std::vector<std::string>& words) const {
  std::vector<std::string> argv = {program_};
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), {"--kubeconfig", sites_.kubeconfig(site)});
  return argv;
}

std::string Verbs::path(const std::string& log) const {
  return fmt::format("{}/{}.log", directory_, log);
}

}  // namespace holdfast::demo
