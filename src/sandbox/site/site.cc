#include "sandbox/site/site.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/json.h"
#include "base/text.h"
#include "net/http.h"

namespace holdfast::sandbox {

namespace {

constexpr uint16_t kApiPort = 6443;
constexpr Duration kReadyLimit = std::chrono::seconds(30);

/// The one child of the unshare process: the site's pid 1.
Result<pid_t> child_of(pid_t parent, Clock& clock) {
  const std::string path = fmt::format("/proc/{0}/task/{0}/children", parent);
  for (int tries = 0; tries < 100; ++tries) {
    const Result<std::string> text = read_file(path);
    if (text.ok() && !trim(*text).empty()) return static_cast<pid_t>(TRY(parse_int(trim(*text))));
    TRY(clock.sleep({}, std::chrono::milliseconds(20)));
  }
  return Error(ErrorCode::timeout, "the site's first process did not start");
}

}  // namespace

Result<std::unique_ptr<Site>> Site::boot(const Hub& hub, SiteOptions options, Clock& clock) {
  std::string name = fmt::format("site{}", options.number);
  std::unique_ptr<Site> site(new Site(std::move(options), std::move(name)));
  TRY(site->bring_up(hub, clock).in("boot " + site->name_));
  return site;
}

Status Site::bring_up(const Hub& hub, Clock& clock) {
  TRY(make_directories(options_.directory + "/log"));
  const std::string config_file = options_.directory + "/site.json";
  TRY(write_file_atomically(config_file, json::pretty(json::object{{"number", options_.number},
                                                                   {"name", name_},
                                                                   {"directory", options_.directory},
                                                                   {"images", options_.images_directory},
                                                                   {"store", options_.store_directory},
                                                                   {"address", address()},
                                                                   {"program", options_.runtime.program}})));
  int gate[2] = {-1, -1};
  if (::pipe2(gate, O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  const UniqueFd read_end(gate[0]);
  UniqueFd write_end(gate[1]);
  const std::string log_path = options_.directory + "/log/site.log";
  const UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log.valid()) return errno_error(errno, "open " + log_path);
  // setpriv: the site ends with this process, however that ends.
  std::vector<std::string> argv = {"setpriv",
                                   "--pdeathsig",
                                   "KILL",
                                   "unshare",
                                   "-m",
                                   "-n",
                                   "-p",
                                   "-u",
                                   "-i",
                                   "--fork",
                                   "--kill-child",
                                   "--mount-proc",
                                   "--propagation",
                                   "private",
                                   options_.runtime.program};
  argv.insert(argv.end(), options_.runtime.verb.begin(), options_.runtime.verb.end());
  argv.insert(argv.end(), {"site", config_file});
  process_ = TRY(Process::spawn({.argv = std::move(argv), .in = read_end.get(), .out = log.get(), .err = log.get()}));
  init_pid_ = TRY(child_of(process_->pid(), clock));
  TRY(hub.attach(options_.number, init_pid_));
  TRY(write_all(write_end.get(), "go\n", "the site's gate"));
  door_ = TRY(Forwarder::start(options_.runtime, {.port = options_.host_port},
                               {.network = network_of(init_pid_), .port = kApiPort}));
  const BootTime begin = clock.boottime();
  auto client = TRY(net::HttpClient::create({.tls = {.ca_pem = {},
                                                     .certificate_pem = {},
                                                     .key_pem = {},
                                                     .server_name = {},
                                                     .verify = net::TlsOptions::Verify::none},
                                             .proxy = "-"}));
  while (true) {
    net::Request request;
    request.url = fmt::format("https://127.0.0.1:{}/readyz", door_->port());
    request.timeout = std::chrono::seconds(2);
    const Result<net::Response> response = client->send(request);
    if (response.ok() && response->status == 200) break;
    if (!up()) return Error(ErrorCode::unavailable, "it ended while it started", "look at " + log_path);
    if (clock.boottime() - begin > kReadyLimit) {
      return Error(ErrorCode::timeout, "its API server is not ready after 30 s", "look at " + log_path);
    }
    TRY(clock.sleep({}, std::chrono::milliseconds(50)));
  }
  // The administrator's kubeconfig is written inside with the address there; outside, the door's port is the way in.
  json::value config = TRY(json::parse(TRY(read_file(options_.directory + "/admin.json"))));
  for (json::value& cluster : config.at("clusters").as_array()) {
    cluster.at("cluster").as_object()["server"] = fmt::format("https://127.0.0.1:{}", door_->port());
  }
  return write_file_atomically(kubeconfig(), json::pretty(config) + "\n", 0600);
}

Site::~Site() {
  kill();
}

void Site::kill() {
  if (init_pid_ > 0) ::kill(init_pid_, SIGKILL);
  init_pid_ = -1;
  door_.reset();
  if (process_.has_value()) {
    static_cast<void>(process_->wait(std::chrono::seconds(10)));
    process_.reset();
  }
}

bool Site::up() {
  return process_.has_value() && !process_->poll().has_value();
}

}  // namespace holdfast::sandbox
