#include <gtest/gtest.h>

#include "backup/actions.h"
#include "backup/json_edit.h"
#include "base/yaml.h"

namespace holdfast::backup {
namespace {

json::object yaml_object(std::string_view text) {
  return yaml::parse(text).value().get_object();
}

RestoreFacts mapped_facts() {
  RestoreFacts facts;
  facts.restore_name = "r";
  facts.restore_uid = "uid-1";
  facts.namespace_mapping = {{"a", "b"}};
  facts.restore_wait.image = "img";
  return facts;
}

/// The changed object as text, after one action.
std::string after(Result<Outcome> (*act)(const json::object&, const RestoreFacts&), std::string_view text,
                  const RestoreFacts& facts = mapped_facts()) {
  Result<Outcome> out = act(yaml_object(text), facts);
  return out ? json::compact(out->object) : "error: " + out.error().to_string();
}

TEST(RestoreActions, JobLosesItsControllersUid) {
  EXPECT_EQ(after(actions::restore_job,
                  "{spec: {selector: {matchLabels: {controller-uid: u, batch.kubernetes.io/controller-uid: u, k: v}}, "
                  "template: {metadata: {labels: {controller-uid: u, k: v}}}}}"),
            R"({"spec":{"selector":{"matchLabels":{"k":"v"}},"template":{"metadata":{"labels":{"k":"v"}}}}})");
}

TEST(RestoreActions, PodLosesNodePriorityAndTokenVolumes) {
  const Outcome out = actions::restore_pod(yaml_object(R"(
kind: Pod
spec:
  nodeName: n
  priority: 5
  priorityClassName: high
  serviceAccountName: robot
  volumes: [{name: robot-token-x1}, {name: kube-api-access-x, projected: {}}, {name: data}]
  containers: [{name: c, volumeMounts: [{name: robot-token-x1}, {name: data}]}]
)"),
                                           mapped_facts())
                          .value();
  EXPECT_EQ(json::compact(out.object),
            R"({"kind":"Pod","spec":{"priorityClassName":"high","serviceAccountName":"robot","volumes":)"
            R"([{"name":"kube-api-access-x","projected":{}},{"name":"data"}],"containers":[{"name":"c",)"
            R"("volumeMounts":[{"name":"data"}]}]}})");
  ASSERT_EQ(out.additional.size(), 1U);
  EXPECT_EQ(out.additional[0].name, "high");
}

TEST(RestoreActions, InitHooksStandBehindTheWaitContainer) {
  RestoreFacts facts = mapped_facts();
  facts.init_hooks = [](const json::object&) { return std::vector<json::object>{{{"name", "hook"}}}; };
  EXPECT_EQ(after(actions::restore_init_hooks, "{spec: {initContainers: [{name: restore-wait}, {name: own}]}}", facts),
            R"({"spec":{"initContainers":[{"name":"restore-wait"},{"name":"hook"},{"name":"own"}]}})");
}

TEST(RestoreActions, ImagesAreRenamedInEveryWorkload) {
  RestoreFacts facts = mapped_facts();
  facts.image_names = {{"old.example", "new.example"}};
  EXPECT_EQ(after(actions::restore_image_names,
                  "{kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: "
                  "'old.example/x:1'}, {image: 'else/y'}]}}}}}}",
                  facts),
            R"({"kind":"CronJob","spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":)"
            R"([{"image":"new.example/x:1"},{"image":"else/y"}]}}}}}})");
}

TEST(RestoreActions, ServiceKeepsOnlyChosenPorts) {
  const std::string_view service = R"(
metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"spec":{"ports":[{"name":"http","nodePort":30080}]}}'}}
spec:
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  healthCheckNodePort: 31000
  ports: [{name: http, port: 80, nodePort: 30080}, {name: auto, port: 81, nodePort: 32000}]
)";
  const json::object kept = actions::restore_service(yaml_object(service), mapped_facts()).value().object;
  EXPECT_EQ(json::compact(kept.at("spec")),
            R"({"ports":[{"name":"http","port":80,"nodePort":30080},{"name":"auto","port":81}]})");
  RestoreFacts preserve = mapped_facts();
  preserve.preserve_node_ports = true;
  const json::object all = actions::restore_service(yaml_object(service), preserve).value().object;
  EXPECT_EQ(json::array_at(all, {"spec", "ports"})[1].at("nodePort"), 32000);
}

