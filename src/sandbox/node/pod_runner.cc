#include "sandbox/node/pod_runner.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "net/http.h"
#include "sandbox/node/container_plan.h"
#include "sandbox/node/pod_status.h"
#include "sandbox/node/probe.h"
#include "sandbox/node/volumes.h"

namespace holdfast::sandbox {

using State = ContainerState::State;

Result<std::string> AddressPool::take() {
  std::lock_guard lock(mutex_);
  for (int tries = 0; tries < 253; ++tries) {
    const int number = next_;
    next_ = next_ == 254 ? 2 : next_ + 1;
    if (taken_.insert(number).second) return fmt::format("{}.{}", prefix_, number);
  }
  return Error(ErrorCode::exhausted, "no pod addresses are left on this node");
}

void AddressPool::give_back(const std::string& address) {
  const Result<int64_t> number = parse_int(address.substr(address.rfind('.') + 1));
  std::lock_guard lock(mutex_);
  if (number.ok()) taken_.erase(static_cast<int>(*number));
}

namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr Duration kBackOffMax = std::chrono::seconds(30);

/// One container of the pod through its restarts.
struct Slot {
  json::value spec;
  ContainerState state;
  std::shared_ptr<Container> container;
  std::optional<Probe> readiness, liveness, startup;
  BootTime restart_at{};
  Duration back_off = std::chrono::seconds(1);
  bool sidecar = false;  ///< an init container that stays
};

std::string last_line(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return "";
  const std::vector<std::string> lines = split(trim(*text), '\n');
  return lines.back().substr(0, 500);
}

bool tcp_answers(const std::string& address, const std::string& port, Duration timeout) {
  addrinfo* found = nullptr;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(address.c_str(), port.c_str(), &hints, &found) != 0) return false;
  const UniqueFd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval limit{static_cast<time_t>(timeout / std::chrono::seconds(1)), 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const bool connected = ::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
  return connected;
}

}  // namespace

/// What the thread of a runner does.
class PodRunner::Life {
 public:
  Life(PodRunner& runner, std::stop_token killed)
      : runner_(runner),
        context_(runner.context_),
        pod_(runner.pod_),
        killed_(std::move(killed)),
        policy_(json::string_at(pod_, {"spec", "restartPolicy"}, "Always")),
        status_(json::object_at(pod_, {"status"})) {
    state_.host_ip = context_.address;
    state_.started = context_.clock.now();
    for (const json::value& spec : json::array_at(pod_, {"spec", "initContainers"})) {
      init_.push_back(slot(spec));
      init_.back().sidecar = json::string_at(spec, {"restartPolicy"}) == "Always";
    }
    for (const json::value& spec : json::array_at(pod_, {"spec", "containers"})) slots_.push_back(slot(spec));
  }

  void run() {
    const std::string phase = json::string_at(pod_, {"status", "phase"});
    if (phase != "Succeeded" && phase != "Failed") live();
    if (killed_.stop_requested()) return;
    if (wait_for_end()) take_down();
  }

 private:
  static Slot slot(const json::value& spec) {
    Slot out;
    out.spec = spec;
    out.state.name = json::string_at(spec, {"name"});
    out.state.image = json::string_at(spec, {"image"});
    out.state.reason = "PodInitializing";
    return out;
  }

  [[nodiscard]] bool over() const { return killed_.stop_requested() || runner_.ending_.stop_requested(); }
  /// A pause that ends early with the pod.
  bool pause(Duration duration) {
    const BootTime until = context_.clock.boottime() + duration;
    while (context_.clock.boottime() < until) {
      if (over()) return false;
      if (!context_.clock.sleep(killed_, std::min<Duration>(kTick, until - context_.clock.boottime()))) return false;
    }
    return !over();
  }

  void live() {
    if (!connect() || !mount()) return;
    for (Slot& init : init_) {
      if (!initialize(init)) return;
    }
    for (Slot& main : slots_) {
      main.state.reason = "ContainerCreating";
      main.restart_at = context_.clock.boottime();
    }
    keep_running();
  }

  bool connect() {
    if (json::bool_at(pod_, {"spec", "hostNetwork"})) {
      state_.pod_ip = context_.address;
      return true;
    }
    while (true) {
      const Status status = try_connect();
      if (status.ok()) return true;
      explain(slots_, "ContainerCreating", status.error().message());
      if (!pause(std::chrono::seconds(1))) return false;
    }
  }

  Status try_connect() {
    network_ = TRY(PodNetwork::start(context_.runtime));
    if (state_.pod_ip.empty()) state_.pod_ip = TRY(context_.addresses.take());
    return network_->connect(context_.bridge, state_.pod_ip + "/24", context_.addresses.gateway());
  }

