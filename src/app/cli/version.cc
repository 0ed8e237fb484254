#include <fmt/format.h>

#include "app/cli/cluster.h"
#include "app/cli/commands.h"
#include "base/random.h"
#include "base/version.h"

namespace holdfast::app {

namespace {

Result<std::string> server_version(const Surroundings& surroundings, const Cluster& cluster, Duration timeout) {
  velero::ServerStatusRequest request;
  request.metadata.name = "velero-cli-" + random_name_suffix();
  request.metadata.namespace_ = cluster.ns;
  TRY(create_object(cluster, request));
  const std::string& name = request.metadata.name;
  const BootTime deadline = surroundings.clock->boottime() + timeout;
  while (true) {
    const auto now = TRY(get_object<velero::ServerStatusRequest>(cluster, name));
    // Processed requests are removed by the server.
    if (!now.status.server_version.empty()) return now.status.server_version;
    if (surroundings.clock->boottime() >= deadline) {
      TRY(cluster.api->remove(type_of<velero::ServerStatusRequest>(), cluster.ns, name));
      return Error(ErrorCode::timeout, "timed out waiting for server status request to be processed");
    }
    TRY(surroundings.clock->sleep({}, std::chrono::milliseconds(200)));
  }
}

Result<int> version(const Surroundings& surroundings, const config::Arguments& arguments) {
  surroundings.out(fmt::format("Client:\n\tVersion: v{}\n\tGit commit: -\n", program_version()));
  if (arguments.boolean("client-only")) return 0;
  const Cluster cluster = TRY(open_cluster(surroundings, arguments));
  const Result<std::string> server = server_version(surroundings, cluster, arguments.duration("timeout"));
  if (!server) {
    surroundings.out(fmt::format("<error getting server version: {}>\n", server.error().message()));
    return 0;
  }
  const char* letter = server->starts_with('v') ? "" : "v";
  surroundings.out(fmt::format("Server:\n\tVersion: {}{}\n", letter, *server));
  return 0;
}

}  // namespace

config::Command version_command(const Surroundings& surroundings) {
  return {.name = "version",
          .summary = "Print the version of this program and of the installation",
          .examples = {"holdfast version --client-only"},
          .options = {{.name = "client-only", .kind = config::Kind::boolean, .help = "do not ask the installation"},
                      {.name = "timeout",
                       .kind = config::Kind::duration,
                       .help = "how long the installation may take",
                       .fallback = "5s"}},
          .run = runs(surroundings, version)};
}

}  // namespace holdfast::app
