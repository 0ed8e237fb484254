// Any text as a cron expression: parsed ones must answer, later than asked, and strictly onwards.
#include "velero/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::velero;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto no_files = [](const std::string&) { return Result<Zone>(Zone()); };
  (void)Zone::parse(text);
  const Result<Cron> cron = Cron::parse(text, no_files);
  if (!cron) return 0;
  const Time start{std::chrono::seconds(1795241936)};
  if (const std::optional<Time> first = cron->next(start)) {
    CHECK(*first > start);
    if (const std::optional<Time> second = cron->next(*first)) CHECK(*second > *first);
  }
  return 0;
}
