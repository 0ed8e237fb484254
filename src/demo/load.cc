#include "demo/load.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <csignal>

#include "base/json.h"
#include "base/text.h"

namespace holdfast::demo {

namespace {

Time time_of(int64_t nanoseconds) {
  return Time(Duration(nanoseconds));
}

/// The generator's keys end with the amount: "PREFIX-N".
Result<int64_t> amount_of(const std::string& key) {
  const size_t dash = key.rfind('-');
  if (dash == std::string::npos) return Error(ErrorCode::corrupt, fmt::format("key {} has no number", key));
  return parse_int(std::string_view(key).substr(dash + 1));
}

Result<Posting> parse_posting(std::string_view line) {
  const json::object object = TRY(json::parse_object(line));
  Posting out;
  out.key = json::string_at(object, {"key"});
  out.target = json::string_at(object, {"target"});
  out.reason = json::string_at(object, {"reason"});
  out.acknowledged = object.contains("acked_ns");
  const int64_t answered = json::int_at(object, {out.acknowledged ? "acked_ns" : "failed_ns"});
  const int64_t sent = json::int_at(object, {"sent_ns"});
  if (out.key.empty() || sent <= 0 || answered <= 0) return Error(ErrorCode::corrupt, "key or times are missing");
  out.sent = time_of(sent);
  out.answered = time_of(answered);
  out.amount = TRY(amount_of(out.key));
  return out;
}

}  // namespace

Result<std::vector<Posting>> parse_record(std::string_view text) {
  std::vector<Posting> out;
  size_t number = 0;
  while (true) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return out;
    ++number;
    out.push_back(TRY(parse_posting(text.substr(0, end)).in(fmt::format("line {} of the load's record", number))));
    text.remove_prefix(end + 1);
  }
}

std::string Load::file(std::string_view suffix) const {
  return fmt::format("{}/{}.{}", options_.directory, options_.name, suffix);
}

Result<Load> Load::start(LoadOptions options) {
  TRY(make_directories(options.directory));
  const std::string stem = fmt::format("{}/{}", options.directory, options.name);
  TRY(write_file_atomically(stem + ".targets", options.target + "\n"));
  const UniqueFd log(::open((stem + ".log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!log.valid()) return errno_error(errno, "open " + stem + ".log");
  // It ends with this process, however that ends.
  std::vector<std::string> argv = {"setpriv", "--pdeathsig", "KILL"};
  argv.insert(argv.end(), options.prefix.begin(), options.prefix.end());
  // Many posters with pauses: some hundred posts a second on a quiet machine, and not many fewer on a busy one.
  // A post that the lost site will never answer is given up soon, so that its client can go on at the other one.
  argv.insert(argv.end(), {options.program, "--targets", stem + ".targets", "--record", stem + ".record", "--threads",
                           "16", "--pause", "24ms", "--timeout", "5s"});
  Process process =
      TRY(Process::spawn({.argv = std::move(argv), .out = log.get(), .err = log.get()}).in("start the load generator"));
  return Load(std::move(options), std::move(process));
}

Status Load::lead(const std::string& target) const {
  return write_file_atomically(file("targets"), target + "\n");
}

Result<std::vector<Posting>> Load::postings() {
  if (!stopped_ && process_.poll().has_value()) {
    return Error(ErrorCode::unavailable, fmt::format("the load generator of {} has ended", options_.name),
                 "look at " + file("log"));
  }
  const Result<std::string> text = read_file(file("record"));
  if (text.is(ErrorCode::not_found)) return std::vector<Posting>();
  if (!text) return text.error();
  return parse_record(*text);
}

void Load::stop() {
  stopped_ = true;
  process_.terminate(std::chrono::seconds(10));
}

}  // namespace holdfast::demo