  bool mount() {
    const VolumeContext volumes{context_.api, context_.pods_directory, context_.name, context_.address,
                                context_.ca_pem};
    while (true) {
      Result<std::map<std::string, std::string>> paths = set_up_volumes(volumes, pod_, state_.pod_ip);
      if (paths.ok()) {
        volumes_ = std::move(paths).value();
        return true;
      }
      explain(slots_, paths.error().retryable() ? "ContainerCreating" : "CreateContainerConfigError",
              paths.error().to_string());
      if (!pause(std::chrono::milliseconds(300))) return false;
    }
  }

  void explain(std::vector<Slot>& slots, const char* reason, const std::string& message) {
    for (Slot& one : slots) {
      one.state.reason = reason;
      one.state.message = message;
    }
    publish();
  }

  /// Starts it; what keeps it from starting stands in its state.
  bool start(Slot& one) {
    const PlanContext plan{context_.api,
                           context_.images_directory,
                           context_.kubernetes_service_host,
                           context_.kubernetes_service_port,
                           context_.address,
                           state_.pod_ip,
                           volumes_};
    Result<ContainerSpec> spec = plan_container(plan, pod_, one.spec);
    if (!spec) {
      const bool image = spec.is(ErrorCode::not_found);
      return not_started(one, image ? "ErrImageNeverPull" : "CreateContainerConfigError", spec.error());
    }
    spec->network_pid = network_.has_value() ? network_->pid() : 0;
    const std::string id = runner_.uid_ + "-" + one.state.name;
    Result<std::unique_ptr<Container>> container =
        Container::start(context_.runtime, id, std::move(*spec), log_path(one));
    if (!container) return not_started(one, "CreateContainerError", container.error());
    one.container = std::move(*container);
    {
      std::lock_guard lock(runner_.mutex_);
      runner_.running_[one.state.name] = one.container;
    }
    one.state.state = State::running;
    one.state.reason.clear();
    one.state.message.clear();
    one.state.since = context_.clock.now();
    begin_probes(one);
    publish();
    return true;
  }

  bool not_started(Slot& one, const char* reason, const Error& error) {
    one.state.state = State::waiting;
    one.state.reason = reason;
    one.state.message = error.to_string();
    one.restart_at = context_.clock.boottime() + std::chrono::seconds(1);
    publish();
    return false;
  }

  void begin_probes(Slot& one) {
    const BootTime now = context_.clock.boottime();
    const auto make = [&](const char* field, bool at_start) -> std::optional<Probe> {
      const json::value* spec = json::find(one.spec, {field});
      if (spec == nullptr) return std::nullopt;
      return Probe(*spec, now, at_start);
    };
    one.readiness = make("readinessProbe", false);
    one.liveness = make("livenessProbe", true);
    one.startup = make("startupProbe", false);
    one.state.started = !one.startup.has_value();
    one.state.ready = one.state.started && !one.readiness.has_value();
  }

  bool initialize(Slot& init) {
    while (!over()) {
      if (!start(init)) {
        if (!pause(std::chrono::seconds(1))) return false;
        continue;
      }
      if (init.sidecar) return true;
      while (true) {
        if (note_end(init)) break;
        if (!pause(kTick)) return false;
      }
      init.state.ready = init.state.exit_code == 0;
      publish();
      if (init.state.exit_code == 0) return true;
      if (policy_ == "Never") return false;
      if (!back_off(init)) return false;
    }
    return false;
  }

  bool back_off(Slot& one) {
    one.state.state = State::waiting;
    one.state.message = fmt::format("exit code {}: {}", one.state.exit_code, one.state.message);
    one.state.reason = "CrashLoopBackOff";
    ++one.state.restarts;
    publish();
    const Duration wait = one.back_off;
    one.back_off = std::min<Duration>(one.back_off * 2, kBackOffMax);
    return pause(wait);
  }

  /// Takes note of a container that has ended.
  bool note_end(Slot& one) {
    if (one.container == nullptr) return false;
    const std::optional<ProcessExit> exit = one.container->poll();
    if (!exit.has_value()) return false;
    {
      std::lock_guard lock(runner_.mutex_);
      runner_.running_.erase(one.state.name);
    }
    one.container.reset();
    one.state.state = State::terminated;
    one.state.exit_code = exit->code;
    one.state.reason = exit->code == 0 ? "Completed" : "Error";
    one.state.message = exit->code == 0 ? "" : last_line(log_path(one));
    one.state.finished = context_.clock.now();
    one.state.ready = false;
    one.state.started = false;
    return true;
  }

