#include "sandbox/apiserver/watch_stream.h"

#include "base/text.h"
#include "sandbox/apiserver/refusal.h"

namespace holdfast::sandbox {

namespace {

constexpr Duration kBookmarkEvery = std::chrono::seconds(10);

class WatchStream {
 public:
  WatchStream(const Store& store, const ResourceKind& kind, const WatchRequest& request, Clock& clock,
              net::Responder& responder)
      : store_(store), kind_(kind), request_(request), clock_(clock), responder_(responder) {}

  // Ends with the first failure to send: the client is gone then, and nobody is left to tell.
  Status run() {
    const BootTime end = clock_.boottime() + request_.timeout;
    const bool from_now = request_.resource_version.empty() || request_.resource_version == "0";
    uint64_t seen = 0;
    if (from_now || request_.initial_events) {
      seen = TRY(send_everything());
    } else {
      const Result<int64_t> parsed = parse_int(request_.resource_version);
      if (!parsed.ok() || *parsed < 0) return bad_request("invalid resourceVersion");
      seen = static_cast<uint64_t>(*parsed);
    }
    TRY(responder_.begin(200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-cache, private"}}));
    begun_ = true;
    for (const std::string& first : backlog_) TRY(responder_.write(first));
    backlog_.clear();
    return follow(seen, end);
  }
  [[nodiscard]] bool begun() const { return begun_; }

 private:
  // What is there now, as ADDED events; sent once the answer has begun. The revision it shows.
  Result<uint64_t> send_everything() {
    const Store::Listing listing = TRY(store_.list(request_.prefix));
    for (const Object& object : listing.objects) {
      if (matches(object)) backlog_.push_back(line_of("ADDED", object));
    }
    if (request_.initial_events) {
      backlog_.push_back(bookmark(listing.revision, json::object{{"k8s.io/initial-events-end", "true"}}));
    }
    return listing.revision;
  }

  Status follow(uint64_t seen, BootTime end) {
    const std::stop_token stop = responder_.stop();
    BootTime quiet_since = clock_.boottime();
    while (!stop.stop_requested() && clock_.boottime() < end) {
      const Result<std::vector<StoreEvent>> events = store_.events_after(request_.prefix, seen, seen);
      if (!events.ok()) {
        TRY(responder_.write(line("ERROR", failure_status(events.error()))));
        return responder_.end();
      }
      bool sent = false;
      for (const StoreEvent& event : *events) sent = TRY(send(event)) || sent;
      if (sent) quiet_since = clock_.boottime();
      if (request_.bookmarks && clock_.boottime() - quiet_since >= kBookmarkEvery) {
        TRY(responder_.write(bookmark(seen, {})));
        quiet_since = clock_.boottime();
      }
      Duration pause = end - clock_.boottime();
      if (request_.bookmarks) pause = std::min(pause, kBookmarkEvery - (clock_.boottime() - quiet_since));
      if (pause > Duration::zero()) store_.wait_beyond(seen, stop, pause);
    }
    return responder_.end();
  }

  [[nodiscard]] bool matches(const Object& object) const {
    return object && request_.labels.matches_object(*object) && request_.fields.matches(*object);
  }

  // An object that begins or ceases to match is added or deleted as far as this watch is concerned.
  Result<bool> send(const StoreEvent& event) {
    const bool was = matches(event.previous);
    const bool is = event.kind != StoreEvent::Kind::deleted && matches(event.object);
    if (!was && !is) return false;
    if (is) {
      TRY(responder_.write(line_of(was ? "MODIFIED" : "ADDED", event.object)));
      return true;
    }
    // The last state that matched, with the revision of the change that ended it.
    json::value last = *event.previous;
    json::set(last.as_object(), {"metadata", "resourceVersion"}, std::to_string(event.revision));
    TRY(responder_.write(line_of("DELETED", std::make_shared<const json::value>(std::move(last)))));
    return true;
  }

  std::string line_of(const char* type, const Object& object) {
    json::value shown = represent(request_.form, kind_, object, clock_.now());
    if (request_.form.form == Form::table) {
      if (columns_sent_) shown.as_object()["columnDefinitions"] = nullptr;
      columns_sent_ = true;
    }
    return line(type, std::move(shown));
  }

  static std::string line(const char* type, json::value object) {
    return json::compact(json::object{{"type", type}, {"object", std::move(object)}}) + "\n";
  }

  std::string bookmark(uint64_t revision, const json::object& annotations) const {
    json::object meta{{"resourceVersion", std::to_string(revision)}, {"creationTimestamp", nullptr}};
    if (!annotations.empty()) meta["annotations"] = annotations;
    if (request_.form.form == Form::table) {
      return line("BOOKMARK", json::object{{"kind", "Table"},
                                           {"apiVersion", request_.form.group_version},
                                           {"metadata", meta},
                                           {"columnDefinitions", nullptr},
                                           {"rows", json::array{}}});
    }
    return line("BOOKMARK",
                json::object{{"kind", kind_.kind}, {"apiVersion", kind_.group_version()}, {"metadata", meta}});
  }

  const Store& store_;
  const ResourceKind& kind_;
  const WatchRequest& request_;
  Clock& clock_;
  net::Responder& responder_;
  std::vector<std::string> backlog_;
  bool begun_ = false;
  bool columns_sent_ = false;
};

}  // namespace

void serve_watch(const Store& store, const ResourceKind& kind, const WatchRequest& request, Clock& clock,
                 net::Responder& responder) {
  WatchStream stream(store, kind, request, clock, responder);
  const Status ended = stream.run();
  if (!ended.ok() && !stream.begun()) {
    (void)responder
        .reply(http_status(ended.error()), {{"Content-Type", "application/json"}},
               json::compact(failure_status(ended.error())))
        .ok();
  }
}

}  // namespace holdfast::sandbox
