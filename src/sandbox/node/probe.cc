#include "sandbox/node/probe.h"

namespace holdfast::sandbox {

Probe::Probe(json::value spec, BootTime container_start, bool success_at_start)
    : spec_(std::move(spec)),
      container_start_(container_start),
      success_(success_at_start),
      last_answer_(success_at_start) {}

void Probe::tick(BootTime now, const ProbeAsk& ask) {
  const std::chrono::seconds delay(json::int_at(spec_, {"initialDelaySeconds"}, 0));
  const std::chrono::seconds period(json::int_at(spec_, {"periodSeconds"}, 10));
  if (now < container_start_ + delay || (last_.has_value() && now < *last_ + period)) return;
  last_ = now;
  const bool answer = ask(spec_, std::chrono::seconds(json::int_at(spec_, {"timeoutSeconds"}, 1)));
  in_a_row_ = answer == last_answer_ ? in_a_row_ + 1 : 1;
  last_answer_ = answer;
  const int64_t needed =
      answer ? json::int_at(spec_, {"successThreshold"}, 1) : json::int_at(spec_, {"failureThreshold"}, 3);
  if (in_a_row_ >= needed) success_ = answer;
}

}  // namespace holdfast::sandbox
