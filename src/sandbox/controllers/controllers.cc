#include "sandbox/controllers/controllers.h"

#include <algorithm>
#include <map>

#include "kube/informer.h"
#include "sandbox/controllers/specs.h"

namespace holdfast::sandbox {

namespace {

constexpr std::string_view kWholeCluster = "*";

class Running final : public Controllers {
 public:
  Running(kube::Api& api, ControllersOptions options) : api_(api), options_(std::move(options)) {}
  ~Running() override {
    for (auto& [type, informer] : informers_) informer->stop();
    for (auto& controller : controllers_) controller->stop();
  }

  void add(const ControllerSpec& spec) {
    kube::ControllerOptions options;
    options.name = spec.name;
    options.log = options_.log.with({{"controller", spec.name}});
    options.queue.clock = options_.clock;
    const auto reconcile = [this, &spec](const std::string& key, std::stop_token stop) {
      const std::string ns = key == kWholeCluster ? std::string() : key;
      return spec.reconcile(
          {.api = api_, .clock = *options_.clock, .ns = ns, .stop = std::move(stop), .options = options_});
    };
    controllers_.push_back(std::make_unique<kube::Controller>(std::move(options), reconcile));
    kube::Controller* controller = controllers_.back().get();
    for (const kube::ResourceType& type : spec.watches) {
      informer(type).on_change([controller, scope = spec.scope, type](const std::string& name) {
        const auto [ns, object] = kube::split_name(name);
        if (scope == ControllerSpec::Scope::cluster) {
          controller->enqueue(std::string(kWholeCluster));
        } else {
          controller->enqueue(type.namespaced ? ns : object);  // a Namespace is its own key
        }
      });
    }
  }

  void start() {
    for (auto& controller : controllers_) controller->start();
    for (auto& [type, informer] : informers_) informer->start();
  }

 private:
  kube::Informer& informer(const kube::ResourceType& type) {
    std::unique_ptr<kube::Informer>& found = informers_[type.group_resource()];
    if (!found) {
      kube::InformerOptions options;
      options.type = type;
      options.clock = options_.clock;
      options.log = options_.log;
      found = std::make_unique<kube::Informer>(api_, std::move(options));
    }
    return *found;
  }

  kube::Api& api_;
  const ControllersOptions options_;
  std::map<std::string, std::unique_ptr<kube::Informer>> informers_;
  std::vector<std::unique_ptr<kube::Controller>> controllers_;
};

}  // namespace

const std::vector<ControllerSpec>& all_controllers() {
  static const std::vector<ControllerSpec> specs{namespace_controller(),
                                                 replica_set_controller(),
                                                 replication_controller_controller(),
                                                 deployment_controller(),
                                                 stateful_set_controller(),
                                                 daemon_set_controller(),
                                                 deployment_config_controller(),
                                                 job_controller(),
                                                 endpoints_controller(),
                                                 volume_controller(),
                                                 scheduler(),
                                                 garbage_collector()};
  return specs;
}

Result<std::unique_ptr<Controllers>> Controllers::start(kube::Api& api, ControllersOptions options) {
  const std::vector<std::string> names = options.names;
  auto running = std::make_unique<Running>(api, std::move(options));
  for (const std::string& name : names) {
    const auto& specs = all_controllers();
    if (std::none_of(specs.begin(), specs.end(), [&](const auto& spec) { return spec.name == name; })) {
      return Error(ErrorCode::invalid, "there is no controller named '" + name + "'");
    }
  }
  for (const ControllerSpec& spec : all_controllers()) {
    if (names.empty() || std::find(names.begin(), names.end(), spec.name) != names.end()) running->add(spec);
  }
  running->start();
  return std::unique_ptr<Controllers>(std::move(running));
}

}  // namespace holdfast::sandbox
