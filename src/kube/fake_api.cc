#include "kube/fake_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/random.h"
#include "base/yaml.h"
#include "kube/selector.h"

namespace holdfast::kube {

namespace {

using namespace std::chrono_literals;

constexpr size_t kSnapshotsMax = 64;

/// A fault that waits for its calls.
struct ArmedFault {
  FakeApi::Fault fault;
  int seen = 0;
};

/// The rest of a list, kept for the next page.
struct Snapshot {
  std::vector<json::value> rest;
  std::string resource_version;
};

/// What a client's selectors let through.
struct Filter {
  LabelSelector labels;
  FieldSelector fields;
  [[nodiscard]] bool matches(const json::value& object) const {
    return labels.matches_object(object) && fields.matches(object);
  }
};

bool fits(std::string_view pattern, std::string_view text) {
  return pattern.empty() || pattern == text;
}

/// The fields a server can select by, per type.
bool field_served(const ResourceType& type, std::string_view field) {
  if (field == "metadata.name" || (field == "metadata.namespace" && type.namespaced)) return true;
  const std::string resource = type.group_resource();
  if (resource == "pods") {
    return field == "spec.nodeName" || field == "status.phase" || field == "spec.restartPolicy" ||
           field == "spec.schedulerName" || field == "spec.serviceAccountName" || field == "status.podIP" ||
           field == "status.nominatedNodeName";
  }
  if (resource == "namespaces") return field == "status.phase";
  if (resource == "secrets") return field == "type";
  if (resource == "nodes") return field == "spec.unschedulable";
  if (resource == "events") return field.starts_with("involvedObject.") || field == "reason" || field == "type";
  return resource == "jobs.batch" && field == "status.successful";
}

Result<Filter> parse_filter(const ResourceType& type, const std::string& labels, const std::string& fields) {
  Filter filter;
  filter.labels = TRY(LabelSelector::parse(labels));
  filter.fields = TRY(FieldSelector::parse(fields));
  for (const FieldSelector::Requirement& requirement : filter.fields.requirements()) {
    if (!field_served(type, requirement.field)) {
      return Error(ErrorCode::invalid, fmt::format("field label not supported: {}", requirement.field));
    }
  }
  return filter;
}

Error expired() {
  return {ErrorCode::conflict, "Expired: the resource version is too old"};
}

/// The event as one client sees it: an object that comes into its selection is added, one that leaves it deleted.
std::optional<WatchEvent> seen_event(const FakeEvent& event, const ResourceType& type, const std::string& ns,
                                     const Filter& filter) {
  if (event.resource != type.group_resource()) return std::nullopt;
  if (!ns.empty() && json::string_at(event.object, {"metadata", "namespace"}) != ns) return std::nullopt;
  const bool now = event.kind != WatchEvent::Kind::deleted && filter.matches(event.object);
  const bool before = !event.before.is_null() && filter.matches(event.before);
  if (!now && !before) return std::nullopt;
  WatchEvent seen{now && before ? WatchEvent::Kind::modified
                  : now         ? WatchEvent::Kind::added
                                : WatchEvent::Kind::deleted,
                  event.object};
  seen.object.as_object()["apiVersion"] = type.api_version();
  return seen;
}

/// How far a watch has come.
struct WatchPlace {
  uint64_t version = 0;
  uint64_t breaks = 0;
  uint64_t bookmarks = 0;
};

/// Marks a watch as running for its lifetime.
class Presence {
 public:
  Presence(std::mutex& mutex, std::condition_variable_any& changed, size_t& count)
      : mutex_(mutex), changed_(changed), count_(count) {
    add(1);
  }
  ~Presence() { add(static_cast<size_t>(-1)); }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

 private:
  void add(size_t amount) {
    std::lock_guard lock(mutex_);
    count_ += amount;
    changed_.notify_all();
  }
  std::mutex& mutex_;
  std::condition_variable_any& changed_;
  size_t& count_;
};

WatchEvent bookmark(const ResourceType& type, uint64_t version) {
  return {WatchEvent::Kind::bookmark, json::object{{"kind", type.kind},
                                                   {"apiVersion", type.api_version()},
                                                   {"metadata", {{"resourceVersion", std::to_string(version)}}}}};
}
}  // namespace

struct FakeApi::State {
  explicit State(const FakeApiOptions& o) : options(o), objects({o.clock, o.graceful_pods, o.history_max}) {}

  const FakeApiOptions options;
  mutable std::mutex mutex;
  mutable std::condition_variable_any changed;
  FakeObjects objects;
  std::vector<ArmedFault> faults;
  std::vector<Call> calls;
  std::map<std::string, Snapshot> snapshots;
  ExecHandler exec_handler;
  std::map<std::string, std::string> logs;
  size_t watches = 0;
  uint64_t break_count = 0;
  uint64_t bookmark_count = 0;
  std::optional<Error> break_error;

