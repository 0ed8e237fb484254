// `holdfast demo`: the main job live. Composes sites, story, checks and report, and cleans up behind them.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>

#include "app/cli/commands.h"
#include "app/cli/signals.h"
#include "base/file.h"
#include "demo/checks.h"
#include "demo/store_place.h"
#include "demo/story.h"

namespace holdfast::app {

namespace {

using config::Kind;

struct Places {
  std::string program;
  std::string images;
  std::string manifests;
  std::string directory;
  std::string lab;  ///< tests/lab of the sources

  [[nodiscard]] demo::SandboxOptions sandbox() const {
    return {directory + "/sites", images, embedded_store(), program};
  }
  [[nodiscard]] demo::LabOptions clusters() const { return {lab, directory + "/lab", images, program}; }
  [[nodiscard]] std::string embedded_store() const { return directory + "/store"; }
  [[nodiscard]] std::string peers() const { return std::filesystem::path(lab).parent_path() / "peers"; }
};

Places places_from(const config::Arguments& arguments) {
  Places out;
  out.program = std::filesystem::read_symlink("/proc/self/exe");
  const std::filesystem::path beside = std::filesystem::path(out.program).parent_path();
  out.images = arguments.text("images");
  if (out.images.empty()) out.images = beside / "images";
  out.manifests = arguments.text("applications");
  if (out.manifests.empty()) out.manifests = (beside / "../../deploy/demo").lexically_normal();
  out.lab = arguments.text("lab");
  if (out.lab.empty()) out.lab = beside / "../../tests/lab";
  out.lab = std::filesystem::absolute(out.lab).lexically_normal();
  out.directory = std::filesystem::absolute(arguments.text("dir")).lexically_normal();
  return out;
}

/// The run's directory: one demo at a time, and removed behind it. The mark says that it is ours to
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
    return Workplace(directory, std::move(lock));
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

bool real_clusters(const config::Arguments& arguments) {
  return arguments.text("clusters") == "real";
}

Status preflight(const Places& places, const config::Arguments& arguments) {
  std::string all;
  for (const std::string& obstacle :
       real_clusters(arguments) ? demo::lab_obstacles(places.clusters()) : demo::sandbox_obstacles(places.sandbox()))
    all += "\n  " + obstacle;
  if (all.empty()) return {};
  return Error(ErrorCode::denied, "this machine cannot run the demo yet:" + all);
}

/// Ends what a run that was killed has left: processes first, whose files are then removed.
Status clear_leftovers(const Places& places, const Workplace& workplace) {
  std::error_code error;
  if (std::filesystem::exists(places.clusters().directory, error)) TRY(demo::clear_lab(places.clusters()));
  if (std::filesystem::exists(places.embedded_store() + "/server.pid", error))
    TRY(demo::StoreServer::clear(places.peers(), places.embedded_store()));
  return workplace.empty();
}

/// The keys of --store: a file, else the environment.
Result<std::string> store_credentials(const config::Arguments& arguments) {
  if (const std::string path = arguments.text("store-credentials"); !path.empty())
    return read_file(path, size_t{1} << 20);
  const config::Environment environment = config::process_environment();
  const auto variable = [&](const char* name) { return environment(name).value_or(""); };
  if (variable("AWS_ACCESS_KEY_ID").empty() || variable("AWS_SECRET_ACCESS_KEY").empty())
    return Error(ErrorCode::invalid, "--store needs keys",
                 "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --store-credentials");
  return demo::credentials_file(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                                variable("AWS_SESSION_TOKEN"));
}

/// The bucket that was asked for; nothing: the embedded store.
Result<std::optional<demo::Bucket>> asked_bucket(const config::Arguments& arguments) {
  const std::string url = arguments.text("store");
  if (url.empty()) return std::optional<demo::Bucket>();
  demo::Bucket out = TRY(demo::parse_bucket(url));
  out.endpoint = arguments.text("store-endpoint");
  if (out.endpoint.empty()) return Error(ErrorCode::invalid, "--store needs --store-endpoint");
  out.region = arguments.text("store-region");
  out.certificate_file = arguments.text("store-cacert");
  out.credentials = TRY(store_credentials(arguments));
  return std::optional(std::move(out));
}

Status print_report(const Surroundings& surroundings, const config::Arguments& arguments, const demo::Report& report) {
  if (const std::string path = arguments.text("report"); !path.empty())
    TRY(write_file_atomically(path, demo::to_html(report)).in("--report"));
  surroundings.out(arguments.text("output") == "json" ? json::pretty(demo::to_json(report)) + "\n"
                                                      : demo::to_text(report));
  return {};
}

/// What ends with the run: the store's server first made and last gone.
struct Surfaces {
  std::unique_ptr<demo::StoreServer> server;
  std::unique_ptr<demo::SiteControl> sites;
  demo::StorePlace store;
};

Result<Surfaces> make_surfaces(const Surroundings& surroundings, const config::Arguments& arguments,
                               const Places& places, std::optional<demo::Bucket> bucket) {
  Surfaces out;
  const bool real = real_clusters(arguments);
  if (real && !bucket) {
    out.server = TRY(demo::StoreServer::start(places.peers(), places.embedded_store()));
    bucket = out.server->bucket();
  }
  demo::SandboxOptions sandbox = places.sandbox();
  if (bucket) {
    sandbox.store_directory.clear();
    out.store.bucket = std::move(bucket);
  } else {
    out.store.directory = places.embedded_store();
  }
  out.sites = real ? TRY(demo::lab_sites(places.clusters()))
                   : TRY(demo::sandbox_sites(std::move(sandbox), *surroundings.clock));
  return out;
}

/// Runs the story in a workplace; sites end with this call.
Result<bool> run_story(const Surroundings& surroundings, const config::Arguments& arguments, const Places& places,
                       std::optional<demo::Bucket> bucket, const std::stop_token& stop) {
  const demo::Progress progress(surroundings.err, *surroundings.clock);
  const Surfaces surfaces = TRY(make_surfaces(surroundings, arguments, places, std::move(bucket)));
  demo::SiteControl& sites = *surfaces.sites;
  demo::StoryOptions options;
  options.program = places.program;
  options.load_program = std::filesystem::path(places.program).parent_path() / "ledger-load";
  options.manifests_directory = places.manifests;
  options.directory = places.directory + "/outside";
  options.store = surfaces.store;
  options.every = arguments.text("every");
  TRY(make_directories(options.directory, 0700));
  const auto story = TRY(demo::Story::prepare(options, sites, *surroundings.clock, progress));
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
        fmt::format("the sites stay up until Ctrl-C: kubectl --kubeconfig {} get pods -A\n", sites.kubeconfig(2)));
    while (surroundings.clock->sleep(stop, std::chrono::hours(1))) {
    }
  }
  TRY(sites.end());
  TRY(std::move(failure));
  return passed;
}