TEST(RestoreActions, ServicePortsAreProvedByManagedFieldsToo) {
  EXPECT_EQ(after(actions::restore_service, R"(
metadata: {managedFields: [{fieldsV1: {'f:spec': {'f:ports': {'k:{"port":80,"protocol":"TCP"}': {'f:nodePort': {}}}}}}]}
spec: {clusterIP: None, ports: [{port: 80, nodePort: 30080}, {port: 81, nodePort: 30081}]}
)")
                    .find(R"("spec":{"clusterIP":"None","ports":[{"port":80,"nodePort":30080},{"port":81}]})") !=
                std::string::npos,
            true);
}

TEST(RestoreActions, AccountLosesTokenSecrets) {
  EXPECT_EQ(after(actions::restore_service_account,
                  "{metadata: {name: robot}, secrets: [{name: robot-token-1}, {name: own}]}"),
            R"({"metadata":{"name":"robot"},"secrets":[{"name":"own"}]})");
}

TEST(RestoreActions, BindingsFollowTheMapping) {
  EXPECT_EQ(after(actions::restore_role_binding,
                  "{subjects: [{kind: ServiceAccount, namespace: a}, {kind: ServiceAccount, namespace: c}, {kind: "
                  "Group, name: 'system:serviceaccounts:a'}]}"),
            R"({"subjects":[{"kind":"ServiceAccount","namespace":"b"},{"kind":"ServiceAccount","namespace":"c"},)"
            R"({"kind":"Group","name":"system:serviceaccounts:b"}]})");
}

TEST(RestoreActions, TokenSecretsAreSkippedOrEmptied) {
  const std::string_view automatic = R"(
type: kubernetes.io/service-account-token
metadata: {name: robot-token-x, annotations: {kubernetes.io/service-account.name: robot}}
)";
  EXPECT_TRUE(actions::restore_secret(yaml_object(automatic), mapped_facts()).value().skip);
  EXPECT_EQ(after(actions::restore_secret, R"(
type: kubernetes.io/service-account-token
metadata: {name: mine, annotations: {kubernetes.io/service-account.name: robot, kubernetes.io/service-account.uid: u}}
data: {token: eA==, ca.crt: eA==, own: eA==}
)"),
            R"({"type":"kubernetes.io/service-account-token","metadata":{"name":"mine","annotations":)"
            R"({"kubernetes.io/service-account.name":"robot"}},"data":{"own":"eA=="}})");
}

TEST(RestoreActions, ClusterOwnedAndInvalidThingsAreSetRight) {
  EXPECT_TRUE(actions::restore_api_service(
                  yaml_object("{metadata: {labels: {kube-aggregator.kubernetes.io/automanaged: 'true'}}}"), {})
                  .value()
                  .skip);
  EXPECT_FALSE(actions::restore_api_service(yaml_object("{metadata: {name: own}}"), {}).value().skip);
  EXPECT_EQ(after(actions::restore_admission_webhooks,
                  "{apiVersion: admissionregistration.k8s.io/v1, webhooks: [{sideEffects: Unknown}, {sideEffects: "
                  "NoneOnDryRun}]}"),
            R"({"apiVersion":"admissionregistration.k8s.io/v1","webhooks":[{"sideEffects":"None"},)"
            R"({"sideEffects":"NoneOnDryRun"}]})");
  EXPECT_EQ(after(actions::restore_crd, "{spec: {preserveUnknownFields: true, versions: [{name: v1}]}}"),
            R"({"spec":{"preserveUnknownFields":false,"versions":[{"name":"v1","schema":{"openAPIV3Schema":)"
            R"({"x-kubernetes-preserve-unknown-fields":true,"type":"object"}}}]}})");
}

TEST(RestoreActions, ClaimsLoseTheirBindingAndNameTheirVolume) {
  const Outcome out = actions::restore_pvc(yaml_object(R"(
metadata: {name: c, annotations: {pv.kubernetes.io/bind-completed: "yes", volume.kubernetes.io/selected-node: n, own: x}}
spec: {volumeName: pv1}
)"),
                                           {})
                          .value();
  EXPECT_EQ(json::compact(out.object.at("metadata").at("annotations")), R"({"own":"x"})");
  ASSERT_EQ(out.additional.size(), 1U);
  EXPECT_EQ(out.additional[0].to_string(), "persistentvolumes pv1");
}

