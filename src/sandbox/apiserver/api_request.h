// What a request's path and method mean, in the words authorisation and handlers use.
#pragma once

#include <string>

#include "base/result.h"
#include "net/http_server.h"

namespace holdfast::sandbox {

struct ApiRequest {
  bool is_resource = false;  ///< else only `path` and `verb` count
  std::string verb;  ///< get list watch create update patch delete deletecollection; lower-case method otherwise
  std::string group;
  std::string version;
  std::string ns;
  std::string plural;
  std::string name;
  std::string subresource;
  std::string path;
  const net::ServerRequest* http = nullptr;

  [[nodiscard]] std::string query(const std::string& name_of_value) const { return http->query_value(name_of_value); }
  [[nodiscard]] bool flag(const std::string& name_of_value) const;
  [[nodiscard]] bool dry_run() const { return !http->query_value("dryRun").empty(); }
};

/// Sorts a request; never fails: what is no resource path is a non-resource request.
[[nodiscard]] ApiRequest parse_api_request(const net::ServerRequest& http);

}  // namespace holdfast::sandbox
