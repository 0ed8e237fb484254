// /metrics, /healthz and /readyz of a process in a pod.
//
// healthz answers as soon as the process serves; readyz says 503 until `ready` is true. Threads: the server's own call
// `ready`.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "net/http_server.h"

namespace holdfast::app {

/// Serves at `address` (":8085", "0.0.0.0:8085") until the answer is destroyed. `metrics` outlives it. invalid: the
/// address is not one.
[[nodiscard]] Result<std::unique_ptr<net::HttpServer>> serve_metrics(const std::string& address,
                                                                     metrics::Registry& metrics,
                                                                     std::function<bool()> ready);

}  // namespace holdfast::app
