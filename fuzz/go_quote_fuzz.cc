// Any text survives quote and unquote; what unquotes survives another round.
#include "repo/go_quote.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::repo;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const GoRelease release : {GoRelease::go1_19, GoRelease::go1_26}) {
    const Result<std::string> back = go_unquote(go_quote(text, release));
    CHECK(back.ok() && *back == text);
  }
  if (const Result<std::string> plain = go_unquote(text)) {
    const Result<std::string> again = go_unquote(go_quote(*plain, GoRelease::go1_26));
    CHECK(again.ok() && *again == *plain);
  }
  return 0;
}
