// One watch: the changes of a type, filtered and in the form the client wants, until time, client or server end it.
#pragma once

#include "kube/selector.h"
#include "net/http_server.h"
#include "sandbox/apiserver/representation.h"

namespace holdfast::sandbox {

struct WatchRequest {
  std::string prefix;  ///< of Store keys
  kube::LabelSelector labels;
  kube::FieldSelector fields;
  std::string resource_version;  ///< empty or "0": first everything that is there now
  bool initial_events = false;   ///< first everything there is, then a bookmark that says so
  bool bookmarks = false;
  Duration timeout = std::chrono::minutes(30);
  Representation form;
};

/// Answers the request. An outdated resource version gets one ERROR event with a 410 Status, as real servers do.
void serve_watch(const Store& store, const ResourceKind& kind, const WatchRequest& request, Clock& clock,
                 net::Responder& responder);

}  // namespace holdfast::sandbox
