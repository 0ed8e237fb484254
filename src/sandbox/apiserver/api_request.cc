#include "sandbox/apiserver/api_request.h"

#include "base/text.h"

namespace holdfast::sandbox {

namespace {

std::string verb_of(const ApiRequest& request, const std::string& method) {
  if (method == "GET" || method == "HEAD") {
    if (!request.name.empty()) return "get";
    return request.flag("watch") ? "watch" : "list";
  }
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return request.name.empty() ? "deletecollection" : "delete";
  return to_lower(method);
}

}  // namespace

bool ApiRequest::flag(const std::string& name_of_value) const {
  const std::string value = http->query_value(name_of_value);
  return value == "true" || value == "1";
}

ApiRequest parse_api_request(const net::ServerRequest& http) {
  ApiRequest request;
  request.http = &http;
  request.path = http.path;
  request.verb = to_lower(http.method);
  std::vector<std::string> parts;
  for (std::string& part : split(http.path, '/')) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  size_t at = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    request.version = parts[1];
    at = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    request.group = parts[1];
    request.version = parts[2];
    at = 3;
  } else {
    return request;
  }
  // namespaces/NS/... is a scope, but namespaces/NS and its subresources are the namespace itself.
  if (parts[at] == "namespaces" && parts.size() > at + 2 && parts[at + 2] != "status" && parts[at + 2] != "finalize") {
    request.ns = parts[at + 1];
    at += 2;
  }
  request.is_resource = true;
  request.plural = parts[at];
  if (parts.size() > at + 1) request.name = parts[at + 1];
  if (parts.size() > at + 2) request.subresource = parts[at + 2];
  if (parts.size() > at + 3) request.is_resource = false;  // nothing is served that deep
  if (request.plural == "namespaces" && request.group.empty()) request.ns = request.name;
  request.verb = verb_of(request, http.method);
  return request;
}

}  // namespace holdfast::sandbox
