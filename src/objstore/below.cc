#include "objstore/decorators.h"

namespace holdfast::objstore {

namespace {

class PrefixedStore final : public Store {
 public:
  PrefixedStore(std::shared_ptr<Store> inner, std::string prefix)
      : inner_(std::move(inner)), prefix_(std::move(prefix)) {}

  std::set<Capability> capabilities() const override { return inner_->capabilities(); }
  std::string name() const override { return inner_->name() + "/" + prefix_.substr(0, prefix_.size() - 1); }

  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    return inner_->get(TRY(inside(key)), range, std::move(stop));
  }
  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    const std::string whole = TRY(inside(key));
    ObjectMeta meta = TRY(inner_->head(whole, std::move(stop)));
    meta.key = key;
    return meta;
  }
  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    return inner_->put(TRY(inside(key)), bytes, std::move(stop));
  }
  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    return inner_->put_if_absent(TRY(inside(key)), bytes, std::move(stop));
  }
  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    ListRequest whole = request;
    whole.prefix = prefix_ + request.prefix;
    ListPage page = TRY(inner_->list(whole, std::move(stop)));
    for (ObjectMeta& object : page.objects) object.key.erase(0, prefix_.size());
    for (std::string& prefix : page.prefixes) prefix.erase(0, prefix_.size());
    return page;
  }
  Status remove(const std::string& key, std::stop_token stop) override {
    return inner_->remove(TRY(inside(key)), std::move(stop));
  }
  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    return inner_->start_upload(TRY(inside(key)), std::move(stop));
  }
  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    return inner_->presign_get(TRY(inside(key)), valid);
  }

 private:
  /// A wrong key is refused before the prefix could make a right one of it.
  Result<std::string> inside(const std::string& key) const {
    TRY(check_key(key).in(name()));
    return prefix_ + key;
  }

  const std::shared_ptr<Store> inner_;
  const std::string prefix_;
};

}  // namespace

Result<std::shared_ptr<Store>> below(std::shared_ptr<Store> inner, const std::string& prefix) {
  std::string text = prefix;
  while (text.ends_with('/')) text.pop_back();
  if (text.empty()) return inner;
  TRY(check_key(text).in("prefix " + prefix));
  return std::shared_ptr<Store>(std::make_shared<PrefixedStore>(std::move(inner), text + "/"));
}

}  // namespace holdfast::objstore
