#include "kube/controller.h"

namespace holdfast::kube {

Controller::Controller(ControllerOptions options, Reconcile reconcile)
    : options_(std::move(options)), reconcile_(std::move(reconcile)), queue_(options_.queue) {}

Controller::~Controller() {
  stop();
}

void Controller::start() {
  CHECK(workers_.empty());
  for (size_t i = 0; i < options_.workers; ++i) {
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

void Controller::stop() {
  for (std::jthread& worker : workers_) worker.request_stop();
  queue_.shut_down();
  workers_.clear();
}

void Controller::work(const std::stop_token& stop) {
  while (const std::optional<std::string> name = queue_.get(stop)) {
    const Result<After> result = reconcile_(*name, stop);
    if (result.ok()) {
      queue_.forget(*name);
      if (result->delay) queue_.add_after(*name, *result->delay);
    } else if (!result.is(ErrorCode::cancelled) || !stop.stop_requested()) {
      // Somebody else's write in between is everyday life; the next round reads anew.
      const log::Level level = result.is(ErrorCode::conflict) ? log::Level::debug : log::Level::error;
      options_.log.write(level, "reconcile failed",
                         {{"controller", options_.name}, {"name", *name}, {"error", result.error()}});
      queue_.add_with_back_off(*name);
    }
    queue_.done(*name);
  }
}

}  // namespace holdfast::kube
