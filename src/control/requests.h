// The small requests of clients: where can I read this file, and who are you.
//
// A DownloadRequest gets a presigned URL where the store can sign; else the annotation holdfast.dev/download-key names
// location and key ("LOCATION KEY"), and the client reads the file through this controller by exec of `holdfast
// read-object`. Processed requests are removed: DownloadRequests when they expire, ServerStatusRequests after a minute.
#pragma once

#include "control/context.h"
#include "kube/controller.h"

namespace holdfast::control {

inline constexpr std::string_view kDownloadKeyAnnotation = "holdfast.dev/download-key";

class DownloadRequests {
 public:
  explicit DownloadRequests(const Context& context) : context_(context) {}
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  Result<std::string> location_of(const velero::DownloadRequest& request, std::stop_token stop) const;
  const Context& context_;
};

class ServerStatusRequests {
 public:
  explicit ServerStatusRequests(const Context& context) : context_(context) {}
  [[nodiscard]] Result<kube::After> reconcile(const std::string& name, std::stop_token stop);

 private:
  const Context& context_;
};

}  // namespace holdfast::control
