// Whatever a server answers, keys that come out of it are keys, and text that goes into an element comes out of it.
#include "base/check.h"
#include "objstore/s3_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::objstore;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const Result<ListPage> page = parse_list_answer(text)) {
    for (const ObjectMeta& object : page->objects) CHECK(check_key(object.key).ok());
    for (const std::string& prefix : page->prefixes) CHECK(check_key(prefix.substr(0, prefix.size() - 1)).ok());
  }
  if (const Result<std::string> id = parse_upload_answer(text)) CHECK(!id->empty());
  (void)parse_completion_answer(text);
  (void)parse_failure(text);
  if (check_key(text)) {
    const Result<S3Failure> failure = parse_failure("<Error><Code>x" + xml_escaped(text) + "x</Code></Error>");
    CHECK(failure.ok() && failure->code == "x" + std::string(text) + "x");
  }
  return 0;
}
