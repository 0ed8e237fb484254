#include "kube/kubeconfig.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fake_clock.h"
#include "base/file.h"
#include "base/random.h"
#include "kube/credentials.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

class Directory {
 public:
  Directory() : path_(std::filesystem::temp_directory_path() / ("hf-kube-" + random_hex(6))) {
    std::filesystem::create_directories(path_);
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string write(const std::string& name, std::string_view text, unsigned mode = 0600) const {
    const std::string path = (path_ / name).string();
    EXPECT_TRUE(write_file_atomically(path, text, mode).ok());
    return path;
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

constexpr const char* kFull = R"(
apiVersion: v1
kind: Config
current-context: main
clusters:
- name: c1
  cluster: {server: "https://k.example:6443/", certificate-authority: ca.pem, proxy-url: "http://p:1", tls-server-name: k8s}
- name: c2
  cluster: {server: "10.0.0.1:6443", insecure-skip-tls-verify: true}
contexts:
- name: main
  context: {cluster: c1, user: u1, namespace: apps}
- name: other
  context: {cluster: c2, user: u2}
users:
- name: u1
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
- name: u2
  user: {username: ann, password: secret}
)";

TEST(Kubeconfig, ResolvesAContext) {
  const Directory directory;
  directory.write("ca.pem", "CA");
  const std::string path = directory.write("config", kFull);
  const ClusterAccess main = *load_kubeconfig({path}, "");
  EXPECT_EQ(main.server, "https://k.example:6443");
  EXPECT_EQ(main.tls.ca_pem, "CA");
  EXPECT_EQ(main.tls.certificate_pem, "CERT");
  EXPECT_EQ(main.tls.key_pem, "KEY");
  EXPECT_EQ(main.tls.server_name, "k8s");
  EXPECT_EQ(main.proxy, "http://p:1");
  EXPECT_EQ(main.ns, "apps");
  const ClusterAccess other = *load_kubeconfig({path}, "other");
  EXPECT_EQ(other.server, "https://10.0.0.1:6443");
  EXPECT_EQ(other.tls.verify, net::TlsOptions::Verify::none);
  EXPECT_EQ(other.ns, "default");
  EXPECT_EQ(Credentials(other).get({})->authorization, "Basic YW5uOnNlY3JldA==");
}

TEST(Kubeconfig, MergesTheFirstWins) {
  const Directory directory;
  const std::string first = directory.write("a", R"(
clusters: [{name: c, cluster: {server: "https://first"}}]
users: [{name: u, user: {token: t1}}]
)");
  const std::string second = directory.write("b", R"(
current-context: x
clusters: [{name: c, cluster: {server: "https://second"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
)");
  const ClusterAccess access = *load_kubeconfig({first, directory.path() + "/none", second}, "");
  EXPECT_EQ(access.server, "https://first");
  EXPECT_EQ(access.token, "t1");
  EXPECT_EQ(kubeconfig_paths("/a::/b:/a", "/home/x"), (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(kubeconfig_paths("", "/home/x"), std::vector<std::string>{"/home/x/.kube/config"});
  EXPECT_TRUE(load_kubeconfig({directory.path() + "/none"}, "").is(ErrorCode::not_found));
}

TEST(Kubeconfig, ErrorsNameFileAndField) {
  const std::vector<std::pair<const char*, const char*>> rows{
      {"clusters: 3", "clusters"},
      {"kind: Pod", "kind"},
      {"clusters: [{cluster: {server: x}}]", "clusters[].name"},
      {"clusters: [{name: c, cluster: 1}]", "clusters[c].cluster"},
      {"clusters: [{name: c, cluster: {server: 1}}]", "clusters[c].cluster.server"},
      {"users: [{name: u, user: {exec: {apiVersion: v1}}}]", "users[u].user.exec.command"},
      {"users: [{name: u, user: {exec: {command: x, apiVersion: v9}}}]", "users[u].user.exec.apiVersion"},
      {"current-context: x", "contexts"},
      {"contexts: []", "current-context"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: q}}]", "contexts[x].context.cluster"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c}]",
       "clusters[c].cluster.server"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
       "{server: 'https://h'}}]",
       "contexts[x].context.user"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
       "{server: 'https://h', certificate-authority-data: '!'}}]",
       "clusters[c].cluster.certificate-authority-data"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
       "{server: 'https://h'}}]\nusers: [{name: u, user: {client-key: /none/at/all}}]",
       "users[u].user.client-key"}};
  const Directory directory;
  for (const auto& [text, field] : rows) {
    const std::string path = directory.write("config", text);
    const Result<ClusterAccess> access = load_kubeconfig({path}, "");
    ASSERT_FALSE(access.ok()) << text;
    EXPECT_NE(access.error().message().find(field), std::string::npos) << access.error().message();
  }
}

TEST(InCluster, ReadsTheServiceAccountAndItsRotatingToken) {
  const Directory directory;
  directory.write("token", "one\n");
  directory.write("ca.crt", "CA");
  directory.write("namespace", "velero");
  EXPECT_TRUE(in_cluster_access("", "", directory.path()).is(ErrorCode::not_found));
  const ClusterAccess access = *in_cluster_access("fd00::1", "443", directory.path());
  EXPECT_EQ(access.server, "https://[fd00::1]:443");
  EXPECT_EQ(access.ns, "velero");
  FakeClock clock;
  Credentials credentials(access, &clock);
  EXPECT_EQ(credentials.get({})->authorization, "Bearer one");
  directory.write("token", "two\n");
  EXPECT_EQ(credentials.get({})->authorization, "Bearer one");
  clock.advance(2min);
  EXPECT_EQ(credentials.get({})->authorization, "Bearer two");
  directory.write("token", "three");
  EXPECT_TRUE(credentials.refused(*credentials.get({})));
  EXPECT_EQ(credentials.get({})->authorization, "Bearer three");
}

/// A plugin that counts its runs and answers with what is in `answer`.
struct Plugin {
  explicit Plugin(std::string_view answer) {
    directory.write("answer", answer);
    const std::string script = directory.write(
        "plugin",
        fmt::format("#!/bin/sh\necho run >> {0}/runs\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" > {0}/info\n"
                    "[ \"$1\" = fail ] && exit 3\n[ \"$1\" = hang ] && exec sleep 600\ncat {0}/$FILE\n",
                    directory.path()),
        0700);
    access.server = "https://h";
    access.exec = ExecPlugin{.api_version = "client.authentication.k8s.io/v1",
                             .command = script,
                             .env = {{"FILE", "answer"}},
                             .provide_cluster = true};
  }
  size_t runs() const { return read_file(directory.path() + "/runs").value_or("").size() / 4; }
  Directory directory;
  ClusterAccess access;
};

TEST(ExecPlugins, AnswerServesUntilItExpires) {
  FakeClock clock;
  const std::string end = format_rfc3339(clock.now() + 10min);
  Plugin plugin(fmt::format(R"({{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",
    "status":{{"token":"t1","expirationTimestamp":"{}"}}}})",
                            end));
  Credentials credentials(plugin.access, &clock);
  EXPECT_EQ(credentials.get({})->authorization, "Bearer t1");
  EXPECT_EQ(credentials.get({})->authorization, "Bearer t1");
  EXPECT_EQ(plugin.runs(), 1U);
  clock.advance(10min);
  EXPECT_TRUE(credentials.get({}).ok());
  EXPECT_EQ(plugin.runs(), 2U);
  const json::value info = *json::parse(*read_file(plugin.directory.path() + "/info"));
  EXPECT_EQ(json::string_at(info, {"kind"}), "ExecCredential");
  EXPECT_EQ(json::string_at(info, {"spec", "cluster", "server"}), "https://h");
}

TEST(ExecPlugins, FailuresAreErrorsWithoutTheAnswer) {
  Plugin plugin(
      R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"hush"}})");
  const auto run = [&](Duration limit = 20s) { return run_exec_plugin(*plugin.access.exec, plugin.access, limit, {}); };
  const auto wrong_version = run();
  ASSERT_TRUE(wrong_version.is(ErrorCode::denied));
  EXPECT_EQ(wrong_version.error().to_string().find("hush"), std::string::npos);
  plugin.access.exec->args = {"fail"};
  EXPECT_NE(run().error().message().find("ended with code 3"), std::string::npos);
  plugin.access.exec->args = {"hang"};
  EXPECT_TRUE(run(200ms).is(ErrorCode::timeout));
  plugin.access.exec->command = "/none/such";
  plugin.access.exec->install_hint = "install it";
  const auto missing = run();
  ASSERT_TRUE(missing.is(ErrorCode::not_found));
  EXPECT_EQ(missing.error().hint(), "install it");
}

TEST(ExecPlugins, AnswersAreChecked) {
  const std::string v1 = "client.authentication.k8s.io/v1";
  const auto answer = [&](const std::string& status) {
    return parse_exec_credential(
        fmt::format(R"({{"kind":"ExecCredential","apiVersion":"{}","status":{}}})", v1, status), v1);
  };
  EXPECT_EQ(answer(R"({"clientCertificateData":"C","clientKeyData":"K"})")->credential.key_pem, "K");
  EXPECT_TRUE(answer("{}").is(ErrorCode::denied));
  EXPECT_TRUE(answer(R"({"clientCertificateData":"C"})").is(ErrorCode::denied));
  EXPECT_FALSE(answer(R"({"token":"t","expirationTimestamp":"soon"})").ok());
  EXPECT_TRUE(parse_exec_credential("x", v1).is(ErrorCode::denied));
}

}  // namespace
}  // namespace holdfast::kube
