// The object store contract: every bucket, directory and test double looks like this.
//
// Keys are UTF-8 paths with '/' and without leading '/', "." or ".." parts; a wrong key is `invalid`. Objects are
// whole: a reader sees all of an old object or all of a new one, never a mix; what a successful call put survives a
// crash. Every member may be called from any thread. Errors by what the caller can do: not_found, exists (put_if_absent
// only), denied, unavailable and timeout (may be tried again; the act may have happened), exhausted, corrupt,
// unsupported (a capability that is not there), invalid. Drivers do not retry; the retry decorator does, and never
// put_if_absent.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::objstore {

enum class Capability {
  conditional_put,  ///< put_if_absent is atomic: of two racing puts exactly one wins (proved by probe(), safety.md 1)
  multipart,        ///< start_upload streams; without it the upload is held in memory
  presign,          ///< presign_get works
};

struct Range {
  uint64_t offset = 0;
  std::optional<uint64_t> length = {};  ///< to the end where missing
};

struct ObjectMeta {
  std::string key;
  uint64_t size = 0;
  Time modified = {};
  std::string etag = {};  ///< opaque; empty where the store has none
};

struct ListRequest {
  std::string prefix = {};     ///< "" lists everything
  std::string delimiter = {};  ///< "" or "/"
  std::string after = {};      ///< `next` of the page before
  size_t limit = 1000;         ///< at most this many objects and prefixes together; 1..1000
};
struct ListPage {
  std::vector<ObjectMeta> objects = {};    ///< in key order
  std::vector<std::string> prefixes = {};  ///< common prefixes up to and with the delimiter, in order
  std::string next = {};                   ///< empty: this was the last page
};

/// An object written in pieces. It appears whole at finish() and not at all otherwise; dropping the Upload aborts it.
class Upload {
 public:
  virtual ~Upload() = default;
  [[nodiscard]] virtual Status write(std::string_view bytes) = 0;
  [[nodiscard]] virtual Status finish() = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual std::set<Capability> capabilities() const = 0;
  [[nodiscard]] bool can(Capability capability) const { return capabilities().contains(capability); }
  /// "s3://bucket/prefix" or "file:///path": for messages.
  [[nodiscard]] virtual std::string name() const = 0;

  /// The object, or the part of it that lies inside the range (`invalid` where the range starts behind its end).
  [[nodiscard]] virtual Result<std::string> get(const std::string& key, std::optional<Range> range = {},
                                                std::stop_token stop = {}) = 0;
  [[nodiscard]] virtual Result<ObjectMeta> head(const std::string& key, std::stop_token stop = {}) = 0;
  /// Writes or replaces.
  [[nodiscard]] virtual Status put(const std::string& key, std::string_view bytes, std::stop_token stop = {}) = 0;
  /// Writes, or `exists`. After timeout or unavailable only reading back tells who won.
  [[nodiscard]] virtual Status put_if_absent(const std::string& key, std::string_view bytes,
                                             std::stop_token stop = {}) = 0;
  [[nodiscard]] virtual Result<ListPage> list(const ListRequest& request, std::stop_token stop = {}) = 0;
  /// Deleting what is not there is a success.
  [[nodiscard]] virtual Status remove(const std::string& key, std::stop_token stop = {}) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Upload>> start_upload(const std::string& key,
                                                                     std::stop_token stop = {}) = 0;
  /// A URL that gives the object to anyone who holds it, for that long.
  [[nodiscard]] virtual Result<std::string> presign_get(const std::string& key, Duration valid) = 0;
};

/// Every object below a prefix, all pages. The whole list is held in memory.
[[nodiscard]] Result<std::vector<ObjectMeta>> list_all(Store& store, const std::string& prefix,
                                                       std::stop_token stop = {});
/// Checks a key against the rules above.
[[nodiscard]] Status check_key(std::string_view key);

}  // namespace holdfast::objstore
