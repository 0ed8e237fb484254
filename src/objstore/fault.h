// A store that fails as it is told to: what every fault sweep stands on.
//
//   auto store = std::make_shared<FaultStore>(inner);
//   store->add({.call = 3, .kind = Fault::Kind::lost_answer});                  // the third call is done, unanswered
//   store->add({.operation = Operation::put, .key = "metadata", .kind = Fault::Kind::refuse});
//   store->crash_at(7);                                                         // nothing from the 7th call on works
//   ... sweep: run once without faults, calls() tells how many there are, then crash_at(n) for every n ...
//
// Calls are counted from 1 over all operations, in the order in which they come in; each write and finish of an upload
// is one. All members may be called from any thread.
#pragma once

#include <condition_variable>
#include <mutex>

#include "objstore/store.h"

namespace holdfast::objstore {

enum class Operation {
  get,
  head,
  put,
  put_if_absent,
  list,
  remove,
  start_upload,
  upload_write,
  upload_finish,
  presign
};
[[nodiscard]] std::string_view to_string(Operation operation);

/// One thing that goes wrong. What is left empty matches every call.
struct Fault {
  int call = 0;  ///< the n-th call that matches the rest, from 1; 0: each of them
  std::optional<Operation> operation = {};
  std::string key = {};  ///< part of the key (of a list: of the prefix)
  enum class Kind {
    refuse,       ///< fails before the act
    lost_answer,  ///< acts, then fails: the caller cannot know
    stall,        ///< waits before the act until release() or the caller's stop token
    truncate,     ///< get gives only the first half of its bytes, as a success
    crash,        ///< this call and all after it fail without acting
    crash_after,  ///< this call acts, but it and all after it fail
  } kind = Kind::refuse;
  ErrorCode code = ErrorCode::unavailable;
};

class FaultStore final : public Store {
 public:
  explicit FaultStore(std::shared_ptr<Store> inner);
  ~FaultStore() override;

  void add(Fault fault);
  /// Nothing works from call n on (counted over all calls since the last reset), before or after the act of the n-th.
  void crash_at(int n, Fault::Kind kind = Fault::Kind::crash);
  /// Forgets faults, counts and the crash, and lets stalled calls go on.
  void reset();
  /// Lets stalled calls go on.
  void release();
  /// Blocks until that many calls are stalled.
  void wait_for_stalled(int count);

  [[nodiscard]] int calls() const;
  /// What came in, in order: "put a/b".
  [[nodiscard]] std::vector<std::string> log() const;
  [[nodiscard]] bool crashed() const;

  [[nodiscard]] std::set<Capability> capabilities() const override { return inner_->capabilities(); }
  [[nodiscard]] std::string name() const override { return inner_->name(); }
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

 private:
  class FaultUpload;
  class Script;
  const std::shared_ptr<Store> inner_;
  const std::shared_ptr<Script> script_;
};

}  // namespace holdfast::objstore
