// Schedules: makes a Backup at each due time, and wakes at that time, not once a minute.
#pragma once

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

class ScheduleController {
 public:
  explicit ScheduleController(const Context& context) : context_(context) {}
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  struct Past {
    bool running = false;
    bool lost = false;  ///< the controller that ran the last one is gone: it is made again at once (safety.md 12)
  };
  Result<Past> past(const velero::Schedule& schedule, std::stop_token stop) const;
  Status make_backup(const velero::Schedule& schedule, Time now, std::stop_token stop);
  const Context& context_;
};

}  // namespace holdfast::control
