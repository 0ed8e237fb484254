#include "objstore/mem.h"

#include <fmt/format.h>

#include "objstore/keys.h"

namespace holdfast::objstore {

class MemStore::MemUpload final : public Upload {
 public:
  MemUpload(MemStore& store, std::string key, std::stop_token stop)
      : store_(store), key_(std::move(key)), stop_(std::move(stop)) {}
  Status write(std::string_view bytes) override {
    TRY(store_.check("upload", key_, stop_));
    bytes_.append(bytes);
    return {};
  }
  Status finish() override { return store_.put(key_, bytes_, stop_); }

 private:
  MemStore& store_;
  const std::string key_;
  const std::stop_token stop_;
  std::string bytes_;
};

Error MemStore::failure(ErrorCode code, std::string_view act, const std::string& key, std::string message) const {
  return Error(code, std::move(message)).in(fmt::format("{} {}/{}", act, name(), key));
}

Status MemStore::check(std::string_view act, const std::string& key, const std::stop_token& stop) const {
  TRY(check_key(key).in(fmt::format("{} {}", act, name())));
  if (stop.stop_requested()) return failure(ErrorCode::cancelled, act, key, "stopped");
  return {};
}

ObjectMeta MemStore::meta_of(const std::string& key, const Object& object) const {
  return {key, object.bytes.size(), object.modified, fmt::format("{:016x}", object.version)};
}

std::set<Capability> MemStore::capabilities() const {
  return {Capability::conditional_put, Capability::multipart};
}

Result<std::string> MemStore::get(const std::string& key, std::optional<Range> range, std::stop_token stop) {
  TRY(check("get", key, stop));
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return failure(ErrorCode::not_found, "get", key, "there is no such object");
  const std::string& bytes = found->second.bytes;
  const Window window = TRY(window_of(range, bytes.size()).in(fmt::format("get {}/{}", name(), key)));
  return bytes.substr(window.offset, window.length);
}

Result<ObjectMeta> MemStore::head(const std::string& key, std::stop_token stop) {
  TRY(check("head", key, stop));
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return failure(ErrorCode::not_found, "head", key, "there is no such object");
  return meta_of(key, found->second);
}

Status MemStore::put(const std::string& key, std::string_view bytes, std::stop_token stop) {
  TRY(check("put", key, stop));
  const Time now = clock_.now();
  const std::lock_guard lock(mutex_);
  objects_[key] = {std::string(bytes), now, ++versions_};
  return {};
}

Status MemStore::put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) {
  TRY(check("put_if_absent", key, stop));
  const Time now = clock_.now();
  const std::lock_guard lock(mutex_);
  const bool fresh = objects_.try_emplace(key, Object{std::string(bytes), now, versions_ + 1}).second;
  if (!fresh) return failure(ErrorCode::exists, "put_if_absent", key, "the object exists");
  ++versions_;
  return {};
}

Result<ListPage> MemStore::list(const ListRequest& request, std::stop_token stop) {
  TRY(check_list(request).in(name()));
  if (stop.stop_requested()) return failure(ErrorCode::cancelled, "list", request.prefix, "stopped");
  PageBuilder page(request);
  const std::lock_guard lock(mutex_);
  for (auto at = objects_.lower_bound(request.prefix); at != objects_.end(); ++at) {
    if (!at->first.starts_with(request.prefix) || !page.offer(meta_of(at->first, at->second))) break;
  }
  return page.take();
}

Status MemStore::remove(const std::string& key, std::stop_token stop) {
  TRY(check("remove", key, stop));
  const std::lock_guard lock(mutex_);
  objects_.erase(key);
  return {};
}

Result<std::unique_ptr<Upload>> MemStore::start_upload(const std::string& key, std::stop_token stop) {
  TRY(check("upload", key, stop));
  return std::unique_ptr<Upload>(std::make_unique<MemUpload>(*this, key, std::move(stop)));
}

Result<std::string> MemStore::presign_get(const std::string& key, Duration) {
  return failure(ErrorCode::unsupported, "presign", key, "objects in memory have no URL");
}

std::map<std::string, std::string> MemStore::contents() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> out;
  for (const auto& [key, object] : objects_) out.emplace(key, object.bytes);
  return out;
}

}  // namespace holdfast::objstore
