// Inside a site: its pid 1, and the three programs below it.
//
// pid 1 waits until the hub has joined the network, prepares the node's directories and certificates, starts API
// server, controllers and node, and starts again whichever ends. It has no threads, so that it may fork and reap.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "kube/client.h"
#include "net/test_identity.h"
#include "sandbox/apiserver/server.h"
#include "sandbox/controllers/controllers.h"
#include "sandbox/node/node.h"
#include "sandbox/site/site.h"

namespace holdfast::sandbox {

namespace {

struct SiteConfig {
  int number = 1;
  std::string name, directory, images, store, address, program;

  [[nodiscard]] std::string pki(const char* file) const { return directory + "/pki/" + file; }
};

Result<SiteConfig> read_config(const std::string& file) {
  const json::value v = TRY(json::parse(TRY(read_file(file))).in(file));
  SiteConfig config;
  config.number = static_cast<int>(json::int_at(v, {"number"}));
  config.name = json::string_at(v, {"name"});
  config.directory = json::string_at(v, {"directory"});
  config.images = json::string_at(v, {"images"});
  config.store = json::string_at(v, {"store"});
  config.address = json::string_at(v, {"address"});
  config.program = json::string_at(v, {"program"});
  return config;
}

int report(const Error& error) {
  fmt::print(stderr, "sandbox site: {}\n", error.to_string());
  return 1;
}

/// Certificates and the administrator's token; made anew at every boot, so that they do not age. The token stays: it is
/// in kubeconfigs outside.
Status make_credentials(const SiteConfig& config) {
  TRY(make_directories(config.directory + "/pki", 0700));
  const net::TestIdentity authority = net::make_test_authority(config.name + " authority");
  const net::TestIdentity server =
      net::issue_test_identity(authority, {.common_name = "kube-apiserver",
                                           .dns_names = {"localhost", "kubernetes", "kubernetes.default.svc"},
                                           .addresses = {"127.0.0.1", config.address}});
  TRY(write_file_atomically(config.pki("ca.crt"), authority.certificate_pem));
  TRY(write_file_atomically(config.pki("apiserver.crt"), server.certificate_pem));
  TRY(write_file_atomically(config.pki("apiserver.key"), server.key_pem, 0600));
  if (!read_file(config.pki("token")).ok()) TRY(write_file_atomically(config.pki("token"), random_hex(32), 0600));
  const std::string token = TRY(read_file(config.pki("token")));
  const json::object cluster{{"server", fmt::format("https://{}:6443", config.address)},
                             {"certificate-authority-data", to_base64(authority.certificate_pem)}};
  const json::object context{{"cluster", config.name}, {"user", "admin"}};
  const json::value kubeconfig =
      json::object{{"apiVersion", "v1"},
                   {"kind", "Config"},
                   {"clusters", json::array{json::object{{"name", config.name}, {"cluster", cluster}}}},
                   {"users", json::array{json::object{{"name", "admin"}, {"user", json::object{{"token", token}}}}}},
                   {"contexts", json::array{json::object{{"name", config.name}, {"context", context}}}},
                   {"current-context", config.name}};
  return write_file_atomically(config.directory + "/admin.json", json::pretty(kubeconfig) + "\n", 0600);
}

/// /var/lib/kubelet of this site, where agents look for it, and mounts that containers see appear.
Status prepare_mounts(const SiteConfig& config) {
  const std::string own = config.directory + "/kubelet";
  TRY(make_directories(own + "/pods"));
  struct stat status {};
  if (::stat("/var/lib/kubelet", &status) != 0) {
    // Not every machine has the directory, and this one is not ours to change: a tmpfs over /var/lib hides the rest.
    if (::mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755") != 0) return errno_error(errno, "mount over /var/lib");
    TRY(make_directories("/var/lib/kubelet"));
  }
  if (::mount(own.c_str(), "/var/lib/kubelet", nullptr, MS_BIND, nullptr) != 0)
    return errno_error(errno, "bind /var/lib/kubelet");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) return errno_error(errno, "share mounts");
  return {};
}

Status wait_for_go() {
  char letter = 0;
  while (letter != '\n') {
    const ssize_t n = ::read(0, &letter, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error(ErrorCode::cancelled, "the starter has gone");
  }
  return {};
}

Result<pid_t> start_part(const SiteConfig& config, const std::string& config_file, const char* part) {
  Process process = TRY(Process::spawn({.argv = {config.program, "sandbox-internal", part, config_file}}));
  return process.release();
}

/// Starts the parts and keeps them running; reaps whatever else ends here.
Status keep_running(const SiteConfig& config, const std::string& config_file) {
  std::map<pid_t, const char*> parts;
  for (const char* part : {"site-apiserver", "site-controllers", "site-node"}) {
    parts[TRY(start_part(config, config_file, part))] = part;
  }
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0) return errno_error(errno, "wait for the site's programs");
    const auto part = parts.find(ended);
    if (part == parts.end()) continue;
    const char* name = part->second;
    parts.erase(part);
    fmt::print(stderr, "sandbox site: {} ended with status {}, started again\n", name, status);
    TRY(system_clock().sleep({}, std::chrono::milliseconds(300)));
    parts[TRY(start_part(config, config_file, name))] = name;
  }
}

Result<std::unique_ptr<kube::Client>> connect(const SiteConfig& config) {
  kube::ClientOptions options;
  options.access.server = fmt::format("https://{}:6443", config.address);
  options.access.tls.ca_pem = TRY(read_file(config.pki("ca.crt")));
  options.access.token = TRY(read_file(config.pki("token")));
  options.access.proxy = "-";
  std::unique_ptr<kube::Client> client = TRY(kube::Client::create(std::move(options)));
  for (int tries = 0; tries < 300; ++tries) {
    if (client->get_raw("/readyz").ok()) return client;
    TRY(system_clock().sleep({}, std::chrono::milliseconds(50)));
  }
  return Error(ErrorCode::timeout, "the API server does not answer");
}

log::Logger logger() {
  return log::Logger(log::descriptor_sink(2, log::Level::info, log::Format::text));
}

[[noreturn]] void stay() {
  while (true) ::pause();
}

Status serve_api(const SiteConfig& config) {
  ApiServerOptions options;
  options.data_dir = config.directory + "/apiserver";
  options.address = "0.0.0.0";
  options.port = 6443;
  options.certificate_pem = TRY(read_file(config.pki("apiserver.crt")));
  options.key_pem = TRY(read_file(config.pki("apiserver.key")));
  options.tokens[TRY(read_file(config.pki("token")))] = User{"admin", {"system:masters"}};
  const std::unique_ptr<ApiServer> server = TRY(ApiServer::start(std::move(options)));
  stay();
}

Status run_controllers(const SiteConfig& config) {
  const std::unique_ptr<kube::Client> client = TRY(connect(config));
  const json::value storage_class =
      TRY(json::parse(R"({"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"hf-local",)"
                      R"("annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},)"
                      R"("provisioner":"holdfast.dev/directory","reclaimPolicy":"Delete",)"
                      R"("volumeBindingMode":"WaitForFirstConsumer"})"));
  const kube::ResourceType type{.group = "storage.k8s.io",
                                .version = "v1",
                                .plural = "storageclasses",
                                .kind = "StorageClass",
                                .namespaced = false,
                                .singular = {},
                                .short_names = {},
                                .verbs = {}};
  const Result<json::value> made = client->create(type, "", storage_class);
  if (!made && !made.is(ErrorCode::exists)) return made.error();
  ControllersOptions options;
  options.root_ca_pem = TRY(read_file(config.pki("ca.crt")));
  options.volume_directory = config.directory + "/volumes";
  options.log = logger();
  const std::unique_ptr<Controllers> controllers = TRY(Controllers::start(*client, std::move(options)));
  stay();
}

