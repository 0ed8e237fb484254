#include "kube/informer.h"

#include <fmt/format.h>

#include "base/random.h"

namespace holdfast::kube {

namespace {
// A watch that ends sooner than this without an event counts as a failure: it must not spin.
constexpr Duration kShortestWatch = std::chrono::seconds(1);

std::string version_of(const json::value& object) {
  return json::string_at(object, {"metadata", "resourceVersion"});
}
}  // namespace

Informer::Informer(Api& api, InformerOptions options) : api_(api), options_(std::move(options)) {}

Informer::~Informer() {
  stop();
}

void Informer::on_change(Handler handler) {
  CHECK(!thread_.joinable());
  handlers_.push_back(std::move(handler));
}

void Informer::start() {
  CHECK(!thread_.joinable());
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Informer::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

bool Informer::synced() const {
  std::lock_guard lock(mutex_);
  return synced_;
}

Status Informer::wait_until_synced(std::stop_token stop, Duration limit) const {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, stop, limit, [&] { return synced_; })) return {};
  if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
  return Error(ErrorCode::timeout, fmt::format("no complete list of {} yet{}{}", options_.type.group_resource(),
                                               last_failure_.empty() ? "" : ": ", last_failure_));
}

Informer::Object Informer::get(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  return found == objects_.end() ? nullptr : found->second;
}

std::vector<Informer::Object> Informer::list() const {
  std::lock_guard lock(mutex_);
  std::vector<Object> all;
  for (const auto& [name, object] : objects_) all.push_back(object);
  return all;
}

std::string Informer::name_of(const json::value& object) {
  const std::string ns = json::string_at(object, {"metadata", "namespace"});
  const std::string name = json::string_at(object, {"metadata", "name"});
  return ns.empty() ? name : ns + "/" + name;
}

std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t slash = name.find('/');
  if (slash == std::string::npos) return {"", name};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

void Informer::tell(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    for (const Handler& handler : handlers_) handler(name);
  }
}

void Informer::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Status status = resource_version_.empty() ? list_anew(stop) : watch_on(stop);
    if (status.ok() || stop.stop_requested()) continue;
    if (status.is(ErrorCode::conflict)) {
      // 410: the history between our place and now is gone. Only a list that fails so again waits.
      const bool was_watching = !resource_version_.empty();
      resource_version_.clear();
      if (was_watching) continue;
    } else if (!status.error().retryable()) {
      resource_version_.clear();
    }
    {
      std::lock_guard lock(mutex_);
      last_failure_ = status.error().to_string();
    }
    options_.log.warning("watching failed", {{"resource", options_.type.group_resource()}, {"error", status.error()}});
    uint16_t number = 0;
    random_bytes(std::as_writable_bytes(std::span(&number, 1)));
    const Duration pause = sync::pause_before_retry(options_.back_off, ++failures_, number / 65536.0);
    if (!options_.clock->sleep(stop, pause)) return;
  }
}

Status Informer::list_anew(const std::stop_token& stop) {
  const ListPage page =
      TRY(list_all(api_, options_.type, options_.ns,
                   {.label_selector = options_.label_selector, .field_selector = options_.field_selector}, stop));
  replace(page);
  resource_version_ = page.resource_version;
  failures_ = 0;
  return {};
}

void Informer::replace(const ListPage& page) {
  std::vector<std::string> touched;
  {
    std::lock_guard lock(mutex_);
    std::map<std::string, Object> fresh;
    for (const json::value& object : page.items) {
      const std::string name = name_of(object);
      const auto old = objects_.find(name);
      if (old == objects_.end() || version_of(*old->second) != version_of(object)) touched.push_back(name);
      fresh[name] = std::make_shared<const json::value>(object);
    }
    for (const auto& [name, object] : objects_) {
      if (!fresh.contains(name)) touched.push_back(name);
    }
    objects_ = std::move(fresh);
  }
  tell(touched);
  std::lock_guard lock(mutex_);
  synced_ = true;
  changed_.notify_all();
}

Status Informer::take(const WatchEvent& event) {
  failures_ = 0;
  resource_version_ = version_of(event.object);
  if (event.kind == WatchEvent::Kind::bookmark) return {};
  const std::string name = name_of(event.object);
  {
    std::lock_guard lock(mutex_);
    if (event.kind == WatchEvent::Kind::deleted) {
      objects_.erase(name);
    } else {
      objects_[name] = std::make_shared<const json::value>(event.object);
    }
  }
  tell({name});
  return {};
}

Status Informer::watch_on(const std::stop_token& stop) {
  const BootTime start = options_.clock->boottime();
  const std::string from = resource_version_;
  TRY(api_.watch(
      options_.type, options_.ns,
      {.resource_version = resource_version_,
       .label_selector = options_.label_selector,
       .field_selector = options_.field_selector,
       .timeout = options_.watch_timeout},
      [&](const WatchEvent& event) { return take(event); }, stop));
  if (resource_version_ == from && options_.clock->boottime() - start < kShortestWatch) {
    return Error(ErrorCode::unavailable, "the watch ended at once");
  }
  return {};
}

}  // namespace holdfast::kube
