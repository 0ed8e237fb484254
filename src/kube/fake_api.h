// An Api in memory for tests: a Kubernetes API server's rules, faults on demand, and a record of every call.
//
// What it does as a real server: names and generateName, uid, resourceVersion, generation, creationTimestamp; 404, 409
// AlreadyExists and Conflict; no-op writes change nothing; namespaces must exist and not be terminating; the status
// subresource; finalizers and deletionTimestamp; preconditions; label and field selectors; paging from one snapshot;
// watch with history and 410; merge, JSON and strategic patch; CRDs add types; several versions of one type.
// Apply is small: a manager's fields are the object it applied last. It sets them, removes what that manager leaves out
// since, and conflicts with other managers' applied values unless forced; creates and updates own nothing; lists count
// as one value except those with merge keys.
// What it does not do: schemas, pruning, defaulting, admission, managedFields, rights, conversion beyond apiVersion.
//
// Owner references and terminating namespaces are acted on by collect_garbage() only, or after every write with
// `collect_always`. Callbacks (watch, exec, Fault::meanwhile) run without the lock and may call the FakeApi.
#pragma once

#include <map>
#include <memory>

#include "kube/fake_objects.h"

namespace holdfast::kube {

struct FakeApiOptions {
  Clock* clock = &system_clock();
  bool graceful_pods = false;  ///< a pod on a node stays, marked, until it is removed with grace_seconds 0
  bool collect_always = false;
  size_t history_max = 10'000;  ///< events kept for watches; older resource versions are 410
};

class FakeApi final : public Api {
 public:
  struct Call {
    std::string verb;      ///< get list watch create update patch delete exec logs discover version
    std::string resource;  ///< group_resource(), empty for discover and version
    std::string ns;
    std::string name;
    std::string subresource;
  };
  /// What happens to the n-th call that matches, counted from inject(). Empty texts match everything.
  struct Fault {
    std::string verb = {};
    std::string resource = {};
    std::string name = {};
    int nth = 1;
    int times = 1;                                          ///< so many calls from the n-th on
    enum class When { before, after } when = When::before;  ///< after: the act happens, its answer is lost
    std::optional<Error> error = {};
    Duration delay = Duration::zero();     ///< slept on the options' clock before the call
    std::function<void()> meanwhile = {};  ///< runs before the call: what somebody else did just then
    std::optional<int> watch_events = {};  ///< watch: the error comes after so many events instead of at the start
  };
  using ExecHandler =
      std::function<Result<ExecResult>(const std::string& ns, const std::string& pod, const std::string& container,
                                       const std::vector<std::string>& command)>;
  explicit FakeApi(const FakeApiOptions& options = {});
  ~FakeApi() override;

  /// Puts an object in as it is, status included, past faults and record; its namespace is made where missing. The type
  /// is found by apiVersion and kind. Returns what was stored; a bug where that fails.
  json::value seed(const json::value& object);
  /// Every document of a YAML text.
  void seed_yaml(std::string_view text);
  /// The object as stored, past faults and record; null where there is none.
  [[nodiscard]] json::value peek(const ResourceType& type, const std::string& ns, const std::string& name) const;
  /// All objects of a type, past faults and record.
  [[nodiscard]] std::vector<json::value> peek_all(const ResourceType& type, const std::string& ns = "") const;
  void add_type(const ResourceType& type, bool status_subresource = false, bool custom = true);
  void collect_garbage();

  void inject(Fault fault);
  void clear_faults();
  [[nodiscard]] std::vector<Call> calls() const;
  /// How many calls matched; empty texts match everything.
  [[nodiscard]] size_t count(std::string_view verb, std::string_view resource = {}) const;
  void forget_calls();
  /// Forgets the history: every older resource version and every page token is 410 from now on.
  void compact();
  /// Ends every running watch with that error.
  void break_watches(const Error& error);
  /// Sends a bookmark to every running watch.
  void send_bookmarks();
  /// Blocks until that many watches run; false after ten seconds.
  [[nodiscard]] bool wait_for_watches(size_t count) const;

  void on_exec(ExecHandler handler);
  void set_logs(const std::string& ns, const std::string& pod, const std::string& container, std::string text);

  [[nodiscard]] Result<std::vector<ResourceType>> discover(std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> version(std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> get(const ResourceType& type, const std::string& ns, const std::string& name,
                                        std::stop_token stop = {}) override;
  [[nodiscard]] Result<ListPage> list(const ResourceType& type, const std::string& ns, const ListOptions& options,
                                      std::stop_token stop = {}) override;
  [[nodiscard]] Status watch(const ResourceType& type, const std::string& ns, const WatchOptions& options,
                             const std::function<Status(const WatchEvent&)>& on_event, std::stop_token stop) override;
  [[nodiscard]] Result<json::value> create(const ResourceType& type, const std::string& ns, const json::value& object,
                                           const WriteOptions& options = {}, std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> update(const ResourceType& type, const std::string& ns, const json::value& object,
                                           const WriteOptions& options = {}, std::stop_token stop = {}) override;
  [[nodiscard]] Result<json::value> patch(const ResourceType& type, const std::string& ns, const std::string& name,
                                          PatchKind kind, const json::value& body, const WriteOptions& options = {},
                                          std::stop_token stop = {}) override;
  [[nodiscard]] Status remove(const ResourceType& type, const std::string& ns, const std::string& name,
                              const DeleteOptions& options = {}, std::stop_token stop = {}) override;
  [[nodiscard]] Result<ExecResult> exec(const std::string& ns, const std::string& pod, const std::string& container,
                                        const std::vector<std::string>& command, Duration timeout,
                                        std::stop_token stop = {}) override;
  [[nodiscard]] Result<std::string> logs(const std::string& ns, const std::string& pod, const std::string& container,
                                         std::stop_token stop = {}) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::kube