TEST(RestoreActions, StorageClassesAreMappedOnlyToThoseThatExist) {
  RestoreFacts facts = mapped_facts();
  facts.storage_class_map = {{"fast", "ssd"}};
  facts.storage_classes = {"ssd"};
  EXPECT_EQ(
      after(actions::restore_storage_class,
            "{spec: {volumeClaimTemplates: [{spec: {storageClassName: fast}}, {spec: {storageClassName: slow}}]}}",
            facts),
      R"({"spec":{"volumeClaimTemplates":[{"spec":{"storageClassName":"ssd"}},)"
      R"({"spec":{"storageClassName":"slow"}}]}})");
  facts.storage_classes.clear();
  EXPECT_TRUE(
      actions::restore_storage_class(yaml_object("{spec: {storageClassName: fast}}"), facts).is(ErrorCode::not_found));
}

TEST(RestoreActions, WaitContainerHoldsThePodForItsVolumes) {
  RestoreFacts facts = mapped_facts();
  const auto volume = [&](const std::string& name) {
    RestoredVolume one;
    one.pod_namespace = "a";
    one.pod = "p";
    one.volume = name;
    one.snapshot_id = "1";
    facts.volumes.push_back(one);
  };
  volume("data");
  volume("token");
  volume("gone");
  const json::object pod = yaml_object(R"(
metadata: {name: p, namespace: a}
spec:
  initContainers: [{name: restic-wait}, {name: own}]
  containers: [{name: c, securityContext: {runAsUser: 7}}]
  volumes: [{name: data}, {name: token, projected: {}}]
)");
  const json::object held = actions::restore_pod_volumes(pod, facts).value().object;
  const json::array& inits = json::array_at(held, {"spec", "initContainers"});
  ASSERT_EQ(inits.size(), 2U);
  EXPECT_EQ(json::compact(inits[0]),
            R"({"name":"restore-wait","image":"img","command":["holdfast","restore-helper"],"args":["uid-1",)"
            R"("--deadline=4h0m0s"],"env":[{"name":"POD_NAMESPACE","valueFrom":{"fieldRef":{"fieldPath":)"
            R"("metadata.namespace"}}},{"name":"POD_NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],)"
            R"("resources":{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"cpu":"100m","memory":"128Mi"}},)"
            R"("securityContext":{"runAsUser":7},"terminationMessagePolicy":"FallbackToLogsOnError",)"
            R"("volumeMounts":[{"name":"data","mountPath":"/restores/data"}]})");
  EXPECT_EQ(json::string_at(inits[1], {"name"}), "own");
  facts.volumes.clear();
  const json::object free = actions::restore_pod_volumes(pod, facts).value().object;
  EXPECT_EQ(json::array_at(free, {"spec", "initContainers"}).size(), 1U);
}

TEST(RestoreActions, NoActionFallsOverOddObjects) {
  RestoreFacts facts = mapped_facts();
  facts.openshift_version = "1.29";
  facts.storage_class_map = {{"x", "y"}};
  facts.image_names = {{"x", "y"}};
  for (const RestoreAction& action : restore_actions()) {
    for (const std::string_view text :
         {"{}", "{metadata: 1, spec: [x], subjects: {}, users: 1, webhooks: [1], kind: Pod}"}) {
      EXPECT_TRUE(action.act(yaml_object(text), facts).ok()) << action.name;
    }
  }
}

/// All actions of a type on OpenShift.
Outcome on_openshift(std::string_view type, std::string_view text, RestoreFacts facts = mapped_facts()) {
  facts.openshift_version = "1.29";
  facts.registry_hostname = "new:5000";
  return run_restore_actions(type, yaml_object(text), facts).value();
}