Status run_node(const SiteConfig& config) {
  const std::unique_ptr<kube::Client> client = TRY(connect(config));
  NodeOptions options;
  options.name = config.name;
  options.address = config.address;
  options.pod_prefix = Hub::pods_of(config.number);
  options.state_directory = config.directory + "/node";
  options.images_directory = config.images;
  options.program = config.program;
  options.ca_pem = TRY(read_file(config.pki("ca.crt")));
  options.kubernetes_service_host = config.address;
  options.kubernetes_service_port = "6443";
  const std::unique_ptr<Node> node = TRY(Node::start(*client, system_clock(), logger(), std::move(options)));
  stay();
}

}  // namespace

int run_site(const std::string& config_file) {
  const auto run = [&]() -> Status {
    TRY(wait_for_go());
    const SiteConfig config = TRY(read_config(config_file));
    if (::sethostname(config.name.data(), config.name.size()) != 0) return errno_error(errno, "set the host name");
    TRY(make_credentials(config));
    TRY(prepare_mounts(config));
    return keep_running(config, config_file);
  };
  const Status status = run();
  return status.ok() ? 0 : report(status.error());
}

int run_site_part(const std::string& part, const std::string& config_file) {
  const auto run = [&]() -> Status {
    const SiteConfig config = TRY(read_config(config_file));
    if (part == "site-apiserver") return serve_api(config);
    if (part == "site-controllers") return run_controllers(config);
    if (part == "site-node") return run_node(config);
    return Error(ErrorCode::invalid, "there is no site part " + part);
  };
  const Status status = run();
  return status.ok() ? 0 : report(status.error().in(part));
}

}  // namespace holdfast::sandbox
