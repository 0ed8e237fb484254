// What a credentials file yields are two keys, neither empty; an error repeats nothing of the file.
#include "base/check.h"
#include "objstore/credentials.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* profile : {"", "b"}) {
    const Result<objstore::Credentials> got = objstore::credentials_from(text, profile);
    if (got) CHECK(!got->access_key.empty() && !got->secret_key.empty());
    if (!got) CHECK(got.error().message().size() < 200);
  }
  return 0;
}
