// For tests: a store whose conditional put is what a test makes of it; all else goes to the store behind it.
#pragma once

#include <functional>

#include "objstore/store.h"

namespace holdfast::objstore {

class OddStore final : public Store {
 public:
  using PutIfAbsent = std::function<Status(Store& inner, const std::string& key, std::string_view bytes)>;
  OddStore(std::shared_ptr<Store> inner, PutIfAbsent act) : inner_(std::move(inner)), act_(std::move(act)) {}
  /// One that overwrites, as some S3 servers do.
  [[nodiscard]] static std::shared_ptr<Store> overwriting(std::shared_ptr<Store> inner) {
    return std::make_shared<OddStore>(std::move(inner), [](Store& store, const std::string& key,
                                                           std::string_view bytes) { return store.put(key, bytes); });
  }
  /// One that knows no condition and says so.
  [[nodiscard]] static std::shared_ptr<Store> refusing(std::shared_ptr<Store> inner) {
    return std::make_shared<OddStore>(std::move(inner), [](Store&, const std::string&, std::string_view) -> Status {
      return Error(ErrorCode::unsupported, "501 NotImplemented");
    });
  }

  std::set<Capability> capabilities() const override { return inner_->capabilities(); }
  std::string name() const override { return "odd"; }
  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    return inner_->get(key, range, std::move(stop));
  }
  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    return inner_->head(key, std::move(stop));
  }
  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    return inner_->put(key, bytes, std::move(stop));
  }
  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token) override {
    return act_(*inner_, key, bytes);
  }
  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    return inner_->list(request, std::move(stop));
  }
  Status remove(const std::string& key, std::stop_token stop) override { return inner_->remove(key, std::move(stop)); }
  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    return inner_->start_upload(key, std::move(stop));
  }
  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    return inner_->presign_get(key, valid);
  }

 private:
  const std::shared_ptr<Store> inner_;
  const PutIfAbsent act_;
};

}  // namespace holdfast::objstore
