#include "objstore/fault.h"

#include <fmt/format.h>

namespace holdfast::objstore {

std::string_view to_string(Operation operation) {
  switch (operation) {
    case Operation::get:
      return "get";
    case Operation::head:
      return "head";
    case Operation::put:
      return "put";
    case Operation::put_if_absent:
      return "put_if_absent";
    case Operation::list:
      return "list";
    case Operation::remove:
      return "remove";
    case Operation::start_upload:
      return "start_upload";
    case Operation::upload_write:
      return "upload_write";
    case Operation::upload_finish:
      return "upload_finish";
    case Operation::presign:
      return "presign";
  }
  return "unknown";
}

/// The faults and what they have seen; outlives the store in the hands of uploads.
class FaultStore::Script {
 public:
  /// What the call that came in has to suffer.
  struct Verdict {
    std::optional<Error> before = {};  ///< fails with it instead of acting
    std::optional<Error> after = {};   ///< acts, then fails with it
    bool truncate = false;
  };

  Verdict judge(Operation operation, const std::string& key, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++calls_;
    log_.push_back(fmt::format("{} {}", to_string(operation), key));
    const std::string what = log_.back();
    if (crashed_) return {.before = Error(ErrorCode::unavailable, what + ": the store is gone (fault)")};
    Verdict verdict;
    for (Armed& armed : faults_) {
      if (hits(armed, operation, key)) suffer(armed.fault, what, lock, stop, verdict);
    }
    return verdict;
  }

  void add(Fault fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back({std::move(fault)});
  }
  void reset() {
    {
      const std::lock_guard lock(mutex_);
      faults_.clear();
      log_.clear();
      calls_ = 0;
      crashed_ = false;
    }
    release();
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      ++releases_;
    }
    changed_.notify_all();
  }
  void wait_for_stalled(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stalled_ >= count; });
  }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::vector<std::string> log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  bool crashed() const {
    const std::lock_guard lock(mutex_);
    return crashed_;
  }

 private:
  struct Armed {
    Fault fault;
    int seen = 0;
  };

  static bool hits(Armed& armed, Operation operation, const std::string& key) {
    if (armed.fault.operation && *armed.fault.operation != operation) return false;
    if (key.find(armed.fault.key) == std::string::npos) return false;
    ++armed.seen;
    return armed.fault.call == 0 || armed.fault.call == armed.seen;
  }

  void suffer(const Fault& fault, const std::string& what, std::unique_lock<std::mutex>& lock,
              const std::stop_token& stop, Verdict& verdict) {
    const Error error(fault.code, what + ": failed by order (fault)");
    switch (fault.kind) {
      case Fault::Kind::refuse:
        verdict.before = error;
        return;
      case Fault::Kind::lost_answer:
        verdict.after = error;
        return;
      case Fault::Kind::truncate:
        verdict.truncate = true;
        return;
      case Fault::Kind::crash:
        crashed_ = true;
        verdict.before = error;
        return;
      case Fault::Kind::crash_after:
        crashed_ = true;
        verdict.after = error;
        return;
      case Fault::Kind::stall:
        wait_for_release(what, lock, stop, verdict);
        return;
    }
  }

  void wait_for_release(const std::string& what, std::unique_lock<std::mutex>& lock, const std::stop_token& stop,
                        Verdict& verdict) {
    const int before = releases_;
    ++stalled_;
    changed_.notify_all();
    const bool released = changed_.wait(lock, stop, [&] { return releases_ != before; });
    --stalled_;
    if (!released) verdict.before = Error(ErrorCode::cancelled, what + ": stopped");
  }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Armed> faults_;
  std::vector<std::string> log_;
  int calls_ = 0;
  int releases_ = 0;
  int stalled_ = 0;
  bool crashed_ = false;
};

/// An upload that crashed is neither finished nor aborted: dropping it must not reach the inner store's abort any more
/// than a dead process would. Stores show unfinished uploads to nobody, so letting the inner one go is the same.
class FaultStore::FaultUpload final : public Upload {
 public:
  FaultUpload(std::unique_ptr<Upload> inner, std::shared_ptr<Script> script, std::string key, std::stop_token stop)
      : inner_(std::move(inner)), script_(std::move(script)), key_(std::move(key)), stop_(std::move(stop)) {}

