#include "kube/kubeconfig.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

namespace holdfast::kube {

namespace {

Error wrong(const std::string& path, std::string_view field, std::string_view why) {
  return {ErrorCode::invalid, fmt::format("kubeconfig {}: {}: {}", path, field, why)};
}

/// The three lists of named entries, and the member that holds each entry's content.
struct Section {
  const char* list;
  const char* member;
};
constexpr std::array kSections{Section{"clusters", "cluster"}, Section{"contexts", "context"},
                               Section{"users", "user"}};
constexpr std::array kPaths{"certificate-authority", "client-certificate", "client-key", "tokenFile"};
constexpr std::array kTexts{"server",
                            "certificate-authority-data",
                            "client-certificate-data",
                            "client-key-data",
                            "proxy-url",
                            "tls-server-name",
                            "token",
                            "username",
                            "password",
                            "cluster",
                            "user",
                            "namespace",
                            "certificate-authority",
                            "client-certificate",
                            "client-key",
                            "tokenFile",
                            "as"};

std::string absolute(const std::string& path, const std::string& file) {
  if (path.empty() || path.front() == '/') return path;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? path : file.substr(0, slash + 1) + path;
}

Status check_content(json::object& content, const std::string& path, const std::string& field) {
  for (const char* name : kTexts) {
    const json::value* member = content.if_contains(name);
    if (member != nullptr && !member->is_string() && !member->is_null()) {
      return wrong(path, field + "." + name, "is not text");
    }
  }
  for (const char* name : kPaths) {
    const std::string file = json::string_at(content, {name});
    if (!file.empty()) json::set(content, {name}, absolute(file, path));
  }
  if (json::value* exec = content.if_contains("exec"); exec != nullptr && !exec->is_null()) {
    if (!exec->is_object()) return wrong(path, field + ".exec", "is not a mapping");
    const std::string command = json::string_at(*exec, {"command"});
    if (command.empty()) return wrong(path, field + ".exec.command", "is missing");
    const std::string version = json::string_at(*exec, {"apiVersion"});
    if (version != "client.authentication.k8s.io/v1" && version != "client.authentication.k8s.io/v1beta1") {
      return wrong(path, field + ".exec.apiVersion", fmt::format("\"{}\" is not supported", version));
    }
    if (command.find('/') != std::string::npos) {
      json::set(exec->get_object(), {"command"}, absolute(command, path));
    }
  }
  // Where an entry came from, for errors later on.
  json::set(content, {"$file"}, path);
  return {};
}

const json::object* find_entry(const json::object& config, const Section& section, const std::string& name) {
  for (const json::value& entry : json::array_at(config, {section.list})) {
    if (json::string_at(entry, {"name"}) == name) return &json::object_at(entry, {section.member});
  }
  return nullptr;
}

/// NAME-data in base64, else the file that NAME names; empty where there is neither.
Result<std::string> data_or_file(const json::object& content, const std::string& field, const std::string& name) {
  const std::string origin = json::string_at(content, {"$file"});
  const std::string data = json::string_at(content, {name + "-data"});
  if (!data.empty()) {
    Result<std::string> decoded = from_base64(data);
    if (!decoded) return wrong(origin, field + "." + name + "-data", "is not base64");
    return decoded;
  }
  const std::string path = json::string_at(content, {name});
  if (path.empty()) return std::string();
  return read_file(path, size_t{1} << 20).in(fmt::format("kubeconfig {}: {}.{}", origin, field, name));
}

ExecPlugin read_plugin(const json::value& exec) {
  ExecPlugin plugin;
  plugin.api_version = json::string_at(exec, {"apiVersion"});
  plugin.command = json::string_at(exec, {"command"});
  plugin.args = json::strings(json::array_at(exec, {"args"}));
  plugin.install_hint = json::string_at(exec, {"installHint"});
  plugin.provide_cluster = json::bool_at(exec, {"provideClusterInfo"});
  for (const json::value& entry : json::array_at(exec, {"env"})) {
    plugin.env.emplace_back(json::string_at(entry, {"name"}), json::string_at(entry, {"value"}));
  }
  return plugin;
}

Status resolve_cluster(const json::object& cluster, const std::string& field, ClusterAccess& access) {
  const std::string origin = json::string_at(cluster, {"$file"});
  access.server = json::string_at(cluster, {"server"});
  if (access.server.empty()) return wrong(origin, field + ".server", "is missing");
  if (access.server.find("://") == std::string::npos) access.server.insert(0, "https://");
  while (access.server.ends_with('/')) access.server.pop_back();
  if (const Result<net::Url> url = net::parse_url(access.server); !url) {
    return wrong(origin, field + ".server", url.error().message());
  }
  access.tls.ca_pem = TRY(data_or_file(cluster, field, "certificate-authority"));
  access.tls.server_name = json::string_at(cluster, {"tls-server-name"});
  access.proxy = json::string_at(cluster, {"proxy-url"});
  if (json::bool_at(cluster, {"insecure-skip-tls-verify"})) {
    if (!access.tls.ca_pem.empty()) {
      return wrong(origin, field + ".insecure-skip-tls-verify", "cannot be combined with a certificate authority");
    }
    access.tls.verify = net::TlsOptions::Verify::none;
  }
  return {};
}

Status resolve_user(const json::object& user, const std::string& field, ClusterAccess& access) {
  const std::string origin = json::string_at(user, {"$file"});
  access.tls.certificate_pem = TRY(data_or_file(user, field, "client-certificate"));
  access.tls.key_pem = TRY(data_or_file(user, field, "client-key"));
  if (access.tls.certificate_pem.empty() != access.tls.key_pem.empty()) {
    return wrong(origin, field, "client-certificate and client-key go together");
  }
  access.token = json::string_at(user, {"token"});
  access.token_file = json::string_at(user, {"tokenFile"});
  access.username = json::string_at(user, {"username"});
  access.password = json::string_at(user, {"password"});
  access.impersonate_user = json::string_at(user, {"as"});
  access.impersonate_groups = json::strings(json::array_at(user, {"as-groups"}));
  const json::value* exec = json::find(user, {"exec"});
  if (exec != nullptr && exec->is_object()) access.exec = read_plugin(*exec);
  const json::value* provider = json::find(user, {"auth-provider"});
  if (provider != nullptr && provider->is_object()) {
    return Error(ErrorCode::unsupported,
                 fmt::format("kubeconfig {}: {}.auth-provider: is not supported", origin, field),
                 "use an exec plugin or a token");
  }
  return {};
}

}  // namespace

Result<json::object> parse_kubeconfig(std::string_view text, const std::string& path) {
  const std::vector<json::value> documents = TRY(yaml::parse_all(text).in("kubeconfig " + path));
  if (documents.empty()) return json::object();
  if (documents.size() > 1 || !documents.front().is_object()) return wrong(path, "file", "is not one mapping");
  json::object config = documents.front().get_object();
  const std::string kind = json::string_at(config, {"kind"}, "Config");
  if (kind != "Config") return wrong(path, "kind", fmt::format("is {}, not Config", kind));
  for (const Section& section : kSections) {
    json::value* list = config.if_contains(section.list);
    if (list == nullptr || list->is_null()) continue;
    if (!list->is_array()) return wrong(path, section.list, "is not a list");
    for (json::value& entry : list->get_array()) {
      const std::string name = json::string_at(entry, {"name"});
      if (name.empty()) return wrong(path, fmt::format("{}[].name", section.list), "is missing");
      const std::string field = fmt::format("{}[{}].{}", section.list, name, section.member);
      json::value& content = entry.get_object()[section.member];
      if (content.is_null()) content.emplace_object();
      if (!content.is_object()) return wrong(path, field, "is not a mapping");
      TRY(check_content(content.get_object(), path, field));
    }
  }
  return config;
}

json::object merge_kubeconfigs(const std::vector<json::object>& files) {
  json::object merged;
  for (const json::object& file : files) {
    if (json::string_at(merged, {"current-context"}).empty()) {
      json::set(merged, {"current-context"}, json::string_at(file, {"current-context"}));
    }
    for (const Section& section : kSections) {
      json::value& list = merged[section.list];
      if (!list.is_array()) list.emplace_array();
      for (const json::value& entry : json::array_at(file, {section.list})) {
        if (find_entry(merged, section, json::string_at(entry, {"name"})) == nullptr) list.get_array().push_back(entry);
      }
    }
  }
  return merged;
}

Result<ClusterAccess> resolve_context(const json::object& config, const std::string& context_wish) {
  const std::string name = context_wish.empty() ? json::string_at(config, {"current-context"}) : context_wish;
  if (name.empty()) {
    return Error(ErrorCode::invalid, "kubeconfig: current-context: is missing", "name one with --kubecontext");
  }
  const json::object* context = find_entry(config, kSections[1], name);
  if (context == nullptr) {
    return Error(ErrorCode::invalid, fmt::format("kubeconfig: contexts: there is none named \"{}\"", name));
  }
  const std::string origin = json::string_at(*context, {"$file"});
  const std::string field = fmt::format("contexts[{}].context", name);
  const std::string cluster_name = json::string_at(*context, {"cluster"});
  const json::object* cluster = find_entry(config, kSections[0], cluster_name);
  if (cluster == nullptr) {
    return wrong(origin, field + ".cluster", fmt::format("there is no cluster named \"{}\"", cluster_name));
  }
  ClusterAccess access;
  access.ns = json::string_at(*context, {"namespace"});
  if (access.ns.empty()) access.ns = "default";
  TRY(resolve_cluster(*cluster, fmt::format("clusters[{}].cluster", cluster_name), access));
  const std::string user_name = json::string_at(*context, {"user"});
  if (user_name.empty()) return access;
  const json::object* user = find_entry(config, kSections[2], user_name);
  if (user == nullptr) return wrong(origin, field + ".user", fmt::format("there is no user named \"{}\"", user_name));
  TRY(resolve_user(*user, fmt::format("users[{}].user", user_name), access));
  return access;
}

std::vector<std::string> kubeconfig_paths(std::string_view kubeconfig_variable, const std::string& home) {
  std::vector<std::string> paths;
  for (const std::string& path : split(kubeconfig_variable, ':')) {
    if (!path.empty() && std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  if (paths.empty()) paths.push_back(home + "/.kube/config");
  return paths;
}

Result<ClusterAccess> load_kubeconfig(const std::vector<std::string>& paths, const std::string& context) {
  std::vector<json::object> files;
  for (const std::string& path : paths) {
    Result<std::string> text = read_file(path, size_t{16} << 20);
    if (text.is(ErrorCode::not_found) && paths.size() > 1) continue;
    if (text.is(ErrorCode::not_found)) {
      return Error(ErrorCode::not_found, fmt::format("kubeconfig: there is no file {}", path),
                   "name one with --kubeconfig or KUBECONFIG");
    }
    const std::string content = TRY(std::move(text).in("kubeconfig"));
    files.push_back(TRY(parse_kubeconfig(content, path)));
  }
  if (files.empty()) {
    return Error(ErrorCode::not_found, "kubeconfig: none of its files exists", "set KUBECONFIG or --kubeconfig");
  }
  return resolve_context(merge_kubeconfigs(files), context);
}

Result<ClusterAccess> in_cluster_access(const std::string& host, const std::string& port,
                                        const std::string& directory) {
  if (host.empty() || port.empty()) {
    return Error(ErrorCode::not_found, "this is not a pod: KUBERNETES_SERVICE_HOST or _PORT is not set",
                 "give a kubeconfig");
  }
  ClusterAccess access;
  const bool v6 = host.find(':') != std::string::npos;
  access.server = v6 ? fmt::format("https://[{}]:{}", host, port) : fmt::format("https://{}:{}", host, port);
  if (const Result<net::Url> url = net::parse_url(access.server); !url)
    return url.error().in("KUBERNETES_SERVICE_HOST");
  access.token_file = directory + "/token";
  access.proxy = "-";
  TRY(read_file(access.token_file, size_t{1} << 20).in("service account"));
  access.tls.ca_pem = TRY(read_file(directory + "/ca.crt", size_t{1} << 20).in("service account"));
  Result<std::string> ns = read_file(directory + "/namespace", 4096);
  if (ns.ok() && !trim(*ns).empty()) access.ns = trim(*ns);
  return access;
}

}  // namespace holdfast::kube
