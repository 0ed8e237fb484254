// An index of foreign JSON is refused, or what was understood prints and reads back the same.
#include "repo/index.h"
#include "repo/index_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto packs = repo::decode_index({reinterpret_cast<const char*>(data), size});
  if (!packs) return 0;
  const std::string text = repo::encode_index(*packs);
  const auto again = repo::decode_index(text);
  CHECK(again.ok());
  CHECK(again->size() == packs->size());
  for (size_t i = 0; i < again->size(); ++i) CHECK((*again)[i].blobs.size() == (*packs)[i].blobs.size());
  repo::Index index;
  index.add(*packs);
  for (const repo::PackContents& pack : *packs) {
    for (const repo::PackedBlob& blob : pack.blobs) CHECK(index.contains(blob.blob));
  }
  return 0;
}
