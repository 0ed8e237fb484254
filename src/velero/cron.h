// Cron expressions as Velero takes them: the standard parser of robfig/cron v3.
//
//   MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK    lists, ranges, steps, names; ? is *; Sunday is 0
//   @yearly @annually @monthly @weekly @daily @midnight @hourly @every DURATION
//   with CRON_TZ=ZONE or TZ=ZONE in front
//
// When both day fields are restricted, either may match. Local times that a change of the clocks skips do not fire;
// those it repeats fire twice. Messages are those of Velero 1.14 where the fixtures show them. Immutable values.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "velero/zone.h"

namespace holdfast::velero {

class Cron {
 public:
  using ZoneLoader = std::function<Result<Zone>(const std::string&)>;

  /// invalid, with the parser's text. The zone is UTC where the expression names none.
  [[nodiscard]] static Result<Cron> parse(std::string_view expression);
  [[nodiscard]] static Result<Cron> parse(std::string_view expression, const ZoneLoader& zones);

  /// The first moment later than `after`; nothing where there is none within five years (30 February).
  [[nodiscard]] std::optional<Time> next(Time after) const;

  /// The interval of @every; nothing for others.
  [[nodiscard]] std::optional<Duration> interval() const { return interval_; }

 private:
  [[nodiscard]] bool day_matches(int64_t day_number) const;
  [[nodiscard]] std::optional<int64_t> next_local(int64_t minute, int64_t end) const;

  uint64_t minutes_ = 0;
  uint64_t hours_ = 0;
  uint64_t days_ = 0;
  uint64_t months_ = 0;
  uint64_t weekdays_ = 0;
  bool any_day_ = false;
  bool any_weekday_ = false;
  std::optional<Duration> interval_;
  Zone zone_;
};

}  // namespace holdfast::velero
