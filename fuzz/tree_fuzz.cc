// A tree that parses is written and parsed again to the same bytes, under both profiles.
#include "repo/tree.h"

namespace {

using namespace holdfast;
using namespace holdfast::repo;

/// The tree written anew; nothing where it does not parse or its nodes are out of order.
std::optional<std::string> rewrite(std::string_view blob, TreeProfile profile) {
  TreeReader reader(blob);
  TreeWriter writer(profile);
  while (true) {
    Result<std::optional<Node>> node = reader.next();
    if (!node) return std::nullopt;
    if (!*node) return writer.finish();
    if (!writer.add(**node)) return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const TreeProfile profile : {TreeProfile::restic_0_14, TreeProfile::restic_0_19}) {
    const std::optional<std::string> once = rewrite({reinterpret_cast<const char*>(data), size}, profile);
    if (!once) continue;
    const std::optional<std::string> twice = rewrite(*once, profile);
    CHECK(twice.has_value());
    CHECK(*twice == *once);
  }
  return 0;
}
