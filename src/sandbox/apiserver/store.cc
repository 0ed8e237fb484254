#include "sandbox/apiserver/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::sandbox {

namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

Object stamped(json::value object, uint64_t revision) {
  json::set(object.as_object(), {"metadata", "resourceVersion"}, std::to_string(revision));
  return std::make_shared<const json::value>(std::move(object));
}

Error gone(uint64_t revision) {
  return Error(ErrorCode::conflict, fmt::format("too old resource version: {}", revision), "Expired");
}

}  // namespace

uint64_t revision_of(const json::value& object) {
  const Result<int64_t> number = parse_int(json::string_at(object, {"metadata", "resourceVersion"}, "0"));
  return number.ok() && *number > 0 ? static_cast<uint64_t>(*number) : 0;
}

Result<std::unique_ptr<Store>> Store::open(StoreOptions options) {
  std::unique_ptr<Store> store(new Store(std::move(options)));
  store->log_ = TRY(StoreLog::open(store->options_.directory, [&](StoreRecord record, StoreLog::From from) {
    store->apply(std::move(record));
    if (from == StoreLog::From::snapshot) store->history_.clear();  // what was before is not in it
  }));
  return store;
}

void Store::apply(StoreRecord record) {
  StoreEvent event{.kind = StoreEvent::Kind::added,
                   .revision = record.revision,
                   .key = record.key,
                   .object = record.object,
                   .previous = nullptr};
  const auto found = objects_.find(record.key);
  if (found != objects_.end()) {
    event.previous = found->second;
    event.kind = StoreEvent::Kind::modified;
  }
  if (record.object) {
    objects_[record.key] = record.object;
  } else {
    event.kind = StoreEvent::Kind::deleted;
    if (event.previous) event.object = stamped(*event.previous, record.revision);
    objects_.erase(record.key);
  }
  revision_ = record.revision;
  if (event.object) history_.push_back(std::move(event));
  if (history_.size() > options_.history_max) history_.pop_front();
}

uint64_t Store::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

Object Store::get(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second;
}

// What keys held at `at` that hold something else now; null: they did not exist.
Result<std::map<std::string, Object>> Store::differences_since(std::string_view prefix, uint64_t at) const {
  std::map<std::string, Object> before;
  if (at > revision_) return Error(ErrorCode::invalid, fmt::format("revision {} is still to come", at), "BadRequest");
  if (at == revision_) return before;
  if (history_.empty() || at + 1 < history_.front().revision) return gone(at);
  for (size_t i = at + 1 - history_.front().revision; i < history_.size(); ++i) {
    const StoreEvent& event = history_[i];
    if (starts_with(event.key, prefix)) before.emplace(event.key, event.previous);
  }
  return before;
}

Result<Store::Listing> Store::list(std::string_view prefix, const std::string& after, size_t limit, uint64_t at) const {
  const std::lock_guard lock(mutex_);
  Listing listing;
  listing.revision = at == 0 ? revision_ : at;
  const std::map<std::string, Object> before = TRY(differences_since(prefix, listing.revision));
  auto current = objects_.lower_bound(std::max<std::string>(after, std::string(prefix)));
  auto old = before.lower_bound(std::max<std::string>(after, std::string(prefix)));
  const auto add = [&](const std::string& key, const Object& object) {
    if (!object || key == after) return;
    if (limit != 0 && listing.objects.size() == limit) {
      ++listing.remaining;
      return;
    }
    listing.objects.push_back(object);
    listing.last_key = key;
  };
  // Two ordered walks at once: where both know a key, the old state counts.
  while (true) {
    const bool has_current = current != objects_.end() && starts_with(current->first, prefix);
    const bool has_old = old != before.end() && starts_with(old->first, prefix);
    if (!has_current && !has_old) break;
    if (has_old && (!has_current || old->first <= current->first)) {
      if (has_current && old->first == current->first) ++current;
      add(old->first, old->second);
      ++old;
    } else {
      add(current->first, current->second);
      ++current;
    }
  }
  if (listing.remaining == 0) listing.last_key.clear();
  return listing;
}

Result<Object> Store::put(const std::string& key, json::value object, uint64_t expected) {
  Object written;
  {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (expected == 0 && found != objects_.end()) return Error(ErrorCode::exists, key + " exists already");
    if (expected != 0 && found == objects_.end()) return Error(ErrorCode::not_found, key + " is gone");
    if (expected != 0 && revision_of(*found->second) != expected) {
      return Error(ErrorCode::conflict, key + " has been changed");
    }
    written = stamped(std::move(object), revision_ + 1);
    TRY(commit({.revision = revision_ + 1, .key = key, .object = written}));
  }
  changed_.notify_all();
  return written;
}

Result<Object> Store::remove(const std::string& key, uint64_t expected) {
  Object removed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return Error(ErrorCode::not_found, key + " is gone");
    if (revision_of(*found->second) != expected) return Error(ErrorCode::conflict, key + " has been changed");
    TRY(commit({.revision = revision_ + 1, .key = key, .object = nullptr}));
    removed = history_.back().object;
  }
  changed_.notify_all();
  return removed;
}

Status Store::commit(StoreRecord record) {
  TRY(log_->append(record));
  apply(std::move(record));
  compact_if_long();
  return {};
}

// A compaction that fails leaves the old generation in use, or makes the log refuse the next write: either way the
// change just made stands.
void Store::compact_if_long() {
  if (log_->log_bytes() < options_.log_max) return;
  std::vector<StoreRecord> live;
  for (const auto& [key, object] : objects_) {
    live.push_back({.revision = revision_of(*object), .key = key, .object = object});
  }
  std::sort(live.begin(), live.end(), [](const auto& a, const auto& b) { return a.revision < b.revision; });
  // The counter itself must survive when the newest change was a deletion.
  if (live.empty() || live.back().revision < revision_) {
    live.push_back({.revision = revision_, .key = "deleted//", .object = nullptr});
  }
  (void)log_->compact(live).ok();
}

Result<std::vector<StoreEvent>> Store::events_after(std::string_view prefix, uint64_t revision, uint64_t& seen) const {
  const std::lock_guard lock(mutex_);
  std::vector<StoreEvent> events;
  seen = std::max(revision, revision_);
  if (revision >= revision_) return events;
  if (history_.empty() || revision + 1 < history_.front().revision) return gone(revision);
  for (size_t i = revision + 1 - history_.front().revision; i < history_.size(); ++i) {
    if (starts_with(history_[i].key, prefix)) events.push_back(history_[i]);
  }
  return events;
}

bool Store::wait_beyond(uint64_t revision, const std::stop_token& stop, Duration limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, stop, limit, [&] { return revision_ > revision; });
}

}  // namespace holdfast::sandbox
