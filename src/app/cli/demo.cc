// `holdfast demo`: the main job live. Composes sites, story, checks and report, and cleans up behind them.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "app/cli/commands.h"
#include "base/file.h"
#include "demo/checks.h"
#include "demo/story.h"

namespace holdfast::app {

namespace {

using config::Kind;

struct Places {
  std::string program;
  std::string images;
  std::string manifests;
  std::string directory;
};

Places places_from(const config::Arguments& arguments) {
  Places out;
  out.program = std::filesystem::read_symlink("/proc/self/exe");
  const std::filesystem::path beside = std::filesystem::path(out.program).parent_path();
  out.images = arguments.text("images");
  if (out.images.empty()) out.images = beside / "images";
  out.manifests = arguments.text("applications");
  if (out.manifests.empty()) out.manifests = (beside / "../../deploy/demo").lexically_normal();
  out.directory = std::filesystem::absolute(arguments.text("dir")).lexically_normal();
  return out;
}

/// Asks to stop at SIGINT and SIGTERM, which every thread has blocked.
class Signals {
 public:
  Signals() {
    thread_ = std::jthread([this](const std::stop_token& over) {
      sigset_t ends;
      sigemptyset(&ends);
      sigaddset(&ends, SIGTERM);
      sigaddset(&ends, SIGINT);
      const timespec tick{0, 200'000'000};
      while (!over.stop_requested()) {
        if (::sigtimedwait(&ends, nullptr, &tick) > 0) stop_.request_stop();
      }
    });
  }
  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::jthread thread_;
};

/// The run's directory: one demo at a time, emptied before, and removed behind it. The mark says that it is ours to
/// empty.
class Workplace {
 public:
  static Result<Workplace> open(const std::string& directory) {
    const std::string mark = directory + "/.holdfast-demo";
    std::error_code error;
    if (std::filesystem::exists(directory, error) && !std::filesystem::is_empty(directory, error) &&
        !std::filesystem::exists(mark, error)) {
      return Error(ErrorCode::exists, directory + " holds something else", "name an empty directory with --dir");
    }
    TRY(make_directories(directory, 0700));
    UniqueFd lock(::open(mark.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.valid()) return errno_error(errno, "open " + mark);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
      return Error(ErrorCode::conflict, "another demo runs in " + directory, "wait for its end, or name another --dir");
    Workplace out(directory, std::move(lock));
    TRY(out.empty());
    return out;
  }
  Workplace(Workplace&&) = default;
  Workplace& operator=(Workplace&&) = delete;

  /// Removes everything but the mark.
  Status empty() const {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
      if (entry.path().filename() == ".holdfast-demo") continue;
      std::filesystem::remove_all(entry.path(), error);
      if (error)
        return Error(ErrorCode::unavailable, fmt::format("remove {}: {}", entry.path().string(), error.message()));
    }
    return {};
  }
  Status remove() const {
    TRY(empty());
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
    if (error) return Error(ErrorCode::unavailable, fmt::format("remove {}: {}", directory_, error.message()));
    return {};
  }

