#include "repo/index_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/json.h"

namespace holdfast::repo {

namespace {

Error wrong(std::string message) {
  return Error(ErrorCode::invalid, std::move(message));
}

Result<uint32_t> number_of(const json::object& blob, std::string_view name, uint32_t least) {
  const json::value* value = blob.if_contains(name);
  if (value == nullptr) return uint32_t{0};
  const int64_t number = value->is_int64() ? value->get_int64() : -1;
  if (number < int64_t{least} || number > std::numeric_limits<uint32_t>::max()) {
    return wrong(fmt::format("the blob's {} is out of range", name));
  }
  return static_cast<uint32_t>(number);
}

Result<PackedBlob> parse_blob(const json::value& in) {
  if (!in.is_object()) return wrong("a blob is no object");
  const json::object& object = in.get_object();
  PackedBlob blob;
  blob.blob.id = TRY(Id::parse(json::string_at(in, {"id"})).in("blob"));
  const std::string type = json::string_at(in, {"type"});
  if (type != "data" && type != "tree") return wrong(fmt::format("\"{}\" is no type of blob", type));
  blob.blob.type = type == "tree" ? BlobType::tree : BlobType::data;
  blob.offset = TRY(number_of(object, "offset", 0));
  blob.length = TRY(number_of(object, "length", 0));
  blob.uncompressed_length = TRY(number_of(object, "uncompressed_length", 0));
  if (blob.length < crypto::kEnvelopeOverhead) return wrong("the blob's length is out of range");
  return blob;
}

}  // namespace

std::string encode_index(const std::vector<PackContents>& packs) {
  std::string out = R"({"packs":[)";
  for (const PackContents& pack : packs) {
    if (out.back() == '}') out.push_back(',');
    fmt::format_to(std::back_inserter(out), R"({{"id":"{}","blobs":[)", pack.pack.hex());
    for (const PackedBlob& blob : pack.blobs) {
      if (out.back() == '}') out.push_back(',');
      fmt::format_to(std::back_inserter(out), R"({{"id":"{}","type":"{}","offset":{},"length":{})", blob.blob.id.hex(),
                     to_string(blob.blob.type), blob.offset, blob.length);
      if (blob.uncompressed_length != 0) {
        fmt::format_to(std::back_inserter(out), R"(,"uncompressed_length":{})", blob.uncompressed_length);
      }
      out.push_back('}');
    }
    out.append("]}");
  }
  out.append("]}\n");
  return out;
}

Result<std::vector<PackContents>> decode_index(std::string_view text) {
  const json::object in = TRY(json::parse_object(text));
  const json::value* list = in.if_contains("packs");
  if (list == nullptr || (!list->is_array() && !list->is_null())) return wrong("the list packs is missing");
  std::vector<PackContents> packs;
  if (list->is_null()) return packs;
  packs.reserve(list->get_array().size());
  for (const json::value& item : list->get_array()) {
    PackContents pack;
    pack.pack = TRY(Id::parse(json::string_at(item, {"id"})).in("pack"));
    for (const json::value& blob : json::array_at(item, {"blobs"})) {
      Result<PackedBlob> parsed = parse_blob(blob);
      if (!parsed) return std::move(parsed).error().in(fmt::format("pack {}", pack.pack.short_hex()));
      pack.blobs.push_back(std::move(parsed).value());
    }
    std::sort(pack.blobs.begin(), pack.blobs.end(),
              [](const PackedBlob& a, const PackedBlob& b) { return a.offset < b.offset; });
    packs.push_back(std::move(pack));
  }
  return packs;
}

}  // namespace holdfast::repo
