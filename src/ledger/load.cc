// ledger-load: keeps posting entries and remembers what was acknowledged, and when.
//
// Each line of --record is one JSON object: {"key","sent_ns","acked_ns","id","target"} for an acknowledged entry,
// {"key","sent_ns","failed_ns","target","reason"} for one that got no answer (in doubt) or was refused. The line is
// written before the next post of that thread, so the record never misses an acknowledgement that a client saw.
// --targets FILE is read again after each failure: a URL a line, tried in turn, so that clients can be led to another
// site.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "config/command.h"
#include "net/http.h"

#include <fcntl.h>

namespace holdfast::ledger {
namespace {

class Record {
 public:
  static Result<std::unique_ptr<Record>> open(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!fd.valid()) return errno_error(errno, "open " + path);
    return std::unique_ptr<Record>(new Record(std::move(fd), path));
  }
  Status add(const json::object& line) {
    const std::string text = json::compact(line) + "\n";
    std::lock_guard lock(mutex_);
    return write_all(fd_.get(), text, path_);
  }

 private:
  Record(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  std::mutex mutex_;
  UniqueFd fd_;
  const std::string path_;
};

class Poster {
 public:
  Poster(net::HttpClient& client, Record& record, std::string targets_file, std::string prefix, Duration pause,
         Duration timeout)
      : client_(client),
        record_(record),
        targets_file_(std::move(targets_file)),
        prefix_(std::move(prefix)),
        pause_(pause),
        timeout_(timeout) {}

  Status run(std::stop_token stop) {
    TRY(read_targets());
    for (int64_t number = 1; !stop.stop_requested(); ++number) {
      const bool acknowledged = TRY(post(fmt::format("{}-{}", prefix_, number), number));
      if (!acknowledged) {
        ++turn_;
        TRY(read_targets());
        if (!system_clock().sleep(stop, std::chrono::milliseconds(50))) return {};
      } else if (pause_ > Duration::zero() && !system_clock().sleep(stop, pause_)) {
        return {};
      }
    }
    return {};
  }

 private:
  Status read_targets() {
    targets_.clear();
    for (const std::string& line : split(TRY(read_file(targets_file_)), '\n')) {
      if (!trim(line).empty()) targets_.emplace_back(trim(line));
    }
    if (targets_.empty()) return Error(ErrorCode::invalid, targets_file_ + " names no target", "write one URL a line");
    return {};
  }

  Result<bool> post(const std::string& key, int64_t amount) {
    const std::string target = targets_[turn_ % targets_.size()];
    net::Request request;
    request.method = "POST";
    request.url = target + "/entries";
    request.timeout = timeout_;
    request.body = json::compact(json::object{{"key", key}, {"amount", amount}});
    const int64_t sent = system_clock().now().time_since_epoch().count();
    const Result<net::Response> response = client_.send(request);
    const int64_t answered = system_clock().now().time_since_epoch().count();
    json::object line{{"key", key}, {"sent_ns", sent}, {"target", target}};
    const bool acknowledged = response.ok() && response->status == 200;
    if (acknowledged) {
      const Result<json::value> body = json::parse(response->body);
      line["acked_ns"] = answered;
      line["id"] = body.ok() ? json::int_at(*body, {"id"}) : 0;
    } else {
      line["failed_ns"] = answered;
      line["reason"] = response.ok() ? fmt::format("HTTP {}", response->status) : response.error().message();
    }
    TRY(record_.add(line));
    return acknowledged;
  }

  net::HttpClient& client_;
  Record& record_;
  const std::string targets_file_;
  const std::string prefix_;
  const Duration pause_;
  const Duration timeout_;
  std::vector<std::string> targets_;
  size_t turn_ = 0;
};

Status run_load(const config::Arguments& arguments, const sigset_t& ends) {
  auto client = TRY(net::HttpClient::create({.tls = {}, .proxy = "-", .connect_timeout = std::chrono::seconds(1)}));
  auto record = TRY(Record::open(arguments.text("record")));
  std::mutex mutex;
  std::optional<Error> failure;
  {
    std::vector<std::jthread> threads;
    for (int64_t i = 0; i < arguments.number("threads"); ++i) {
      threads.emplace_back([&, prefix = random_hex(6)](std::stop_token stop) {
        Poster poster(*client, *record, arguments.text("targets"), prefix, arguments.duration("pause"),
                      arguments.duration("timeout"));
        Status status = poster.run(std::move(stop));
        if (status.ok()) return;
        std::lock_guard lock(mutex);
        failure = status.error();
        ::kill(::getpid(), SIGTERM);
      });
    }
    int received = 0;
    sigwait(&ends, &received);
  }
  if (failure.has_value()) return *failure;
  return {};
}

int run(const config::Arguments& arguments) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const Status status = run_load(arguments, ends);
  if (status.ok()) return 0;
  fmt::print(stderr, "ledger-load: {}\n", status.error().to_string());
  return 1;
}

config::Command root() {
  using config::Kind;
  return {.name = "ledger-load",
          .summary = "Post entries to a ledger until told to stop, and remember what was acknowledged",
          .examples = {"ledger-load --targets targets.txt --record acks.jsonl"},
          .options = {{.name = "targets", .help = "file with one URL a line; read again after a failure"},
                      {.name = "record", .help = "file that gets one JSON line for each post"},
                      {.name = "threads", .kind = Kind::number, .help = "posts at once", .fallback = "4"},
                      {.name = "pause",
                       .kind = Kind::duration,
                       .help = "rest of a thread between its posts",
                       .fallback = "0s"},
                      {.name = "timeout",
                       .kind = Kind::duration,
                       .help = "a post without an answer is given up after this long",
                       .fallback = "30s"}},
          .run = run};
}

}  // namespace
}  // namespace holdfast::ledger

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return holdfast::config::run_main(holdfast::ledger::root(), argc, argv);
}
