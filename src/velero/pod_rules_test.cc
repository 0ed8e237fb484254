#include "velero/fixture.h"
#include "velero/hooks.h"
#include "velero/volume_rules.h"

namespace holdfast::velero {
namespace {

json::value pod(const std::string& annotations = "{}") {
  return *json::parse(
      R"({"metadata":{"name":"p","namespace":"n","labels":{"app":"db"},"annotations":)" + annotations +
      R"(},"spec":{"containers":[{"name":"c1","volumeMounts":[{"name":"data"},{"name":"scratch"},)"
      R"({"name":"cfg"},{"name":"host"},{"name":"proj"}]},{"name":"c2"}],"volumes":[)"
      R"({"name":"data","persistentVolumeClaim":{"claimName":"pvc1"}},{"name":"scratch","emptyDir":{}},)"
      R"({"name":"cfg","configMap":{"name":"x"}},{"name":"host","hostPath":{"path":"/"}},)"
      R"({"name":"proj","projected":{}},{"name":"loose","emptyDir":{}},)"
      R"({"name":"eph","ephemeral":{"volumeClaimTemplate":{}}}]}})");
}

TEST(PodVolumes, OptIn) {
  EXPECT_TRUE(choose_pod_volumes(pod(), {}).volumes.empty());
  const PodVolumeChoice choice =
      choose_pod_volumes(pod(R"({"backup.velero.io/backup-volumes":"scratch, data,nosuch,loose,host"})"), {});
  EXPECT_EQ(choice.volumes, (StringList{"data", "scratch"}));
  ASSERT_EQ(choice.skipped.size(), 3U);
  for (const auto& skipped : choice.skipped) EXPECT_TRUE(skipped.warning) << skipped.volume;
}

TEST(PodVolumes, OptOut) {
  const PodVolumeRules rules{.default_volumes_to_fs_backup = true, .claim_is_host_path = {}, .claims_taken = nullptr};
  EXPECT_EQ(choose_pod_volumes(pod(), rules).volumes, (StringList{"data", "scratch"}));
  EXPECT_EQ(choose_pod_volumes(pod(R"({"backup.velero.io/backup-volumes-excludes":"data"})"), rules).volumes,
            StringList{"scratch"});
}

TEST(PodVolumes, ClaimsAreTakenOnceAndNotFromHostPaths) {
  const std::set<std::string> taken = {"n/pvc1"};
  PodVolumeRules rules{.default_volumes_to_fs_backup = true, .claim_is_host_path = {}, .claims_taken = &taken};
  EXPECT_EQ(choose_pod_volumes(pod(), rules).volumes, StringList{"scratch"});
  rules.claims_taken = nullptr;
  rules.claim_is_host_path = [](const std::string& namespace_, const std::string& claim) {
    return namespace_ == "n" && claim == "pvc1";
  };
  EXPECT_EQ(choose_pod_volumes(pod(), rules).volumes, StringList{"scratch"});
  EXPECT_EQ(claim_of(pod(), "data"), "pvc1");
  EXPECT_EQ(claim_of(pod(), "eph"), "p-eph");
  EXPECT_EQ(claim_of(pod(), "scratch"), "");
}

TEST(PodVolumes, MalformedPodsHaveNone) {
  for (const char* text : {"null", "[]", "{}", R"({"spec":{"volumes":[1,{"name":2}]}})"})
    EXPECT_TRUE(choose_pod_volumes(*json::parse(text), {}).volumes.empty()) << text;
}

TEST(BackupHooks, AnnotationsWinAndDefaultsAreFilledIn) {
  const BackupHooks spec =
      decode<BackupSpec>(
          *json::parse(R"({"hooks":{"resources":[{"name":"h","labelSelector":{"matchLabels":{"app":"db"}},)"
                       R"("pre":[{"exec":{"command":["/x"],"onError":"Continue"}},)"
                       R"({"exec":{"container":"c2","command":["/y"],"timeout":"5s"}}]}]}})"))
          ->hooks;
  auto hooks = backup_hooks(pod(), spec, HookMoment::pre);
  ASSERT_TRUE(hooks.ok());
  ASSERT_EQ(hooks->size(), 2U);
  EXPECT_EQ(hooks->at(0).container, "c1");
  EXPECT_EQ(hooks->at(0).on_error, OnError::proceed);
  EXPECT_EQ(hooks->at(0).timeout, std::chrono::seconds(30));
  EXPECT_EQ(hooks->at(1).container, "c2");
  EXPECT_EQ(hooks->at(1).on_error, OnError::fail);
  EXPECT_EQ(hooks->at(1).timeout, std::chrono::seconds(5));
  EXPECT_TRUE(backup_hooks(pod(), spec, HookMoment::post)->empty());

  const json::value annotated = pod(R"({"pre.hook.backup.velero.io/command":"[\"/bin/sh\",\"-c\",\"a b\"]",)"
                                    R"("pre.hook.backup.velero.io/timeout":"1m","post.hook.backup.velero.io/command":)"
                                    R"("/bin/true","post.hook.backup.velero.io/container":"c2"})");
  hooks = backup_hooks(annotated, spec, HookMoment::pre);
  ASSERT_EQ(hooks->size(), 1U);
  EXPECT_EQ(hooks->at(0).command, (StringList{"/bin/sh", "-c", "a b"}));
  EXPECT_EQ(hooks->at(0).timeout, std::chrono::minutes(1));
  hooks = backup_hooks(annotated, spec, HookMoment::post);
  ASSERT_EQ(hooks->size(), 1U);
  EXPECT_EQ(hooks->at(0).command, StringList{"/bin/true"});
  EXPECT_EQ(hooks->at(0).container, "c2");
  hooks = backup_hooks(pod(R"({"hook.backup.velero.io/command":"/old"})"), {}, HookMoment::pre);
  ASSERT_EQ(hooks->size(), 1U);
}

TEST(BackupHooks, SpecsAreFiltered) {
  const auto names = [](const char* filter) {
    const std::string text =
        std::string(R"({"hooks":{"resources":[{"name":"h","pre":[{"exec":{"command":["/x"]}}],)") + filter + "}]}}";
    return backup_hooks(pod(), decode<BackupSpec>(*json::parse(text))->hooks, HookMoment::pre)->size();
  };
  EXPECT_EQ(names(R"("includedNamespaces":["n"])"), 1U);
  EXPECT_EQ(names(R"("includedNamespaces":["m"])"), 0U);
  EXPECT_EQ(names(R"("excludedNamespaces":["n"])"), 0U);
  EXPECT_EQ(names(R"("includedResources":["po"])"), 1U);
  EXPECT_EQ(names(R"("includedResources":["deployments"])"), 0U);
  EXPECT_EQ(names(R"("labelSelector":{"matchLabels":{"app":"web"}})"), 0U);
}

TEST(BackupHooks, BadAnnotationsAreNamed) {
  for (const char* annotations :
       {R"({"pre.hook.backup.velero.io/command":"[1]"})", R"({"pre.hook.backup.velero.io/command":"[oops"})",
        R"({"pre.hook.backup.velero.io/command":"x","pre.hook.backup.velero.io/timeout":"soon"})",
        R"({"pre.hook.backup.velero.io/command":"x","pre.hook.backup.velero.io/on-error":"no"})"}) {
    const auto hooks = backup_hooks(pod(annotations), {}, HookMoment::pre);
    ASSERT_FALSE(hooks.ok()) << annotations;
    EXPECT_EQ(hooks.error().message().find("pod n/p: annotation pre.hook.backup.velero.io/"), 0U)
        << hooks.error().message();
  }
}

TEST(RestoreHooks, ExecAndInit) {
  const RestoreHooks spec =
      decode<RestoreSpec>(*json::parse(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["/x"],)"
                                       R"("waitTimeout":"1m","waitForReady":true}},{"init":{"initContainers":)"
                                       R"([{"name":"i","image":"b"}],"timeout":"9s"}}]}]}})"))
          ->hooks;
  const auto exec = restore_exec_hooks(pod(), spec);
  ASSERT_EQ(exec->size(), 1U);
  EXPECT_TRUE(exec->at(0).wait_for_ready);
  EXPECT_EQ(exec->at(0).wait_timeout, std::chrono::minutes(1));
  EXPECT_EQ(exec->at(0).on_error, OnError::proceed);
  const auto init = restore_init_hooks(pod(), spec);
  EXPECT_EQ(json::compact(init->init_containers), R"([{"name":"i","image":"b"}])");
  EXPECT_EQ(init->timeout, std::chrono::seconds(9));
  const json::value annotated =
      pod(R"({"init.hook.restore.velero.io/container-image":"img",)"
          R"("init.hook.restore.velero.io/command":"/c","post.hook.restore.velero.io/command":)"
          R"("/d","post.hook.restore.velero.io/wait-for-ready":"true"})");
  EXPECT_EQ(json::compact(restore_init_hooks(annotated, spec)->init_containers),
            R"([{"name":"velero-restore-init","image":"img","command":["/c"]}])");
  EXPECT_EQ(restore_exec_hooks(annotated, spec)->at(0).command, StringList{"/d"});
  EXPECT_TRUE(restore_exec_hooks(annotated, spec)->at(0).wait_for_ready);
}

}  // namespace
}  // namespace holdfast::velero