 private:
  Workplace(std::string directory, UniqueFd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}
  std::string directory_;
  UniqueFd lock_;
};

Status preflight(const demo::SandboxOptions& options) {
  std::string all;
  for (const std::string& obstacle : demo::sandbox_obstacles(options)) all += "\n  " + obstacle;
  if (all.empty()) return {};
  return Error(ErrorCode::denied, "this machine cannot run the demo yet:" + all);
}

Status print_report(const Surroundings& surroundings, const config::Arguments& arguments, const demo::Report& report) {
  if (const std::string path = arguments.text("report"); !path.empty())
    TRY(write_file_atomically(path, demo::to_html(report)).in("--report"));
  surroundings.out(arguments.text("output") == "json" ? json::pretty(demo::to_json(report)) + "\n"
                                                      : demo::to_text(report));
  return {};
}

/// Runs the story in a workplace; sites end with this call.
Result<bool> run_story(const Surroundings& surroundings, const config::Arguments& arguments, const Places& places,
                       const std::stop_token& stop) {
  const demo::Progress progress(surroundings.err, *surroundings.clock);
  const demo::SandboxOptions sandbox{places.directory + "/sites", places.images, places.directory + "/store",
                                     places.program};
  const auto sites = TRY(demo::sandbox_sites(sandbox, *surroundings.clock));
  demo::StoryOptions options;
  options.program = places.program;
  options.load_program = std::filesystem::path(places.program).parent_path() / "ledger-load";
  options.manifests_directory = places.manifests;
  options.directory = places.directory + "/outside";
  options.store_directory = sandbox.store_directory;
  options.every = arguments.text("every");
  TRY(make_directories(options.directory));
  const auto story = TRY(demo::Story::prepare(options, *sites, *surroundings.clock, progress));
  const Result<demo::Facts> facts = story->run(stop);
  Status failure;
  bool passed = false;
  if (facts.ok()) {
    const demo::Report report = demo::judge(*facts);
    TRY(print_report(surroundings, arguments, report));
    passed = report.passed();
  } else {
    failure = facts.error();
  }
  if (arguments.boolean("keep") && !stop.stop_requested()) {
    if (!failure) surroundings.err(fmt::format("failed: {}\n", failure.error().to_string()));
    surroundings.err(
        fmt::format("the sites stay up until Ctrl-C: kubectl --kubeconfig {} get pods -A\n", sites->kubeconfig(2)));
    while (surroundings.clock->sleep(stop, std::chrono::hours(1))) {
    }
  }
  TRY(std::move(failure));
  return passed;
}

Result<int> demo_verb(const Surroundings& surroundings, const config::Arguments& arguments) {
  const Places places = places_from(arguments);
  TRY(preflight({places.directory + "/sites", places.images, places.directory + "/store", places.program}));
  const Workplace workplace = TRY(Workplace::open(places.directory));
  const Signals signals;
  Result<bool> passed = run_story(surroundings, arguments, places, signals.token());
  if (!passed && !passed.is(ErrorCode::cancelled)) {
    return std::move(passed).error().hinted(
        fmt::format("logs are below {}; the next run empties it", places.directory));
  }
  TRY(workplace.remove());
  if (!passed) return std::move(passed).error();
  return *passed ? 0 : 1;
}

int demo_entry(const Surroundings& surroundings, const config::Arguments& arguments) {
  // Waited for by a thread of its own: every other thread must have them blocked from the start.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return runs(surroundings, demo_verb)(arguments);
}

}  // namespace

config::Command demo_command(const Surroundings& surroundings) {
  config::Command command;
  command.name = "demo";
  command.summary = "Lose a site with two applications and bring them back at another, live on this machine";
  command.examples = {"holdfast demo", "holdfast demo -o json --report demo.html",
                      "# leaves both sites up until Ctrl-C", "holdfast demo --keep"};
  command.options = {
      {.name = "output",
       .help = "form of the report on standard output",
       .fallback = "text",
       .letter = 'o',
       .choices = {"text", "json"}},
      {.name = "report", .help = "write the report as one HTML page as well", .value_name = "FILE"},
      {.name = "keep", .kind = Kind::boolean, .help = "leave the sites up until Ctrl-C"},
      {.name = "every", .kind = Kind::duration, .help = "time between two backups, 2s at least", .fallback = "5s"},
      {.name = "dir", .help = "directory of the run, removed at its end", .fallback = "/var/tmp/holdfast-demo"},
      {.name = "images", .help = "directory of images; without it the one beside the program"},
      {.name = "applications",
       .help = "directory with web-app1.yaml and web-app2.yaml; without it that of the sources"}};
  command.run = [&surroundings](const config::Arguments& arguments) { return demo_entry(surroundings, arguments); };
  return command;
}

}  // namespace holdfast::app
