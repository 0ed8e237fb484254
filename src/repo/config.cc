#include "repo/config.h"

#include <fmt/format.h>

#include "repo/ids.h"
#include "repo/polynomial.h"

namespace holdfast::repo {

std::string encode_config(const Config& config) {
  json::object out;
  out["version"] = config.version;
  out["id"] = config.id;
  out["chunker_polynomial"] = polynomial_text(config.polynomial);
  for (const auto& [name, value] : config.unknown) out[name] = value;
  return json::compact(out);
}

Result<Config> decode_config(std::string_view text) {
  json::object in = TRY(json::parse_object(text));
  Config config;
  const int64_t version = json::int_at(in, {"version"}, -1);
  if (version != 1 && version != 2) {
    return Error(ErrorCode::unsupported, fmt::format("repository version {} is not known here", version),
                 "versions 1 and 2 are; a newer program may know more");
  }
  config.version = static_cast<unsigned>(version);
  config.id = json::string_at(in, {"id"});
  if (!Id::parse(config.id)) return Error(ErrorCode::invalid, "the field id is no 64 hex digits");
  config.polynomial = TRY(parse_polynomial(json::string_at(in, {"chunker_polynomial"})).in("chunker_polynomial"));
  for (const std::string_view name : {"version", "id", "chunker_polynomial"}) in.stable_erase(name);
  config.unknown = std::move(in);
  return config;
}

}  // namespace holdfast::repo
