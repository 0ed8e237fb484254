// A store in memory with the semantics of a real one: for tests and for trying things out.
#pragma once

#include <map>
#include <mutex>

#include "objstore/store.h"

namespace holdfast::objstore {

class MemStore final : public Store {
 public:
  explicit MemStore(std::string bucket = "test", Clock& clock = system_clock())
      : bucket_(std::move(bucket)), clock_(clock) {}

  [[nodiscard]] std::set<Capability> capabilities() const override;
  [[nodiscard]] std::string name() const override { return "mem://" + bucket_; }
  [[nodiscard]] Result<std::string> get(const std::string& key, std::optional<Range> range = {},
                                        std::stop_token stop = {}) override;
  [[nodiscard]] Result<ObjectMeta> head(const std::string& key, std::stop_token stop = {}) override;
  [[nodiscard]] Status put(const std::string& key, std::string_view bytes, std::stop_token stop = {}) override;
  [[nodiscard]] Status put_if_absent(const std::string& key, std::string_view bytes,
                                     std::stop_token stop = {}) override;
  [[nodiscard]] Result<ListPage> list(const ListRequest& request, std::stop_token stop = {}) override;
  [[nodiscard]] Status remove(const std::string& key, std::stop_token stop = {}) override;
  [[nodiscard]] Result<std::unique_ptr<Upload>> start_upload(const std::string& key,
                                                             std::stop_token stop = {}) override;
  [[nodiscard]] Result<std::string> presign_get(const std::string& key, Duration valid) override;

  /// Everything inside, for comparing in tests.
  [[nodiscard]] std::map<std::string, std::string> contents() const;

 private:
  struct Object {
    std::string bytes;
    Time modified;
    uint64_t version = 0;
  };
  class MemUpload;
  [[nodiscard]] Error failure(ErrorCode code, std::string_view act, const std::string& key, std::string message) const;
  [[nodiscard]] Status check(std::string_view act, const std::string& key, const std::stop_token& stop) const;
  [[nodiscard]] ObjectMeta meta_of(const std::string& key, const Object& object) const;

  const std::string bucket_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  uint64_t versions_ = 0;
};

}  // namespace holdfast::objstore