TEST(OpenShiftRestoreActions, ADeploymentConfigWithVolumesIsHeldAtZero) {
  const std::string_view config = R"(
kind: DeploymentConfig
metadata: {name: d, namespace: a, annotations: {
  oadp.openshift.io/includes-dm-dc-fix: "true", oadp.openshift.io/pods-have-volumes: "HELD"}}
spec: {replicas: 3, paused: true, triggers: [{imageChangeParams: {from: {namespace: a}}}]}
)";
  std::string held(config);
  held.replace(held.find("HELD"), 4, "true");
  const json::object out = on_openshift("deploymentconfigs.apps.openshift.io", held).object;
  EXPECT_EQ(annotation(out, "oadp.openshift.io/original-replicas"), "3");
  EXPECT_EQ(annotation(out, "oadp.openshift.io/original-paused"), "true");
  EXPECT_EQ(label(out, "oadp.openshift.io/replicas-modified"), "r");
  EXPECT_EQ(json::int_at(out, {"spec", "replicas"}, 9), 0);
  EXPECT_FALSE(json::bool_at(out, {"spec", "paused"}, true));
  EXPECT_EQ(json::string_at(json::array_at(out, {"spec", "triggers"})[0], {"imageChangeParams", "from", "namespace"}),
            "b");
  held.replace(held.find("\"true\"}"), 6, "\"false\"");
  const json::object left = on_openshift("deploymentconfigs.apps.openshift.io", held).object;
  EXPECT_EQ(json::int_at(left, {"spec", "replicas"}), 3);
}

TEST(OpenShiftRestoreActions, ADeploymentConfigWhoseDataComesBackIsHeldWhateverItsAnnotationsSay) {
  RestoreFacts facts = mapped_facts();
  facts.openshift_version = "4.12";
  RestoredVolume volume;
  volume.pod_namespace = "a";
  volume.pod = "d-1-x2c4v";
  volume.volume = "v";
  facts.volumes = {volume};
  const json::object config = yaml::parse(R"(
kind: DeploymentConfig
metadata: {name: d, namespace: a, annotations: {
  oadp.openshift.io/includes-dm-dc-fix: "true", oadp.openshift.io/pods-have-volumes: "false"}}
spec: {replicas: 3}
)")
                                  ->as_object();
  const Result<Outcome> held = run_restore_actions("deploymentconfigs.apps.openshift.io", config, facts);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(json::int_at(held->object, {"spec", "replicas"}, 9), 0);
  facts.volumes[0].pod = "other-1-x2c4v";
  const Result<Outcome> left = run_restore_actions("deploymentconfigs.apps.openshift.io", config, facts);
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(json::int_at(left->object, {"spec", "replicas"}), 3);
}

TEST(OpenShiftRestoreActions, PodsOfConfigsAreCutOffAndOthersLeftToTheirOwners) {
  RestoreFacts facts = mapped_facts();
  RestoredVolume volume;
  volume.pod_namespace = "a";
  volume.pod = "d-1";
  volume.volume = "v";
  facts.volumes = {volume};
  const Outcome cut = on_openshift("pods", R"(
kind: Pod
metadata: {name: d-1, namespace: a, labels: {deployment: d-1, deploymentconfig: d, app: x}, ownerReferences: [{kind: ReplicationController, name: d-1}],
  annotations: {openshift.io/deployment-config.name: d, openshift.io/backup-registry-hostname: 'old:5000'}}
spec: {nodeSelector: {x: y}, imagePullSecrets: [{name: default-dockercfg-abc}], containers: [{image: 'old:5000/a/app:1'}], volumes: [{name: v}]}
)",
                                   facts);
  EXPECT_FALSE(cut.skip);
  EXPECT_TRUE(cut.needs_pull_secret);
  EXPECT_EQ(label(cut.object, "deploymentconfig") + label(cut.object, "deployment"), "");
  EXPECT_EQ(label(cut.object, "oadp.openshift.io/disconnected-from-dc"), "r");
  EXPECT_EQ(json::find(cut.object, {"spec", "nodeSelector"}), nullptr);
  EXPECT_EQ(json::string_at(json::array_at(cut.object, {"spec", "containers"})[0], {"image"}), "new:5000/b/app:1");
  EXPECT_TRUE(on_openshift("pods",
                           "{kind: Pod, metadata: {name: x, namespace: a, ownerReferences: [{kind: "
                           "ReplicaSet}]}}")
                  .skip);
  EXPECT_TRUE(on_openshift("pods", "{kind: Pod, metadata: {name: x, annotations: {openshift.io/build.name: b}}}").skip);
  facts.has_hooks = [](const json::object&) { return true; };
  EXPECT_FALSE(on_openshift("pods",
                            "{kind: Pod, metadata: {name: x, namespace: a, ownerReferences: [{kind: "
                            "ReplicaSet}]}}",
                            facts)
                   .skip);
}

