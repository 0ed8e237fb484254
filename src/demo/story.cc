#include "demo/story.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "base/yaml.h"
#include "demo/backup_watch.h"
#include "demo/checks.h"
#include "demo/ledger_client.h"
#include "demo/load.h"
#include "demo/site_view.h"
#include "demo/verbs.h"
#include "kube/client.h"
#include "kube/kubeconfig.h"
#include "net/http.h"
#include "velero/names.h"

namespace holdfast::demo {

namespace {

constexpr int kLostSite = 1;
constexpr int kOtherSite = 2;
constexpr const char* kSchedule = "demo";
constexpr const char* kRestore = "demo";
constexpr const char* kLocation = "default";
constexpr Duration kLook = std::chrono::milliseconds(100);
constexpr Duration kStepLimit = std::chrono::minutes(4);

/// An application of the story, beside what was seen of it.
struct Application {
  std::string name;
  uint16_t node_port = 0;
  std::vector<json::value> objects;
  std::optional<Load> load;
  std::optional<int64_t> last_id;  ///< at the other site, before anything was posted there
};

/// The node port that the application's Service asks for.
Result<uint16_t> node_port_of(const std::vector<json::value>& objects) {
  for (const json::value& object : objects) {
    if (json::string_at(object, {"kind"}) != "Service") continue;
    for (const json::value& port : json::array_at(object, {"spec", "ports"})) {
      const int64_t number = json::int_at(port, {"nodePort"});
      if (number > 0 && number < 65536) return static_cast<uint16_t>(number);
    }
  }
  return Error(ErrorCode::invalid, "no Service with a node port");
}

Result<std::unique_ptr<kube::Client>> connect(const std::string& kubeconfig) {
  kube::ClientOptions options;
  options.access = TRY(kube::load_kubeconfig({kubeconfig}, ""));
  options.user_agent = "holdfast-demo";
  return kube::Client::create(std::move(options));
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

class LiveStory final : public Story {
 public:
  LiveStory(StoryOptions options, SiteControl& sites, Clock& clock, const Progress& progress, LedgerClient ledgers)
      : options_(std::move(options)),
        sites_(sites),
        clock_(clock),
        progress_(progress),
        verbs_(options_.program, options_.directory, sites),
        ledgers_(std::move(ledgers)),
        watch_(kSchedule, options_.directory, ledgers_, progress_, facts_) {}

  Status read_applications() {
    for (const char* name : {"web-app1", "web-app2"}) {
      const std::string path = fmt::format("{}/{}.yaml", options_.manifests_directory, name);
      Application application;
      application.name = name;
      const std::string text = TRY(read_file(path));
      application.objects = TRY(yaml::parse_all(text).in(path));
      application.node_port = TRY(node_port_of(application.objects).in(path));
      applications_.push_back(std::move(application));
      facts_.applications.emplace_back().name = name;
    }
    return {};
  }

  Result<Facts> run(std::stop_token stop) override {
    stop_ = std::move(stop);
    facts_.begun = clock_.now();
    facts_.clusters = sites_.kind();
    facts_.store = options_.store.name();
    const std::pair<const char*, Status (LiveStory::*)()> steps[] = {
        {"two sites are booted, each a cluster", &LiveStory::boot},
        {"holdfast is installed into both", &LiveStory::install},
        {"two applications start at the first site", &LiveStory::start_applications},
        {"entries are posted to both, every acknowledgement is remembered", &LiveStory::start_load},
        {"a Schedule makes backups", &LiveStory::make_backups},
        {"a recovery kit is written outside the sites", &LiveStory::export_kit},
        {"the first site is killed whole, in mid-write", &LiveStory::lose_site},
        {"the location is added at the second site, from the kit", &LiveStory::add_location},
        {"the applications are restored there", &LiveStory::restore},
        {"the load goes on, and what came back is compared", &LiveStory::compare},
    };
    for (const auto& [what, step] : steps) {
      progress_.step(what);
      TRY((this->*step)().in(what));
    }
    return facts_;
  }

 private:
  // ---- means

  Status verb(int site, const std::vector<std::string>& words) { return verbs_.run(site, words, kStepLimit, stop_); }

  /// Asks until it is true; failures that may pass are asked again. timeout names the last one.
  template <typename Ask>
  Status until(std::string_view what, const Ask& ask) {
    const BootTime deadline = clock_.boottime() + kStepLimit;
    while (true) {
      const Result<bool> answer = ask();
      if (answer.ok() && *answer) return {};
      if (!answer && !answer.error().retryable() && answer.error().code() != ErrorCode::not_found)
        return answer.error();
      if (clock_.boottime() > deadline) {
        return Error(ErrorCode::timeout, fmt::format("{}: not within {}{}", what, format_go_duration(kStepLimit),
                                                     answer ? "" : ": " + answer.error().message()));
      }
      TRY(clock_.sleep(stop_, kLook));
    }
  }

  Result<std::string> door(int site, const Application& application) {
    return sites_.door(site, application.node_port);
  }
  std::string target(int site, const Application& application) const {
    return fmt::format("http://{}:{}", sites_.address(site), application.node_port);
  }
  void tell_kubectl(int site) const {
    progress_.note(fmt::format("kubectl --kubeconfig {} get backups,restores,schedules,podvolumebackups -A",
                               sites_.kubeconfig(site)));
  }
  SiteView view(int site) { return SiteView(*clients_[static_cast<size_t>(site - 1)]); }

  // ---- steps, in the order of run()

  Status boot() {
    for (const int site : {kLostSite, kOtherSite}) {
      TRY(sites_.boot(site));
      clients_.push_back(TRY(connect(sites_.kubeconfig(site))));
      progress_.note(fmt::format("{}: kubectl --kubeconfig {} get nodes", sites_.name(site), sites_.kubeconfig(site)));
      TRY(clock_.sleep(stop_, Duration::zero()));
    }
    return {};
  }

  Status install() {
    std::vector<std::string> store = {"--store-directory", options_.store.directory};
    if (options_.store.bucket) store = TRY(bucket_words(*options_.store.bucket));
    std::vector<std::pair<int, Process>> running;
    for (const int site : {kLostSite, kOtherSite}) {
      std::vector<std::string> words = {"install", "--use-node-agent", "--site", sites_.name(site), "--wait"};
      // The other site gets its location and credentials later, from the kit.
      if (site == kOtherSite) words.emplace_back("--no-default-backup-location");
      if (site == kLostSite || !options_.store.bucket) words.insert(words.end(), store.begin(), store.end());
      running.emplace_back(site, TRY(verbs_.start(site, words, install_log(site))));
    }
    for (auto& [site, process] : running) {
      const ProcessExit exit = TRY(process.wait(kStepLimit, stop_).in("holdfast install at " + sites_.name(site)));
      if (exit.code != 0)
        return Error(ErrorCode::internal,
                     fmt::format("holdfast install at {}: {}", sites_.name(site), TRY(verbs_.said(install_log(site)))));
    }
    return until("the location is available", [&]() -> Result<bool> {
      return TRY(view(kLostSite).location_phase(kLocation, stop_)) == "Available";
    });
  }
  std::string install_log(int site) const { return "install-" + sites_.name(site); }

  /// The sites reach the bucket by a way out of their network; its keys go by a file that only its owner reads.
  Result<std::vector<std::string>> bucket_words(const Bucket& bucket) {
    const net::Url url = TRY(net::parse_url(bucket.endpoint).in("endpoint of the store"));
    const std::string address = TRY(sites_.way_out(url.host, url.port));
    const std::string credentials = options_.directory + "/credentials";
    TRY(write_file_atomically(credentials, bucket.credentials, 0600));
    progress_.note(fmt::format("the store: {} at {}, which the sites reach as {}", options_.store.name(),
                               bucket.endpoint, address));
    return install_words(bucket, address, credentials);
  }

  Status start_applications() {
    SiteView site = view(kLostSite);
    for (const Application& application : applications_) TRY(site.apply(application.objects, stop_));
    for (const Application& application : applications_) {
      const std::string url = TRY(door(kLostSite, application));
      TRY(until(application.name + " answers", [&]() -> Result<bool> {
        TRY(ledgers_.totals(url, stop_));
        return true;
      }));
      progress_.note(fmt::format("{} answers: curl {}/totals", application.name, url));
    }
    return {};
  }

  Status start_load() {
    facts_.load_begun = clock_.now();
    for (size_t i = 0; i < applications_.size(); ++i) {
      Application& application = applications_[i];
      facts_.applications[i].lost_target = target(kLostSite, application);
      application.load = TRY(Load::start({.program = options_.load_program,
                                          .prefix = sites_.client_prefix(),
                                          .directory = options_.directory,
                                          .name = application.name,
                                          .target = target(kLostSite, application)}));
      TRY(until("an entry is acknowledged by " + application.name, [&]() -> Result<bool> {
        const std::vector<Posting> postings = TRY(application.load->postings());
        return std::any_of(postings.begin(), postings.end(), [](const Posting& p) { return p.acknowledged; });
      }));
    }
    return {};
  }

  Status make_backups() {
    std::string namespaces;
    for (const Application& application : applications_)
      namespaces += (namespaces.empty() ? "" : ",") + application.name;
    TRY(verb(kLostSite, {"schedule", "create", kSchedule, "--schedule", "@every " + options_.every,
                         "--include-namespaces", namespaces, "--default-volumes-to-fs-backup"}));
    progress_.note(fmt::format("every {}; the pods' hooks freeze and thaw the ledgers", options_.every));
    tell_kubectl(kLostSite);
    return until(fmt::format("{} backups are completed", kBackupsWanted), [&]() -> Result<bool> {
      TRY(watch_backups());
      const auto completed = std::count_if(facts_.backups.begin(), facts_.backups.end(), [](const BackupSeen& backup) {
        return backup.phase == velero::phase::kCompleted;
      });
      const auto failed = std::find_if(facts_.backups.begin(), facts_.backups.end(), [](const BackupSeen& backup) {
        return ended(backup.phase) && backup.phase != velero::phase::kCompleted;
      });
      if (failed != facts_.backups.end())
        return Error(
            ErrorCode::internal, fmt::format("backup {} is {}", failed->name, failed->phase),
            fmt::format("holdfast backup logs {} --kubeconfig {}", failed->name, sites_.kubeconfig(kLostSite)));
      return static_cast<size_t>(completed) >= kBackupsWanted;
    });
  }

  Status watch_backups() {
    std::vector<std::string> urls;
    for (const Application& application : applications_) urls.push_back(TRY(door(kLostSite, application)));
    return watch_.look(view(kLostSite), urls, stop_);
  }

  std::string kit() const { return options_.directory + "/recovery.kit"; }

  Status export_kit() {
    TRY(verb(kLostSite, {"kit", "export", kit()}));
    progress_.note(kit());
    return {};
  }

  Status lose_site() {
    TRY(until("the newest backup's freezes are seen", [&]() -> Result<bool> {
      TRY(watch_backups());
      return watch_.saw_newest_freezes();
    }));
    facts_.lost = clock_.now();
    TRY(sites_.kill(kLostSite));
    progress_.note(sites_.name(kLostSite) + " is gone");
    return {};
  }

  Status add_location() {
    TRY(verb(kOtherSite, {"backup-location", "create", kLocation, "--from-kit", kit(), "--default"}));
    facts_.location_added = clock_.now();
    TRY(until("the location is available",
              [&]() -> Result<bool> { return TRY(view(kOtherSite).location_phase(kLocation, stop_)) == "Available"; }));
    return until("the backups appear", [&]() -> Result<bool> {
      const std::vector<BackupSeen> here = TRY(view(kOtherSite).backups(kSchedule, stop_));
      const auto is_here = [&](const BackupSeen& wanted) {
        return wanted.phase != velero::phase::kCompleted ||
               std::any_of(here.begin(), here.end(), [&](const BackupSeen& b) { return b.name == wanted.name; });
      };
      if (!std::all_of(facts_.backups.begin(), facts_.backups.end(), is_here)) return false;
      progress_.note(fmt::format("{} backups were found in the bucket", here.size()));
      return true;
    });
  }

  Status restore() {
    facts_.restore.created = clock_.now();
    Process process = TRY(
        verbs_.start(kOtherSite, {"restore", "create", kRestore, "--from-schedule", kSchedule, "--wait"}, "restore"));
    TRY(until("the restore ends", [&]() -> Result<bool> {
      TRY(watch_recovery());
      const Result<RestoreSeen> seen = view(kOtherSite).restore(kRestore, stop_);
      if (seen.ok() && ended(seen->phase)) {
        const Time created = facts_.restore.created;
        facts_.restore = *seen;
        facts_.restore.created = created;
        facts_.restore.completed = clock_.now();
        return true;
      }
      if (!seen && !process.poll().has_value()) return seen.error();
      if (!seen) return Error(ErrorCode::internal, "holdfast restore create: " + TRY(verbs_.said("restore")));
      return false;
    }));
    progress_.note(fmt::format("restore of {} is {} after {:.1f} s", facts_.restore.backup, facts_.restore.phase,
                               seconds(facts_.restore.completed - facts_.restore.created)));
    tell_kubectl(kOtherSite);
    static_cast<void>(TRY(process.wait(std::chrono::seconds(30), stop_)));
    return {};
  }

  /// Leads the clients to each ledger as soon as it answers at the other site.
  Status watch_recovery() {
    for (size_t i = 0; i < applications_.size(); ++i) {
      Application& application = applications_[i];
      if (application.last_id) continue;
      const std::string url = TRY(door(kOtherSite, application));
      const Result<LedgerTotals> totals = ledgers_.totals(url, stop_);
      if (totals.is(ErrorCode::cancelled)) return totals.error();
      if (!totals) continue;  // not up yet; the step has a deadline
      ApplicationSeen& seen = facts_.applications[i];
      seen.serving = clock_.now();
      seen.total_count = totals->count;
      seen.total_sum = totals->sum;
      application.last_id = totals->last_id;
      TRY(application.load->lead(target(kOtherSite, application)));
      progress_.note(
          fmt::format("{} answers at {} with {} entries", application.name, sites_.name(kOtherSite), totals->count));
    }
    return {};
  }

  Status compare() {
    TRY(until("both applications answer", [&]() -> Result<bool> {
      TRY(watch_recovery());
      return std::all_of(applications_.begin(), applications_.end(),
                         [](const Application& a) { return a.last_id.has_value(); });
    }));
    SiteView site = view(kOtherSite);
    for (size_t i = 0; i < applications_.size(); ++i) {
      Application& application = applications_[i];
      ApplicationSeen& seen = facts_.applications[i];
      const std::string url = TRY(door(kOtherSite, application));
      // A pod may still be replaced here: an answer that fails is asked for again.
      TRY(until(application.name + " acknowledges entries again", [&]() -> Result<bool> {
        seen.postings = TRY(application.load->postings());
        return std::any_of(seen.postings.begin(), seen.postings.end(), [&](const Posting& p) {
          return p.acknowledged && p.target != seen.lost_target && p.answered > facts_.restore.completed;
        });
      }));
      TRY(until(application.name + " tells what it holds", [&]() -> Result<bool> {
        TRY(ledgers_.inspect(url, seen, stop_));
        seen.entries = TRY(ledgers_.entries(url, *application.last_id, stop_));
        return true;
      }));
      seen.object_differences = TRY(site.differences(application.objects, stop_));
      seen.objects_compared = application.objects.size();
      seen.bytes_restored = TRY(site.bytes_restored(kRestore, application.name, stop_));
    }
    for (size_t i = 0; i < applications_.size(); ++i) {
      applications_[i].load->stop();
      facts_.applications[i].postings = TRY(applications_[i].load->postings());
    }
    return {};
  }

  const StoryOptions options_;
  SiteControl& sites_;
  Clock& clock_;
  const Progress& progress_;
  const Verbs verbs_;
  LedgerClient ledgers_;
  std::stop_token stop_;
  Facts facts_;
  BackupWatch watch_;
  std::vector<Application> applications_;
  std::vector<std::unique_ptr<kube::Client>> clients_;
};

}  // namespace

Result<std::unique_ptr<Story>> Story::prepare(StoryOptions options, SiteControl& sites, Clock& clock,
                                              const Progress& progress) {
  auto story = std::make_unique<LiveStory>(std::move(options), sites, clock, progress, TRY(LedgerClient::create()));
  TRY(story->read_applications());
  return std::unique_ptr<Story>(std::move(story));
}

}  // namespace holdfast::demo
