// Everything a verb touches outside itself: the terminal, the clock, clusters, downloads. Tests hand in their own.
//
// A Surroundings outlives every Command made with it. Members may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "config/command.h"
#include "kube/api.h"

namespace holdfast::app {

/// Which cluster, from the command line.
struct ClusterFlags {
  std::string kubeconfig;                        ///< empty: KUBECONFIG, ~/.kube/config, else the pod's service account
  std::string context;                           ///< empty: the current one
  Duration patience = std::chrono::seconds(30);  ///< no attempt of a request starts later than this after its first
};

/// A presigned URL and how far its server is trusted.
struct Download {
  std::string url;
  std::string ca_pem;  ///< empty: the system's authorities
  bool verify = true;
  Duration timeout = std::chrono::minutes(10);
};

struct Surroundings {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
  /// The next line of standard input without its end; nothing at the end of input.
  std::function<std::optional<std::string>()> read_line;
  Clock* clock = &system_clock();
  std::function<Result<std::shared_ptr<kube::Api>>(const ClusterFlags&)> open;
  /// The body of a 200 answer.
  std::function<Result<std::string>(const Download&)> fetch;
};

/// The process's own: standard streams, kubeconfig files, HTTP.
[[nodiscard]] Surroundings process_surroundings();

/// A verb's work: the exit code, or an Error that is printed as "An error occurred: ..." with exit code 1.
using Work = Result<int> (*)(const Surroundings&, const config::Arguments&);
[[nodiscard]] std::function<int(const config::Arguments&)> runs(const Surroundings& surroundings, Work work);

}  // namespace holdfast::app