TEST(OpenShiftRestoreActions, WhatOpenShiftMakesItselfIsSkipped) {
  const std::string_view controller =
      "{metadata: {name: d-1, namespace: a, ownerReferences: [{kind: DeploymentConfig, name: d}]}}";
  EXPECT_TRUE(on_openshift("replicationcontrollers", controller).skip);
  RestoreFacts facts = mapped_facts();
  facts.paused_deployment_configs = {{"deploymentconfigs.apps.openshift.io", "a", "d"}};
  EXPECT_FALSE(on_openshift("replicationcontrollers", controller, facts).skip);
  EXPECT_TRUE(on_openshift("rolebindings.authorization.openshift.io", "{metadata: {name: 'system:deployers'}}").skip);
  EXPECT_TRUE(on_openshift("builds.build.openshift.io", "{}").skip);
  EXPECT_TRUE(on_openshift("imagetags.image.openshift.io", "{}").skip);
  EXPECT_TRUE(on_openshift("jobs.batch", "{metadata: {ownerReferences: [{kind: CronJob}]}}").skip);
  EXPECT_TRUE(
      on_openshift("secrets", "{metadata: {annotations: {service.beta.openshift.io/originating-service-name: s}}}")
          .skip);
  EXPECT_TRUE(on_openshift("configmaps", "{metadata: {ownerReferences: [{kind: Pod, name: x-build}]}}").skip);
}

TEST(OpenShiftRestoreActions, HostsAccountsBindingsAndServicesAreSetRight) {
  EXPECT_EQ(json::find(on_openshift("routes.route.openshift.io",
                                    "{metadata: {annotations: {openshift.io/host.generated: 'true'}}, spec: {host: h}}")
                           .object,
                       {"spec", "host"}),
            nullptr);
  EXPECT_EQ(json::string_at(on_openshift("routes.route.openshift.io", "{metadata: {name: x}, spec: {host: h}}").object,
                            {"spec", "host"}),
            "h");
  const json::object account = on_openshift("serviceaccounts",
                                            "{metadata: {name: s}, secrets: [{name: s-dockercfg-1}, {name: own}], "
                                            "imagePullSecrets: [{name: s-dockercfg-1}]}")
                                   .object;
  EXPECT_EQ(json::array_at(account, {"secrets"}).size(), 1U);
  EXPECT_EQ(json::find(account, {"imagePullSecrets"}), nullptr);
  const json::object binding = on_openshift("rolebindings.authorization.openshift.io",
                                            "{metadata: {name: x}, subjects: [{kind: ServiceAccount, namespace: a}], "
                                            "userNames: ['system:serviceaccount:a:s'], "
                                            "groupNames: ['system:serviceaccounts:a']}")
                                   .object;
  EXPECT_EQ(json::array_at(binding, {"userNames"})[0], "system:serviceaccount:b:s");
  EXPECT_EQ(json::array_at(binding, {"groupNames"})[0], "system:serviceaccounts:b");
  EXPECT_EQ(json::array_at(on_openshift("securitycontextconstraints.security.openshift.io",
                                        "{users: ['system:serviceaccount:a:s', bob]}")
                               .object,
                           {"users"})[0],
            "system:serviceaccount:b:s");
  EXPECT_EQ(json::find(on_openshift("services", "{spec: {type: LoadBalancer, externalIPs: [1.2.3.4]}}").object,
                       {"spec", "externalIPs"}),
            nullptr);
  EXPECT_EQ(json::string_at(on_openshift("horizontalpodautoscalers.autoscaling",
                                         "{spec: {scaleTargetRef: {kind: DeploymentConfig, apiVersion: v1}}}")
                                .object,
                            {"spec", "scaleTargetRef", "apiVersion"}),
            "apps.openshift.io/v1");
}

TEST(OpenShiftRestoreActions, OtherClustersPodsAreLeftAlone) {
  const Outcome out =
      run_restore_actions(
          "pods",
          yaml_object(
              "{kind: Pod, metadata: {name: x, ownerReferences: [{kind: ReplicaSet}]}, spec: {nodeSelector: {a: b}}}"),
          mapped_facts())
          .value();
  EXPECT_FALSE(out.skip);
  EXPECT_NE(json::find(out.object, {"spec", "nodeSelector"}), nullptr);
}

}  // namespace
}  // namespace holdfast::backup