Result<int> demo_verb(const Surroundings& surroundings, const config::Arguments& arguments) {
  // Before any other thread is.
  const EndSignals signals;
  const Places places = places_from(arguments);
  std::optional<demo::Bucket> bucket = TRY(asked_bucket(arguments));
  TRY(preflight(places, arguments));
  const Workplace workplace = TRY(Workplace::open(places.directory));
  TRY(clear_leftovers(places, workplace).in("what an earlier run has left"));
  Result<bool> passed = run_story(surroundings, arguments, places, std::move(bucket), signals.token());
  if (!passed && !passed.is(ErrorCode::cancelled)) {
    return std::move(passed).error().hinted(
        fmt::format("logs are below {}; the next run empties it", places.directory));
  }
  TRY(workplace.remove());
  if (!passed) return std::move(passed).error();
  return *passed ? 0 : 1;
}

std::vector<config::Option> demo_options() {
  return {{.name = "output",
           .help = "form of the report on standard output",
           .fallback = "text",
           .letter = 'o',
           .choices = {"text", "json"}},
          {.name = "report", .help = "write the report as one HTML page as well", .value_name = "FILE"},
          {.name = "keep", .kind = Kind::boolean, .help = "leave the sites up until Ctrl-C"},
          {.name = "every", .kind = Kind::duration, .help = "time between two backups, 2s at least", .fallback = "5s"},
          {.name = "clusters",
           .help = "sandbox clusters, or complete Kubernetes ones by the lab of the sources",
           .fallback = "sandbox",
           .choices = {"sandbox", "real"}},
          {.name = "store", .help = "bucket for the backups, as s3://BUCKET[/PREFIX]", .value_name = "URL"},
          {.name = "store-endpoint", .help = "where the bucket is, as this machine reaches it", .value_name = "URL"},
          {.name = "store-region", .help = "region of the bucket", .fallback = "us-east-1"},
          {.name = "store-cacert", .help = "certificates to trust for the store", .value_name = "FILE"},
          {.name = "store-credentials",
           .help = "AWS credentials file with the store's keys; the AWS_* environment without it",
           .value_name = "FILE"},
          {.name = "dir", .help = "directory of the run, removed at its end", .fallback = "/var/tmp/holdfast-demo"},
          {.name = "images", .help = "directory of images; without it the one beside the program"},
          {.name = "applications",
           .help = "directory with web-app1.yaml and web-app2.yaml; without it that of the sources"},
          {.name = "lab", .help = "directory with cluster.sh; without it tests/lab of the sources"}};
}

}  // namespace

config::Command demo_command(const Surroundings& surroundings) {
  config::Command command;
  command.name = "demo";
  command.summary = "Lose a site with two applications and bring them back at another, live on this machine";
  command.description =
      "Backups go to a directory that both sites see; on real clusters to versitygw, run for the demo. --store takes a "
      "bucket instead. The sites reach its endpoint at an address of their own network, 10.88.0.1 or 10.88.0.2: a "
      "certificate has to be good for it.";
  command.examples = {"holdfast demo",
                      "holdfast demo -o json --report demo.html",
                      "# leaves both sites up until Ctrl-C",
                      "holdfast demo --keep",
                      "# complete Kubernetes clusters, see tests/lab/README.md",
                      "holdfast demo --clusters real",
                      "# keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                      "holdfast demo --store s3://backups/demo --store-endpoint http://127.0.0.1:9000"};
  command.options = demo_options();
  command.run = runs(surroundings, demo_verb);
  return command;
}

}  // namespace holdfast::app