  /// Records a call and finds the fault that hits it.
  std::optional<Fault> arrive(const Call& call) {
    std::lock_guard lock(mutex);
    calls.push_back(call);
    std::optional<Fault> hit;
    for (ArmedFault& armed : faults) {
      const Fault& fault = armed.fault;
      if (!fits(fault.verb, call.verb) || !fits(fault.resource, call.resource) || !fits(fault.name, call.name))
        continue;
      ++armed.seen;
      if (!hit && armed.seen >= fault.nth && armed.seen - fault.nth < fault.times) hit = fault;
    }
    return hit;
  }

  /// One call: fault before, the act under the lock, fault after.
  template <typename T>
  Result<T> run(const Call& call, const std::stop_token& stop, const std::function<Result<T>()>& act) {
    const std::optional<Fault> fault = arrive(call);
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    if (fault && fault->delay > Duration::zero()) TRY(options.clock->sleep(stop, fault->delay));
    if (fault && fault->meanwhile) fault->meanwhile();
    if (fault && fault->error && fault->when == Fault::When::before) return *fault->error;
    Result<T> result = locked<T>(act);
    if (fault && fault->error) return *fault->error;
    return result;
  }

  template <typename T>
  Result<T> locked(const std::function<Result<T>()>& act) {
    std::lock_guard lock(mutex);
    const uint64_t before = objects.version();
    Result<T> result = act();
    if (options.collect_always) objects.collect_garbage();
    if (objects.version() != before) changed.notify_all();
    return result;
  }

  Result<WatchPlace> start_watch(const ResourceType& type, const std::string& ns, const std::string& resource_version,
                                 const Filter& filter, std::vector<WatchEvent>& pending) {
    std::lock_guard lock(mutex);
    TRY(objects.find_type(type));
    WatchPlace place{objects.version(), break_count, bookmark_count};
    if (!resource_version.empty() && resource_version != "0") {
      place.version = std::strtoull(resource_version.c_str(), nullptr, 10);
      return place;
    }
    for (json::value& object : objects.all(type, ns)) {
      if (filter.matches(object)) pending.push_back({WatchEvent::Kind::added, std::move(object)});
    }
    return place;
  }

  /// Waits a moment for news; none is an ordinary answer, after which the caller looks at its deadline.
  Result<std::vector<WatchEvent>> next_events(const ResourceType& type, const std::string& ns, const Filter& filter,
                                              WatchPlace& place, const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, 20ms, [&] {
      return objects.version() > place.version || break_count != place.breaks || bookmark_count != place.bookmarks;
    });
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    if (break_count != place.breaks) return *break_error;
    if (place.version < objects.compacted()) return expired();
    std::vector<WatchEvent> news;
    for (const FakeEvent& event : objects.history()) {
      if (event.version <= place.version) continue;
      if (auto seen = seen_event(event, type, ns, filter)) news.push_back(std::move(*seen));
    }
    place.version = std::max(place.version, objects.version());
    if (bookmark_count != place.bookmarks) news.push_back(bookmark(type, place.version));
    place.bookmarks = bookmark_count;
    return news;
  }

  Result<ListPage> first_page(const ResourceType& type, const std::string& ns, const ListOptions& list_options) {
    const FakeType known = TRY(objects.find_type(type));
    const Filter filter = TRY(parse_filter(type, list_options.label_selector, list_options.field_selector));
    Snapshot snapshot;
    snapshot.resource_version = std::to_string(objects.version());
    snapshot.rest = objects.all(type, ns);
    std::erase_if(snapshot.rest, [&](const json::value& object) { return !filter.matches(object); });
    return cut_page(std::move(snapshot), list_options.limit);
  }

  Result<ListPage> next_page(const ListOptions& list_options) {
    const auto found = snapshots.find(list_options.continue_from);
    if (found == snapshots.end()) return expired();
    return cut_page(found->second, list_options.limit);
  }

  ListPage cut_page(Snapshot snapshot, int64_t limit) {
    ListPage page;
    page.resource_version = snapshot.resource_version;
    if (limit <= 0 || static_cast<size_t>(limit) >= snapshot.rest.size()) {
      page.items = std::move(snapshot.rest);
      return page;
    }
    const auto cut = snapshot.rest.begin() + limit;
    page.items.assign(std::make_move_iterator(snapshot.rest.begin()), std::make_move_iterator(cut));
    snapshot.rest.erase(snapshot.rest.begin(), cut);
    page.continue_from = random_hex(12);
    if (snapshots.size() == kSnapshotsMax) snapshots.erase(snapshots.begin());
    snapshots[page.continue_from] = std::move(snapshot);
    return page;
  }
};

