// `holdfast node-agent`: the agent of one node, as the DaemonSet runs it.
#include "app/cli/cluster.h"
#include "app/cli/commands.h"
#include "app/cli/metrics_endpoint.h"
#include "app/cli/open_files.h"
#include "app/cli/signals.h"
#include "node/agent.h"

namespace holdfast::app {

namespace {

using config::Kind;

Result<int> serve(const Surroundings& surroundings, const config::Arguments& arguments) {
  const EndSignals end;
  raise_open_files();
  const log::Level level = TRY(log::parse_level(arguments.text("log-level")));
  const log::Format format = TRY(log::parse_format(arguments.text("log-format")));
  const log::Logger log(log::descriptor_sink(2, level, format));
  const Cluster cluster = TRY(open_cluster(surroundings, arguments, kServerPatience));
  node::AgentOptions options;
  options.work.ns = cluster.ns;
  options.work.node = arguments.text("node-name");
  options.work.host_pods = arguments.text("host-pods");
  const std::string scratch = arguments.text("scratch-dir");
  if (!scratch.empty()) options.work.cache_dir = scratch + "/.cache/holdfast";
  options.work.progress = arguments.duration("progress-interval");
  options.memory = arguments.size("memory");
  options.workers = static_cast<size_t>(std::max<int64_t>(1, arguments.number("workers")));
  metrics::Registry metrics;
  const auto server = TRY(serve_metrics(arguments.text("metrics-address"), metrics, [] { return true; }));
  const Status status = node::run_agent(*cluster.api, *surroundings.clock, log, metrics, options, end.token());
  if (!status && !end.token().stop_requested()) return status.error();
  log.info("node agent ends");
  return 0;
}

}  // namespace

config::Command node_agent_command(const Surroundings& surroundings) {
  config::Command command;
  command.name = "node-agent";
  command.summary = "Back up and restore the volumes of one node's pods (what the DaemonSet starts)";
  command.examples = {
      "# on a node, with the cluster's kubeconfig instead of a service account",
      "holdfast node-agent --node-name node1 --host-pods /var/lib/kubelet/pods --kubeconfig admin.conf"};
  command.options = {
      {.name = "node-name", .help = "name of this node", .environment = "NODE_NAME"},
      {.name = "host-pods", .help = "where the kubelet's pods directory is mounted", .fallback = "/host_pods"},
      {.name = "workers", .kind = Kind::number, .help = "volumes at once", .fallback = "4"},
      {.name = "memory", .kind = Kind::size, .help = "ceiling for all volumes together", .fallback = "1Gi"},
      {.name = "scratch-dir",
       .help = "directory for caches of repositories; empty: no cache",
       .environment = "VELERO_SCRATCH_DIR"},
      {.name = "progress-interval", .kind = Kind::duration, .help = "how often progress is written", .fallback = "5s"},
      {.name = "metrics-address", .help = "address of /metrics, /healthz and /readyz", .fallback = ":8085"},
      {.name = "log-level",
       .help = "least level that is logged",
       .fallback = "info",
       .choices = {"debug", "info", "warning", "error"}},
      {.name = "log-format", .help = "form of log lines", .fallback = "text", .choices = {"text", "json"}}};
  command.run = runs(surroundings, serve);
  return command;
}

}  // namespace holdfast::app
