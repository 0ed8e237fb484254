// What travels between a Kubernetes API server and us, as pure functions: paths, answers, watch lines, discovery
// documents, the channels of exec. Everything that reads foreign bytes is here, for tests and fuzzing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/api.h"
#include "net/http.h"

namespace holdfast::kube {

/// "/api/v1/namespaces/NS/pods/NAME/SUBRESOURCE"; parts that are empty are left out.
[[nodiscard]] std::string resource_path(const ResourceType& type, const std::string& ns, const std::string& name = {},
                                        const std::string& subresource = {});
/// "?a=b&c=d", percent-encoded; pairs with an empty value are left out; "" for none.
[[nodiscard]] std::string query_text(const std::vector<std::pair<std::string, std::string>>& pairs);

/// The Error of an answer that is no success, from its code and its Status object.
[[nodiscard]] Error answer_error(int status, std::string_view body);
/// The Error of a Status object (of a watch's ERROR event).
[[nodiscard]] Error status_error(const json::value& status, int code);
/// Retry-After in seconds; empty where there is none.
[[nodiscard]] std::optional<Duration> retry_after(const net::Headers& headers);

/// One line of a watch: an event; conflict for ERROR with code 410, else the error it carries; corrupt for other text.
[[nodiscard]] Result<WatchEvent> parse_watch_line(std::string_view line);

/// The types of an APIGroupDiscoveryList (v2 or v2beta1), in the server's order of preference; stale groups are named.
[[nodiscard]] std::vector<ResourceType> parse_group_discovery(const json::value& document,
                                                              std::vector<std::string>& stale);
/// The types of an APIResourceList of one group and version; subresources left out.
[[nodiscard]] std::vector<ResourceType> parse_resource_list(const json::value& document, const std::string& group,
                                                            const std::string& version);
/// Marks, for each group and plural, the first one as preferred.
void mark_preferred(std::vector<ResourceType>& types);

/// Collects the channels of an exec connection (v4.channel.k8s.io and v5).
class ExecChannels {
 public:
  /// One binary message. corrupt for what no server sends.
  [[nodiscard]] Status take(std::string_view message);
  /// True once the error channel has spoken.
  [[nodiscard]] bool complete() const { return complete_; }
  /// The result; an Error where the command could not be run.
  [[nodiscard]] Result<ExecResult> result() const;

 private:
  ExecResult result_;
  std::optional<Error> error_;
  bool complete_ = false;
};

}  // namespace holdfast::kube
