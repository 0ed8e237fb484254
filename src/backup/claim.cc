#include "backup/claim.h"

#include <array>
#include <map>

#include "base/json.h"
#include "base/text.h"
#include "velero/gzip.h"

namespace holdfast::backup {
namespace {

constexpr std::string_view kMessage = "backup started";
constexpr size_t kLogMax = size_t{256} << 20;

/// The fields of a line "key=word key="quoted" ..."; empty where it is no such line.
std::map<std::string, std::string> fields_of(std::string_view line) {
  std::map<std::string, std::string> out;
  while (!line.empty()) {
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return {};
    const std::string key(line.substr(0, equals));
    line.remove_prefix(equals + 1);
    size_t end = 0;
    if (line.starts_with('"')) {
      for (end = 1; end < line.size() && line[end] != '"'; ++end) {
        if (line[end] == '\\') ++end;
      }
      if (end >= line.size()) return {};
      ++end;
      const Result<json::value> text = json::parse(line.substr(0, end));
      if (!text || !text->is_string()) return {};
      out[key] = std::string(text->get_string());
    } else {
      end = std::min(line.find(' '), line.size());
      out[key] = std::string(line.substr(0, end));
    }
    line.remove_prefix(end);
    if (line.starts_with(' ')) line.remove_prefix(1);
  }
  return out;
}

}  // namespace

void write_claim(const log::Logger& log, const Claim& claim) {
  log.info(kMessage, {{"attempt", claim.attempt}, {"epoch", claim.epoch}, {"site", claim.site}});
}

Result<std::optional<Claim>> read_claim(std::string_view gzipped_log) {
  const std::string text = TRY(velero::gunzip(gzipped_log, kLogMax));
  std::map<std::string, std::string> fields = fields_of(std::string_view(text).substr(0, text.find('\n')));
  const Result<Time> begun = parse_rfc3339(fields["time"]);
  if (fields["msg"] != kMessage || fields["attempt"].empty() || !begun) return std::optional<Claim>();
  return std::optional(Claim{fields["attempt"], fields["epoch"], fields["site"], *begun});
}

}  // namespace holdfast::backup
