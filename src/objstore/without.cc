#include "objstore/decorators.h"

namespace holdfast::objstore {

namespace {

class LesserStore final : public Store {
 public:
  LesserStore(std::shared_ptr<Store> inner, std::set<Capability> missing)
      : inner_(std::move(inner)), missing_(std::move(missing)) {}

  std::set<Capability> capabilities() const override {
    std::set<Capability> left = inner_->capabilities();
    for (const Capability capability : missing_) left.erase(capability);
    return left;
  }
  std::string name() const override { return inner_->name(); }

  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    return inner_->get(key, range, std::move(stop));
  }
  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    return inner_->head(key, std::move(stop));
  }
  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    return inner_->put(key, bytes, std::move(stop));
  }
  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(check_key(key).in(name()));
    if (missing_.contains(Capability::conditional_put)) {
      return Error(ErrorCode::unsupported,
                   "put_if_absent " + name() + "/" + key + ": the store has no conditional put");
    }
    return inner_->put_if_absent(key, bytes, std::move(stop));
  }
  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    return inner_->list(request, std::move(stop));
  }
  Status remove(const std::string& key, std::stop_token stop) override { return inner_->remove(key, std::move(stop)); }
  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    return inner_->start_upload(key, std::move(stop));
  }
  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    if (missing_.contains(Capability::presign)) {
      return Error(ErrorCode::unsupported, "presign " + name() + "/" + key + ": the store signs no URLs");
    }
    return inner_->presign_get(key, valid);
  }

 private:
  const std::shared_ptr<Store> inner_;
  const std::set<Capability> missing_;
};

}  // namespace

std::shared_ptr<Store> without(std::shared_ptr<Store> inner, std::set<Capability> missing) {
  return std::make_shared<LesserStore>(std::move(inner), std::move(missing));
}

}  // namespace holdfast::objstore
