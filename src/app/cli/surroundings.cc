#include "app/cli/surroundings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/cli/acting_cluster.h"
#include "base/file.h"
#include "base/version.h"
#include "kube/client.h"
#include "kube/kubeconfig.h"
#include "net/http.h"

namespace holdfast::app {

namespace {

void print_to(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

std::optional<std::string> next_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

/// The files of --kubeconfig or the environment; without any, the service account of the pod we run in.
Result<kube::ClusterAccess> cluster_access(const ClusterFlags& flags) {
  if (!flags.kubeconfig.empty()) return kube::load_kubeconfig({flags.kubeconfig}, flags.context);
  const config::Environment environment = config::process_environment();
  const auto paths = kube::kubeconfig_paths(environment("KUBECONFIG").value_or(""), environment("HOME").value_or(""));
  Result<kube::ClusterAccess> access = kube::load_kubeconfig(paths, flags.context);
  const std::string host = environment("KUBERNETES_SERVICE_HOST").value_or("");
  if (access.is(ErrorCode::not_found) && !host.empty())
    return kube::in_cluster_access(host, environment("KUBERNETES_SERVICE_PORT").value_or("443"));
  return access;
}

Result<std::shared_ptr<kube::Api>> connect(kube::ClusterAccess access, Duration patience) {
  kube::ClientOptions options;
  options.access = std::move(access);
  options.retry.deadline = patience;
  options.user_agent = fmt::format("holdfast/{}", program_version());
  std::unique_ptr<kube::Client> client = TRY(kube::Client::create(std::move(options)));
  return std::shared_ptr<kube::Api>(std::move(client));
}

Result<std::shared_ptr<kube::Api>> open_cluster_api(const ClusterFlags& flags) {
  return connect(TRY(cluster_access(flags)), flags.patience);
}

Result<std::string> fetch_url(const Download& download) {
  net::ClientOptions options;
  options.tls.ca_pem = download.ca_pem;
  if (!download.verify) options.tls.verify = net::TlsOptions::Verify::none;
  const std::unique_ptr<net::HttpClient> client = TRY(net::HttpClient::create(std::move(options)));
  net::Response response = TRY(client->send({.url = download.url, .timeout = download.timeout}));
  if (response.status == 404) return Error(ErrorCode::not_found, "the file is not in the object store");
  if (response.status != 200)
    return Error(ErrorCode::unavailable, fmt::format("the object store answered {}", response.status));
  return std::move(response.body);
}

}  // namespace

Result<std::shared_ptr<kube::Api>> open_cluster_as(const ClusterFlags& flags, const std::string& user) {
  kube::ClusterAccess access = TRY(cluster_access(flags));
  access.impersonate_user = user;
  return connect(std::move(access), flags.patience);
}

Surroundings process_surroundings() {
  return {.out = [](std::string_view text) { print_to(stdout, text); },
          .err = [](std::string_view text) { print_to(stderr, text); },
          .read_line = next_line,
          .clock = &system_clock(),
          .open = open_cluster_api,
          .fetch = fetch_url};
}

std::function<int(const config::Arguments&)> runs(const Surroundings& surroundings, Work work) {
  return [&surroundings, work](const config::Arguments& arguments) {
    const Result<int> code = work(surroundings, arguments);
    if (code) return *code;
    surroundings.err(fmt::format("An error occurred: {}\n", code.error().to_string()));
    return 1;
  };
}

}  // namespace holdfast::app
