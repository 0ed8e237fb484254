// Snapshots, locks and configs of foreign JSON are refused, or print and read back the same.
#include "repo/config.h"
#include "repo/lock.h"
#include "repo/snapshot.h"
#include "repo/tree_references.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto snapshot = repo::decode_snapshot(input)) {
    const std::string text = repo::encode_snapshot(*snapshot);
    CHECK(repo::encode_snapshot(repo::decode_snapshot(text).value()) == text);
  }
  if (const auto lock = repo::decode_lock(input)) {
    const std::string text = repo::encode_lock(*lock);
    CHECK(repo::encode_lock(repo::decode_lock(text).value()) == text);
  }
  if (const auto config = repo::decode_config(input)) {
    const std::string text = repo::encode_config(*config);
    CHECK(repo::encode_config(repo::decode_config(text).value()) == text);
  }
  const auto references = repo::decode_tree_references(input);
  CHECK(references.ok() || references.is(ErrorCode::corrupt));
  return 0;
}
