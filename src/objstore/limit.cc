#include <condition_variable>
#include <mutex>

#include "objstore/decorators.h"

namespace holdfast::objstore {

namespace {

/// Bytes at a steady rate: each caller reserves the time its bytes take behind those before it, and sleeps until its
/// own begins.
class Pacer {
 public:
  Pacer(uint64_t bytes_per_second, Clock& clock) : rate_(bytes_per_second), clock_(clock) {}

  Status pass(size_t bytes, const std::stop_token& stop) {
    if (rate_ == 0 || bytes == 0) return {};
    Duration wait{};
    {
      const std::lock_guard lock(mutex_);
      const BootTime now = clock_.boottime();
      const BootTime begin = std::max(free_at_, now);
      const double seconds = static_cast<double>(bytes) / static_cast<double>(rate_);
      free_at_ = begin + Duration(static_cast<int64_t>(seconds * 1e9));
      wait = begin - now;
    }
    return clock_.sleep(stop, wait);
  }

 private:
  const uint64_t rate_;
  Clock& clock_;
  std::mutex mutex_;
  BootTime free_at_;
};

/// So many operations at once, no more.
class Gate {
 public:
  explicit Gate(size_t width) : width_(width) {}

  Status enter(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!left_.wait(lock, stop, [&] { return width_ == 0 || inside_ < width_; })) {
      return Error(ErrorCode::cancelled, "stopped while waiting for other operations");
    }
    ++inside_;
    return {};
  }
  void leave() {
    {
      const std::lock_guard lock(mutex_);
      --inside_;
    }
    left_.notify_one();
  }

 private:
  const size_t width_;
  std::mutex mutex_;
  std::condition_variable_any left_;
  size_t inside_ = 0;
};

class Pass {
 public:
  static Result<std::unique_ptr<Pass>> through(Gate& gate, const std::stop_token& stop) {
    TRY(gate.enter(stop));
    return std::unique_ptr<Pass>(new Pass(gate));
  }
  ~Pass() { gate_.leave(); }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

 private:
  explicit Pass(Gate& gate) : gate_(gate) {}
  Gate& gate_;
};

struct Shared {
  Shared(const Limits& limits, Clock& clock)
      : up(limits.bytes_per_second, clock), down(limits.bytes_per_second, clock), gate(limits.operations) {}
  Pacer up;
  Pacer down;
  Gate gate;
};

/// Each write passes by itself: an upload that rests keeps nobody out.
class LimitedUpload final : public Upload {
 public:
  LimitedUpload(std::unique_ptr<Upload> inner, std::shared_ptr<Shared> shared, std::stop_token stop)
      : inner_(std::move(inner)), shared_(std::move(shared)), stop_(std::move(stop)) {}
  Status write(std::string_view bytes) override {
    TRY(shared_->up.pass(bytes.size(), stop_));
    const auto pass = TRY(Pass::through(shared_->gate, stop_));
    return inner_->write(bytes);
  }
  Status finish() override {
    const auto pass = TRY(Pass::through(shared_->gate, stop_));
    return inner_->finish();
  }

 private:
  std::unique_ptr<Upload> inner_;
  std::shared_ptr<Shared> shared_;
  std::stop_token stop_;
};

class LimitStore final : public Store {
 public:
  LimitStore(std::shared_ptr<Store> inner, const Limits& limits, Clock& clock)
      : inner_(std::move(inner)), shared_(std::make_shared<Shared>(limits, clock)) {}

  std::set<Capability> capabilities() const override { return inner_->capabilities(); }
  std::string name() const override { return inner_->name(); }

  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    std::string bytes;
    {
      const auto pass = TRY(Pass::through(shared_->gate, stop));
      bytes = TRY(inner_->get(key, range, stop));
    }
    // What has come is paid for by the next one's wait.
    TRY(shared_->down.pass(bytes.size(), stop));
    return bytes;
  }
  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    const auto pass = TRY(Pass::through(shared_->gate, stop));
    return inner_->head(key, stop);
  }
  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(shared_->up.pass(bytes.size(), stop));
    const auto pass = TRY(Pass::through(shared_->gate, stop));
    return inner_->put(key, bytes, stop);
  }
  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(shared_->up.pass(bytes.size(), stop));
    const auto pass = TRY(Pass::through(shared_->gate, stop));
    return inner_->put_if_absent(key, bytes, stop);
  }
  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    const auto pass = TRY(Pass::through(shared_->gate, stop));
    return inner_->list(request, stop);
  }
  Status remove(const std::string& key, std::stop_token stop) override {
    const auto pass = TRY(Pass::through(shared_->gate, stop));
    return inner_->remove(key, stop);
  }
  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    const auto pass = TRY(Pass::through(shared_->gate, stop));
    std::unique_ptr<Upload> upload = TRY(inner_->start_upload(key, stop));
    return std::unique_ptr<Upload>(std::make_unique<LimitedUpload>(std::move(upload), shared_, std::move(stop)));
  }
  Result<std::string> presign_get(const std::string& key, Duration valid) override {
    return inner_->presign_get(key, valid);
  }

 private:
  const std::shared_ptr<Store> inner_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace

std::shared_ptr<Store> with_limits(std::shared_ptr<Store> inner, Limits limits, Clock& clock) {
  return std::make_shared<LimitStore>(std::move(inner), limits, clock);
}

}  // namespace holdfast::objstore