  Status write(std::string_view bytes) override {
    Script::Verdict verdict = script_->judge(Operation::upload_write, key_, stop_);
    if (verdict.before) return std::move(*verdict.before);
    Status status = inner_->write(bytes);
    return verdict.after ? Status(std::move(*verdict.after)) : std::move(status);
  }
  Status finish() override {
    Script::Verdict verdict = script_->judge(Operation::upload_finish, key_, stop_);
    if (verdict.before) return std::move(*verdict.before);
    Status status = inner_->finish();
    return verdict.after ? Status(std::move(*verdict.after)) : std::move(status);
  }

 private:
  std::unique_ptr<Upload> inner_;
  const std::shared_ptr<Script> script_;
  const std::string key_;
  const std::stop_token stop_;
};

FaultStore::FaultStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)), script_(std::make_shared<Script>()) {}

FaultStore::~FaultStore() {
  script_->release();
}

void FaultStore::add(Fault fault) {
  script_->add(std::move(fault));
}
void FaultStore::crash_at(int n, Fault::Kind kind) {
  script_->add({.call = n, .kind = kind});
}
void FaultStore::reset() {
  script_->reset();
}
void FaultStore::release() {
  script_->release();
}
void FaultStore::wait_for_stalled(int count) {
  script_->wait_for_stalled(count);
}
int FaultStore::calls() const {
  return script_->calls();
}
std::vector<std::string> FaultStore::log() const {
  return script_->log();
}
bool FaultStore::crashed() const {
  return script_->crashed();
}

Result<std::string> FaultStore::get(const std::string& key, std::optional<Range> range, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::get, key, stop);
  if (verdict.before) return std::move(*verdict.before);
  Result<std::string> bytes = inner_->get(key, range, std::move(stop));
  if (verdict.after) return std::move(*verdict.after);
  if (bytes && verdict.truncate) bytes->resize(bytes->size() / 2);
  return bytes;
}

Result<ObjectMeta> FaultStore::head(const std::string& key, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::head, key, stop);
  if (verdict.before) return std::move(*verdict.before);
  Result<ObjectMeta> meta = inner_->head(key, std::move(stop));
  if (verdict.after) return std::move(*verdict.after);
  return meta;
}

Status FaultStore::put(const std::string& key, std::string_view bytes, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::put, key, stop);
  if (verdict.before) return std::move(*verdict.before);
  Status status = inner_->put(key, bytes, std::move(stop));
  return verdict.after ? Status(std::move(*verdict.after)) : status;
}

Status FaultStore::put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::put_if_absent, key, stop);
  if (verdict.before) return std::move(*verdict.before);
  Status status = inner_->put_if_absent(key, bytes, std::move(stop));
  return verdict.after ? Status(std::move(*verdict.after)) : status;
}

Result<ListPage> FaultStore::list(const ListRequest& request, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::list, request.prefix, stop);
  if (verdict.before) return std::move(*verdict.before);
  Result<ListPage> page = inner_->list(request, std::move(stop));
  if (verdict.after) return std::move(*verdict.after);
  return page;
}

Status FaultStore::remove(const std::string& key, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::remove, key, stop);
  if (verdict.before) return std::move(*verdict.before);
  Status status = inner_->remove(key, std::move(stop));
  return verdict.after ? Status(std::move(*verdict.after)) : status;
}

Result<std::unique_ptr<Upload>> FaultStore::start_upload(const std::string& key, std::stop_token stop) {
  Script::Verdict verdict = script_->judge(Operation::start_upload, key, stop);
  if (verdict.before) return std::move(*verdict.before);
  std::unique_ptr<Upload> upload = TRY(inner_->start_upload(key, stop));
  if (verdict.after) return std::move(*verdict.after);
  return std::unique_ptr<Upload>(std::make_unique<FaultUpload>(std::move(upload), script_, key, std::move(stop)));
}

Result<std::string> FaultStore::presign_get(const std::string& key, Duration valid) {
  Script::Verdict verdict = script_->judge(Operation::presign, key, {});
  if (verdict.before) return std::move(*verdict.before);
  Result<std::string> url = inner_->presign_get(key, valid);
  if (verdict.after) return std::move(*verdict.after);
  return url;
}

}  // namespace holdfast::objstore