  void keep_running() {
    while (!over()) {
      for (Slot& sidecar : init_) {
        if (sidecar.sidecar) tend(sidecar, "Always");
      }
      for (Slot& main : slots_) tend(main, policy_);
      publish();
      const bool done = std::all_of(slots_.begin(), slots_.end(), [&](const Slot& one) {
        if (one.state.state != State::terminated) return false;
        return policy_ == "Never" || (policy_ == "OnFailure" && one.state.exit_code == 0);
      });
      if (done) return;
      if (!pause(kTick)) return;
    }
  }

  void tend(Slot& one, const std::string& policy) {
    const BootTime now = context_.clock.boottime();
    if (one.container != nullptr) {
      if (!note_end(one)) {
        probe(one, now);
        return;
      }
      publish();
      one.restart_at = now + one.back_off;
      one.back_off = std::min<Duration>(one.back_off * 2, kBackOffMax);
      return;
    }
    const bool ended = one.state.state == State::terminated;
    if (ended && (policy == "Never" || (policy == "OnFailure" && one.state.exit_code == 0))) return;
    if (now < one.restart_at) {
      if (ended) {
        one.state.state = State::waiting;
        one.state.reason = "CrashLoopBackOff";
        ++one.state.restarts;
      }
      return;
    }
    start(one);
  }

  void probe(Slot& one, BootTime now) {
    const ProbeAsk ask = [&](const json::value& spec, Duration timeout) { return ask_once(one, spec, timeout); };
    if (one.startup.has_value() && !one.state.started) {
      one.startup->tick(now, ask);
      one.state.started = one.startup->success();
      if (!one.state.started) return;
      one.state.ready = !one.readiness.has_value();
    }
    if (one.readiness.has_value()) {
      one.readiness->tick(now, ask);
      one.state.ready = one.readiness->success();
    }
    if (one.liveness.has_value()) {
      one.liveness->tick(now, ask);
      if (!one.liveness->success()) one.container->terminate(grace_of_pod());
    }
  }

  bool ask_once(const Slot& one, const json::value& spec, Duration timeout) {
    if (const json::value* http = json::find(spec, {"httpGet"})) {
      Result<std::unique_ptr<net::HttpClient>> client =
          net::HttpClient::create({.tls = {}, .proxy = "-", .connect_timeout = timeout});
      if (!client) return false;
      net::Request request;
      request.url =
          fmt::format("http://{}:{}{}", state_.pod_ip, port_number(one, *http), json::string_at(*http, {"path"}, "/"));
      request.timeout = timeout;
      const Result<net::Response> response = (*client)->send(request, killed_);
      return response.ok() && response->status >= 200 && response->status < 400;
    }
    if (const json::value* tcp = json::find(spec, {"tcpSocket"})) {
      return tcp_answers(state_.pod_ip, std::to_string(port_number(one, *tcp)), timeout);
    }
    const std::vector<std::string> command = json::strings(json::array_at(spec, {"exec", "command"}));
    if (command.empty() || one.container == nullptr) return false;
    Result<Process> process = one.container->exec(command, -1, -1, -1);
    if (!process) return false;
    const Result<ProcessExit> exit = process->wait(timeout, killed_);
    return exit.ok() && exit->code == 0;
  }

  static int64_t port_number(const Slot& one, const json::value& action) {
    const json::value* port = json::find(action, {"port"});
    if (port == nullptr || !port->is_string()) return json::int_at(action, {"port"});
    for (const json::value& named : json::array_at(one.spec, {"ports"})) {
      if (json::string_at(named, {"name"}) == port->get_string()) return json::int_at(named, {"containerPort"});
    }
    return 0;
  }

  /// Waits until the object is to be deleted; false where the node itself goes.
  bool wait_for_end() {
    while (!runner_.ending_.stop_requested()) {
      if (!context_.clock.sleep(killed_, kTick)) return false;
    }
    return !killed_.stop_requested();
  }

  [[nodiscard]] Duration grace_of_pod() const {
    return std::chrono::seconds(json::int_at(pod_, {"spec", "terminationGracePeriodSeconds"}, 30));
  }