FakeApi::FakeApi(const FakeApiOptions& options) : state_(std::make_unique<State>(options)) {}
FakeApi::~FakeApi() = default;

json::value FakeApi::seed(const json::value& object) {
  const Result<json::value> stored = state_->locked<json::value>([&]() -> Result<json::value> {
    const ResourceType type = TRY(state_->objects.type_of(object));
    const std::string ns = type.namespaced ? json::string_at(object, {"metadata", "namespace"}, "default") : "";
    return state_->objects.create(type, ns, object, {}, FakeObjects::Origin::seed);
  });
  if (!stored) fmt::print(stderr, "FakeApi::seed: {}\n", stored.error().to_string());
  CHECK(stored.ok());
  return *stored;
}

void FakeApi::seed_yaml(std::string_view text) {
  const auto documents = yaml::parse_all(text);
  CHECK(documents.ok());
  for (const json::value& document : *documents) seed(document);
}

json::value FakeApi::peek(const ResourceType& type, const std::string& ns, const std::string& name) const {
  std::lock_guard lock(state_->mutex);
  return state_->objects.get(type, ns, name).value_or(json::value());
}

std::vector<json::value> FakeApi::peek_all(const ResourceType& type, const std::string& ns) const {
  std::lock_guard lock(state_->mutex);
  return state_->objects.all(type, ns);
}

void FakeApi::add_type(const ResourceType& type, bool status_subresource, bool custom) {
  std::lock_guard lock(state_->mutex);
  state_->objects.add_type({type, status_subresource, custom, true});
}

void FakeApi::collect_garbage() {
  std::lock_guard lock(state_->mutex);
  state_->objects.collect_garbage();
  state_->changed.notify_all();
}

void FakeApi::inject(Fault fault) {
  CHECK(!fault.watch_events || fault.error);
  std::lock_guard lock(state_->mutex);
  state_->faults.push_back({std::move(fault)});
}

void FakeApi::clear_faults() {
  std::lock_guard lock(state_->mutex);
  state_->faults.clear();
}

std::vector<FakeApi::Call> FakeApi::calls() const {
  std::lock_guard lock(state_->mutex);
  return state_->calls;
}

size_t FakeApi::count(std::string_view verb, std::string_view resource) const {
  std::lock_guard lock(state_->mutex);
  return static_cast<size_t>(std::count_if(state_->calls.begin(), state_->calls.end(), [&](const Call& call) {
    return fits(verb, call.verb) && fits(resource, call.resource);
  }));
}

void FakeApi::forget_calls() {
  std::lock_guard lock(state_->mutex);
  state_->calls.clear();
}

void FakeApi::compact() {
  std::lock_guard lock(state_->mutex);
  state_->objects.compact();
  state_->snapshots.clear();
}

void FakeApi::break_watches(const Error& error) {
  std::lock_guard lock(state_->mutex);
  ++state_->break_count;
  state_->break_error = error;
  state_->changed.notify_all();
}

void FakeApi::send_bookmarks() {
  std::lock_guard lock(state_->mutex);
  ++state_->bookmark_count;
  state_->changed.notify_all();
}

bool FakeApi::wait_for_watches(size_t count) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, 10s, [&] { return state_->watches >= count; });
}

void FakeApi::on_exec(ExecHandler handler) {
  std::lock_guard lock(state_->mutex);
  state_->exec_handler = std::move(handler);
}

void FakeApi::set_logs(const std::string& ns, const std::string& pod, const std::string& container, std::string text) {
  std::lock_guard lock(state_->mutex);
  state_->logs[ns + "/" + pod + "/" + container] = std::move(text);
}

Result<std::vector<ResourceType>> FakeApi::discover(std::stop_token stop) {
  return state_->run<std::vector<ResourceType>>({"discover", {}, {}, {}, {}}, stop,
                                                [&] { return state_->objects.types(); });
}

Result<json::value> FakeApi::version(std::stop_token stop) {
  return state_->run<json::value>({"version", {}, {}, {}, {}}, stop, [&]() -> Result<json::value> {
    return json::value{{"major", "1"}, {"minor", "30"}, {"gitVersion", "v1.30.0"}, {"platform", "linux/amd64"}};
  });
}

Result<json::value> FakeApi::get(const ResourceType& type, const std::string& ns, const std::string& name,
                                 std::stop_token stop) {
  return state_->run<json::value>({"get", type.group_resource(), ns, name, {}}, stop,
                                  [&] { return state_->objects.get(type, ns, name); });
}

