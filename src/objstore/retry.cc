#include "objstore/decorators.h"

namespace holdfast::objstore {

namespace {

class RetryStore final : public Store {
 public:
  RetryStore(std::shared_ptr<Store> inner, sync::RetrySchedule schedule, Clock& clock)
      : inner_(std::move(inner)), schedule_(schedule), clock_(clock) {}

  std::set<Capability> capabilities() const override { return inner_->capabilities(); }
  std::string name() const override { return inner_->name(); }

  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    return repeat<std::string>(stop, [&] { return inner_->get(key, range, stop); });
  }
  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    return repeat<ObjectMeta>(stop, [&] { return inner_->head(key, stop); });
  }
  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    return sync::retry(schedule_, clock_, stop, [&] { return inner_->put(key, bytes, stop); });
  }
  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    return inner_->put_if_absent(key, bytes, std::move(stop));
  }
  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    return repeat<ListPage>(stop, [&] { return inner_->list(request, stop); });
  }
  Status remove(const std::string& key, std::stop_token stop) override {
    return sync::retry(schedule_, clock_, stop, [&] { return inner_->remove(key, stop); });
  }
  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    return repeat<std::unique_ptr<Upload>>(stop, [&] { return inner_->start_upload(key, stop); });
  }
  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    return inner_->presign_get(key, valid);
  }

 private:
  template <typename T>
  Result<T> repeat(const std::stop_token& stop, const std::function<Result<T>()>& attempt) {
    return sync::retry_value<T>(schedule_, clock_, stop, attempt);
  }

  const std::shared_ptr<Store> inner_;
  const sync::RetrySchedule schedule_;
  Clock& clock_;
};

}  // namespace

std::shared_ptr<Store> with_retry(std::shared_ptr<Store> inner, sync::RetrySchedule schedule, Clock& clock) {
  return std::make_shared<RetryStore>(std::move(inner), schedule, clock);
}

}  // namespace holdfast::objstore