  void take_down() {
    for (std::vector<Slot>* list : {&slots_, &init_}) {
      for (const Slot& one : *list) {
        if (one.container != nullptr) one.container->signal(SIGTERM);
      }
      for (Slot& one : *list) {
        if (one.container == nullptr) continue;
        const Duration left = runner_.grace_left();
        one.container->terminate(left);
        note_end(one);
      }
    }
    network_.reset();
    if (!state_.pod_ip.empty() && state_.pod_ip != context_.address) context_.addresses.give_back(state_.pod_ip);
    publish();
    while (!killed_.stop_requested()) {
      Status status = tear_down_volumes(context_.pods_directory, runner_.uid_);
      if (status.ok()) status = remove_object();
      if (status.ok()) return;
      context_.log.warning("pod not removed yet", {{"pod", name()}, {"error", status.error()}});
      if (!context_.clock.sleep(killed_, std::chrono::seconds(1))) return;
    }
  }

  Status remove_object() {
    kube::DeleteOptions options;
    options.uid = runner_.uid_;
    options.grace_seconds = 0;
    const Status status = context_.api.remove(kube::types::pods(), json::string_at(pod_, {"metadata", "namespace"}),
                                              json::string_at(pod_, {"metadata", "name"}), options);
    if (status.ok() || status.is(ErrorCode::not_found) || status.is(ErrorCode::conflict)) return {};
    return status;
  }

  void publish() {
    state_.init.clear();
    state_.containers.clear();
    for (const Slot& one : init_) {
      state_.init.push_back(one.state);
      // A sidecar counts as initialised once it runs.
      if (one.sidecar && one.state.started) {
        state_.init.back().state = State::terminated;
        state_.init.back().exit_code = 0;
        state_.init.back().reason = "Completed";
      }
    }
    for (const Slot& one : slots_) state_.containers.push_back(one.state);
    json::object now = pod_status(state_, policy_, status_, context_.clock.now());
    if (now == status_) return;
    const json::value patch = json::object{{"metadata", json::object{{"uid", runner_.uid_}}}, {"status", now}};
    kube::WriteOptions options;
    options.subresource = "status";
    options.field_manager = "sandbox-node";
    const Result<json::value> written = context_.api.patch(
        kube::types::pods(), json::string_at(pod_, {"metadata", "namespace"}),
        json::string_at(pod_, {"metadata", "name"}), kube::PatchKind::merge, patch, options, killed_);
    // What could not be told now is told at the next tick.
    if (written.ok()) status_ = std::move(now);
  }

  [[nodiscard]] std::string log_path(const Slot& one) const {
    return fmt::format("{}/{}-{}.log", context_.logs_directory, runner_.uid_, one.state.name);
  }
  [[nodiscard]] std::string name() const {
    return json::string_at(pod_, {"metadata", "namespace"}) + "/" + json::string_at(pod_, {"metadata", "name"});
  }

  PodRunner& runner_;
  const NodeContext& context_;
  const json::value& pod_;
  const std::stop_token killed_;
  const std::string policy_;
  json::object status_;
  PodState state_;
  std::vector<Slot> init_, slots_;
  std::optional<PodNetwork> network_;
  std::map<std::string, std::string> volumes_;
};

PodRunner::PodRunner(const NodeContext& context, json::value pod)
    : context_(context), pod_(std::move(pod)), uid_(json::string_at(pod_, {"metadata", "uid"})) {
  thread_ = std::jthread([this](std::stop_token killed) {
    Life(*this, std::move(killed)).run();
    finished_ = true;
  });
}

PodRunner::~PodRunner() {
  thread_.request_stop();
}

void PodRunner::end(Duration grace) {
  const BootTime by = context_.clock.boottime() + grace;
  {
    std::lock_guard lock(mutex_);
    end_by_ = end_by_.has_value() ? std::min(*end_by_, by) : by;
  }
  ending_.request_stop();
}

Duration PodRunner::grace_left() {
  std::lock_guard lock(mutex_);
  return end_by_.has_value() ? std::max<Duration>(*end_by_ - context_.clock.boottime(), Duration::zero())
                             : Duration::zero();
}

Result<Process> PodRunner::exec(const std::string& container, const std::vector<std::string>& argv, int in, int out,
                                int err) {
  std::shared_ptr<Container> target;
  {
    std::lock_guard lock(mutex_);
    std::string name = container;
    if (name.empty()) name = json::string_at(json::array_at(pod_, {"spec", "containers"}).at(0), {"name"});
    const auto found = running_.find(name);
    if (found == running_.end()) return Error(ErrorCode::not_found, fmt::format("container {} is not running", name));
    target = found->second;
  }
  return target->exec(argv, in, out, err);
}

Result<std::string> PodRunner::logs(const std::string& container) {
  std::string name = container;
  if (name.empty()) name = json::string_at(json::array_at(pod_, {"spec", "containers"}).at(0), {"name"});
  return read_file(fmt::format("{}/{}-{}.log", context_.logs_directory, uid_, name));
}

}  // namespace holdfast::sandbox
