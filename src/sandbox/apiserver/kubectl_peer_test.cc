// kubectl, the client everybody uses, against this server. tests/peers/run_kubectl_conformance.sh chooses which one
// (HOLDFAST_KUBECTL) and skips where there is none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/random.h"
#include "base/text.h"
#include "net/test_identity.h"
#include "sandbox/apiserver/server.h"

namespace holdfast::sandbox {
namespace {

class KubectlPeer : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* asked = std::getenv("HOLDFAST_KUBECTL");
    kubectl_ = asked != nullptr ? asked : "kubectl";
    directory_ = ::testing::TempDir() + "/hf-kubectl-" + random_hex(6);
    ApiServerOptions options;
    options.data_dir = directory_ + "/data";
    // kubectl keeps its token to itself without TLS.
    const net::TestIdentity authority = net::make_test_authority("ca");
    const net::TestIdentity identity = net::issue_test_identity(
        authority, {.common_name = "api", .organizations = {}, .dns_names = {}, .addresses = {"127.0.0.1"}});
    options.certificate_pem = identity.certificate_pem;
    options.key_pem = identity.key_pem;
    options.tokens = {{"root", {.name = "admin", .groups = {"system:masters"}}}};
    server_ = ApiServer::start(options).value();
    ASSERT_TRUE(write_file_atomically(directory_ + "/kubeconfig",
                                      fmt::format("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                                                  "clusters: [{{name: c, cluster: {{server: '{}', "
                                                  "certificate-authority-data: {}}}}}]\n"
                                                  "contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
                                                  "users: [{{name: u, user: {{token: root}}}}]\n",
                                                  server_->url(), to_base64(authority.certificate_pem)))
                    .ok());
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::string run(std::vector<std::string> arguments, std::string_view input = {}, int expected = 0) {
    std::vector<std::string> argv{kubectl_, "--kubeconfig", directory_ + "/kubeconfig", "--cache-dir",
                                  directory_ + "/cache"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environment{"HOME=" + directory_, "PATH=" + std::string(std::getenv("PATH"))};
    const Result<CommandOutput> done = run_command(argv, input, std::chrono::seconds(60), {}, environment);
    EXPECT_TRUE(done.ok());
    EXPECT_EQ(done->code, expected) << fmt::format("kubectl {}\n{}{}", fmt::join(arguments, " "), done->out, done->err);
    return done->out + done->err;
  }
  static void has(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in:\n" << text;
  }
  std::string kubectl_;
  std::string directory_;
  std::unique_ptr<ApiServer> server_;
};

const char kApplication[] = R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {color: red}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "localhost/web:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
)";

TEST_F(KubectlPeer, AppliesChangesAndDeletesAnApplication) {
  has(run({"apply", "-f", "-"}, kApplication), "deployment.apps/web created");
  has(run({"apply", "-f", "-"}, kApplication), "deployment.apps/web unchanged");
  std::string changed = kApplication;
  changed.replace(changed.find("red"), 3, "blue");
  has(run({"apply", "-f", "-"}, changed), "configmap/settings configured");
  has(run({"get", "configmap", "settings", "-o", "jsonpath={.data.color}"}), "blue");
  has(run({"apply", "--server-side", "--force-conflicts", "-f", "-"}, kApplication), "serverside-applied");
  has(run({"get", "all"}), "deployment.apps/web   0/2");
  has(run({"get", "deploy,svc,cm", "-o", "wide"}), "10.96.");
  has(run({"scale", "deployment", "web", "--replicas=5"}), "scaled");
  has(run({"get", "deploy", "web", "-o", "yaml"}), "replicas: 5");
  has(run({"patch", "deployment", "web", "-p", R"({"spec":{"paused":true}})"}), "patched");
  has(run({"label", "cm", "settings", "tier=a"}), "labeled");
  has(run({"annotate", "cm", "settings", "note=b"}), "annotated");
  has(run({"describe", "deployment", "web"}), "localhost/web:1");
  has(run({"describe", "cm", "settings"}), "red");
  has(run({"diff", "-f", "-"}, changed, 1), "blue");
  has(run({"delete", "-f", "-"}, kApplication), "deployment.apps \"web\" deleted");
  has(run({"get", "all"}), "No resources found");
}

// All that Debian's kubectl 1.20 is asked for: its apply validates with an OpenAPI v2 document, its namespaces are
// written in protobuf.
TEST_F(KubectlPeer, ReadsAndDeletes) {
  has(run({"create", "--validate=false", "-f", "-"}, kApplication), "deployment.apps/web created");
  has(run({"get", "all"}), "deployment.apps/web   0/2");
  has(run({"get", "deploy,svc,cm", "-o", "wide"}), "10.96.");
  has(run({"get", "configmap", "settings", "-o", "jsonpath={.data.color}"}), "red");
  has(run({"get", "deploy", "web", "-o", "yaml"}), "replicas: 2");
  has(run({"get", "cm", "-l", "app=web", "-o", "name"}), "configmap/settings");
  has(run({"describe", "deployment", "web"}), "localhost/web:1");
  has(run({"describe", "cm", "settings"}), "red");
  has(run({"get", "ns"}), "kube-system");
  has(run({"get", "cm", "absent"}, {}, 1), "NotFound");
  has(run({"delete", "deployment/web", "service/web"}), "deployment.apps \"web\" deleted");
  has(run({"get", "all"}), "No resources found");
}

TEST_F(KubectlPeer, ExplainsItself) {
  has(run({"version"}), "v1.33.0+holdfast");
  has(run({"api-resources"}), "deploymentconfigs");
  has(run({"api-versions"}), "apps.openshift.io/v1");
  has(run({"get", "ns"}), "kube-system");
  has(run({"create", "-f", "-"}, "{apiVersion: v1, kind: Namespace, metadata: {name: extra}}"),
      "namespace/extra created");
  has(run({"create", "ns", "other"}, {}, 1), "UnsupportedMediaType");  // kubectl writes protobuf there
  has(run({"get", "pods", "-A"}), "No resources found");
  has(run({"get", "nothings"}, {}, 1), "doesn't have a resource type");
  has(run({"get", "cm", "absent"}, {}, 1), "NotFound");
  has(run({"auth", "can-i", "--list", "--as", "x"}, {}, 1), "selfsubjectrulesreviews");
}

TEST_F(KubectlPeer, ServesCustomResources) {
  const std::string definition = R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.demo.example.com}
spec:
  group: demo.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
)";
  run({"apply", "-f", "-"}, definition);
  run({"wait", "--for=condition=Established", "crd/widgets.demo.example.com", "--timeout=20s"});
  const std::string widget = "apiVersion: demo.example.com/v1\nkind: Widget\nmetadata: {name: w1}\nspec: {size: 7}\n";
  has(run({"apply", "-f", "-"}, widget), "widget.demo.example.com/w1 created");
  const std::string shown = run({"get", "wd"});
  has(shown, "SIZE");
  has(shown, "w1     7");
  run({"delete", "widget", "w1"});
  run({"delete", "crd", "widgets.demo.example.com"});
  has(run({"get", "wd"}, {}, 1), "could not find the requested resource");
}

}  // namespace
}  // namespace holdfast::sandbox
