// A recovery kit comes from a file that may have been anywhere: whatever is in it, reading ends in a Kit or an Error,
// and what was read is written and read again unchanged.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "app/cli/kit.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const Result<app::Kit> kit = app::read_kit({reinterpret_cast<const char*>(data), size});
  if (!kit) return 0;
  static_cast<void>(app::kit_faults(*kit));
  const std::string written = app::write_kit(*kit);
  const Result<app::Kit> again = app::read_kit(written);
  CHECK(again.ok());
  CHECK(app::write_kit(*again) == written);
  return 0;
}
