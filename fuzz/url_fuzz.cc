// A URL that parses has a host, a port and a path; encoding undoes decoding.
#include "base/check.h"
#include "net/http.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const Result<net::Url> url = net::parse_url(text)) {
    CHECK(!url->host.empty() && url->port != 0 && !url->path.empty());
  }
  CHECK(net::percent_decode(net::percent_encode(text)).value() == text);
  if (const Result<std::string> decoded = net::percent_decode(text)) CHECK(decoded->size() <= text.size());
  return 0;
}