Result<ListPage> FakeApi::list(const ResourceType& type, const std::string& ns, const ListOptions& options,
                               std::stop_token stop) {
  return state_->run<ListPage>({"list", type.group_resource(), ns, {}, {}}, stop, [&] {
    return options.continue_from.empty() ? state_->first_page(type, ns, options) : state_->next_page(options);
  });
}

Result<json::value> FakeApi::create(const ResourceType& type, const std::string& ns, const json::value& object,
                                    const WriteOptions& options, std::stop_token stop) {
  const Call call{"create", type.group_resource(), ns, json::string_at(object, {"metadata", "name"}),
                  options.subresource};
  return state_->run<json::value>(call, stop, [&] { return state_->objects.create(type, ns, object, options); });
}

Result<json::value> FakeApi::update(const ResourceType& type, const std::string& ns, const json::value& object,
                                    const WriteOptions& options, std::stop_token stop) {
  const Call call{"update", type.group_resource(), ns, json::string_at(object, {"metadata", "name"}),
                  options.subresource};
  return state_->run<json::value>(call, stop, [&] { return state_->objects.update(type, ns, object, options); });
}

Result<json::value> FakeApi::patch(const ResourceType& type, const std::string& ns, const std::string& name,
                                   PatchKind kind, const json::value& body, const WriteOptions& options,
                                   std::stop_token stop) {
  return state_->run<json::value>({"patch", type.group_resource(), ns, name, options.subresource}, stop,
                                  [&] { return state_->objects.patch(type, ns, name, kind, body, options); });
}

Status FakeApi::remove(const ResourceType& type, const std::string& ns, const std::string& name,
                       const DeleteOptions& options, std::stop_token stop) {
  const Result<bool> removed =
      state_->run<bool>({"delete", type.group_resource(), ns, name, {}}, stop, [&]() -> Result<bool> {
        TRY(state_->objects.remove(type, ns, name, options));
        return true;
      });
  return removed ? Status() : Status(removed.error());
}

Result<ExecResult> FakeApi::exec(const std::string& ns, const std::string& pod, const std::string& container,
                                 const std::vector<std::string>& command, Duration, std::stop_token stop) {
  ExecHandler handler;
  const Result<bool> known = state_->run<bool>({"exec", "pods", ns, pod, "exec"}, stop, [&]() -> Result<bool> {
    const json::value object = TRY(state_->objects.get(types::pods(), ns, pod));
    handler = state_->exec_handler;
    return true;
  });
  if (!known) return known.error();
  if (!handler) return Error(ErrorCode::unavailable, fmt::format("pod {} has no container that runs", pod));
  return handler(ns, pod, container, command);
}

Result<std::string> FakeApi::logs(const std::string& ns, const std::string& pod, const std::string& container,
                                  std::stop_token stop) {
  return state_->run<std::string>({"logs", "pods", ns, pod, "log"}, stop, [&]() -> Result<std::string> {
    const json::value object = TRY(state_->objects.get(types::pods(), ns, pod));
    const auto found = state_->logs.find(ns + "/" + pod + "/" + container);
    return found == state_->logs.end() ? std::string() : found->second;
  });
}

Status FakeApi::watch(const ResourceType& type, const std::string& ns, const WatchOptions& options,
                      const std::function<Status(const WatchEvent&)>& on_event, std::stop_token stop) {
  State& state = *state_;
  const std::optional<Fault> fault = state.arrive({"watch", type.group_resource(), ns, {}, {}});
  if (fault && fault->delay > Duration::zero()) TRY(state.options.clock->sleep(stop, fault->delay));
  if (fault && fault->meanwhile) fault->meanwhile();
  if (fault && fault->error && !fault->watch_events) return *fault->error;
  const Filter filter = TRY(parse_filter(type, options.label_selector, options.field_selector));
  const BootTime deadline = state.options.clock->boottime() + options.timeout;
  int left = fault && fault->watch_events ? *fault->watch_events : -1;

  std::vector<WatchEvent> pending;
  WatchPlace place = TRY(state.start_watch(type, ns, options.resource_version, filter, pending));
  const Presence presence(state.mutex, state.changed, state.watches);
  for (;;) {
    for (const WatchEvent& event : pending) {
      if (left == 0) return *fault->error;
      if (left > 0) --left;
      TRY(on_event(event));
    }
    if (left == 0) return *fault->error;
    pending = TRY(state.next_events(type, ns, filter, place, stop));
    if (pending.empty() && state.options.clock->boottime() >= deadline) return on_event(bookmark(type, place.version));
  }
}

}  // namespace holdfast::kube
