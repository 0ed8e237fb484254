#include "demo/ledger_client.h"

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/sha256.h"

namespace holdfast::demo {

namespace {

double number_at(const json::value& v, std::string_view name) {
  const json::value* found = json::find(v, {name});
  return found != nullptr && found->is_number() ? found->to_number<double>() : 0;
}

}  // namespace

Result<LedgerClient> LedgerClient::create() {
  return LedgerClient(TRY(net::HttpClient::create(
      {.tls = {}, .proxy = "-", .user_agent = "holdfast-demo", .connect_timeout = std::chrono::seconds(2)})));
}

Result<json::value> LedgerClient::get(const std::string& url, std::stop_token stop) {
  net::Request request;
  request.url = url;
  request.timeout = std::chrono::seconds(20);
  const net::Response response = TRY(http_->send(request, std::move(stop)));
  if (response.status == 404) return Error(ErrorCode::not_found, url + " answered 404");
  if (response.status != 200) return Error(ErrorCode::unavailable, fmt::format("{} answered {}", url, response.status));
  return json::parse(response.body).in(url);
}

Result<LedgerTotals> LedgerClient::totals(const std::string& url, std::stop_token stop) {
  const json::value v = TRY(get(url + "/totals", std::move(stop)));
  return LedgerTotals{json::int_at(v, {"count"}), json::int_at(v, {"sum"}), json::int_at(v, {"last_id"})};
}

Result<std::optional<Freeze>> LedgerClient::last_freeze(const std::string& url, std::stop_token stop) {
  const Result<json::value> answer = get(url + "/manifest", std::move(stop));
  if (answer.is(ErrorCode::not_found)) return std::optional<Freeze>();
  if (!answer) return answer.error();
  Freeze out;
  out.manifest_sha256 = json::string_at(*answer, {"sha256"});
  const std::string manifest = json::string_at(*answer, {"manifest"});
  if (to_hex(crypto::sha256(as_bytes(manifest))) != out.manifest_sha256)
    return Error(ErrorCode::corrupt, url + "/manifest: the manifest does not have its digest");
  out.taken = TRY(parse_rfc3339(json::string_at(*answer, {"taken"})));
  out.manifest_ms = number_at(*answer, "manifest_ms");
  out.frozen_ms = number_at(*answer, "frozen_ms");
  out.manifest = manifest;
  return std::optional<Freeze>(std::move(out));
}

Status LedgerClient::inspect(const std::string& url, ApplicationSeen& application, std::stop_token stop) {
  const json::value verdict = TRY(get(url + "/restored", stop));
  application.restored = json::bool_at(verdict, {"restored"});
  application.files_compared = static_cast<size_t>(json::int_at(verdict, {"entries"}));
  application.manifest_sha256 = json::string_at(verdict, {"manifest_sha256"});
  application.file_differences = json::strings(json::array_at(verdict, {"differences"}));
  const json::value check = TRY(get(url + "/check", std::move(stop)));
  application.integrity = json::string_at(check, {"integrity"});
  return {};
}

Result<std::vector<LedgerEntry>> LedgerClient::entries(const std::string& url, int64_t last_id, std::stop_token stop) {
  std::vector<LedgerEntry> out;
  int64_t after = 0;
  while (after < last_id) {
    const json::value page = TRY(get(fmt::format("{}/entries?after={}&limit=20000", url, after), stop));
    const json::array& entries = json::array_at(page, {"entries"});
    if (entries.empty()) break;
    for (const json::value& entry : entries) {
      const int64_t id = json::int_at(entry, {"id"});
      if (id <= after) return Error(ErrorCode::corrupt, url + "/entries: ids do not grow");
      after = id;
      if (id <= last_id) out.push_back({id, json::string_at(entry, {"key"}), json::int_at(entry, {"amount"})});
    }
  }
  return out;
}

}  // namespace holdfast::demo
