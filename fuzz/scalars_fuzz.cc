// Small values as they stand in objects and answers: what is accepted must come back from its own text.
#include "base/clock.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const Result<int64_t> number = parse_int(text)) CHECK(parse_int(std::to_string(*number)).value() == *number);
  if (const Result<uint64_t> bytes = parse_quantity(text)) {
    CHECK(parse_quantity(std::to_string(*bytes)).value() == *bytes);
  }
  if (const Result<Duration> duration = parse_go_duration(text)) {
    CHECK(parse_go_duration(format_go_duration(*duration)).value() == *duration);
  }
  if (const Result<Time> time = parse_rfc3339(text)) {
    // A zone may carry the first or last hours of the years that are read out of them.
    if (const Result<Time> again = parse_rfc3339(format_rfc3339_nano(*time))) CHECK(*again == *time);
  }
  if (const Result<std::string> plain = from_hex(text)) CHECK(to_hex(as_bytes(*plain)) == to_lower(text));
  if (const Result<std::string> plain = from_base64(text)) CHECK(from_base64(to_base64(*plain)).value() == *plain);
  return 0;
}
