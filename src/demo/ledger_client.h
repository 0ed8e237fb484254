// What the demo asks a ledger over HTTP. One client serves any number of ledgers; used from one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "demo/facts.h"
#include "net/http.h"

namespace holdfast::demo {

struct LedgerTotals {
  int64_t count = 0;
  int64_t sum = 0;
  int64_t last_id = 0;
};

class LedgerClient {
 public:
  [[nodiscard]] static Result<LedgerClient> create();

  [[nodiscard]] Result<LedgerTotals> totals(const std::string& url, std::stop_token stop);
  /// The last freeze with its manifest's digest, checked against the manifest itself; nullopt before the first.
  [[nodiscard]] Result<std::optional<Freeze>> last_freeze(const std::string& url, std::stop_token stop);
  /// The verdict over restored data and the database's integrity, put into `application`.
  [[nodiscard]] Status inspect(const std::string& url, ApplicationSeen& application, std::stop_token stop);
  /// All entries up to that id.
  [[nodiscard]] Result<std::vector<LedgerEntry>> entries(const std::string& url, int64_t last_id, std::stop_token stop);

 private:
  explicit LedgerClient(std::unique_ptr<net::HttpClient> http) : http_(std::move(http)) {}
  [[nodiscard]] Result<json::value> get(const std::string& url, std::stop_token stop);
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace holdfast::demo
