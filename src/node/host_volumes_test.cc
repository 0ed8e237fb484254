#include "node/host_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/random.h"
#include "kube/fake_api.h"
#include "node/engine_share.h"

namespace holdfast::node {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class HostVolumesTest : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(root_); }
  void make(const std::string& path) { fs::create_directories(root_ + "/uid-1/volumes/" + path); }
  Result<std::string> find(const std::string& name) { return find_volume_directory(root_, "uid-1", name); }
  const std::string root_ = testing::TempDir() + "host-volumes-" + random_hex(6);
};

TEST_F(HostVolumesTest, FindsEachKindOfVolume) {
  make("kubernetes.io~empty-dir/tmp");
  make("kubernetes.io~local-volume/pv-1");
  make("kubernetes.io~csi/pvc-2/mount");
  EXPECT_EQ(*find("tmp"), root_ + "/uid-1/volumes/kubernetes.io~empty-dir/tmp");
  EXPECT_EQ(*find("pv-1"), root_ + "/uid-1/volumes/kubernetes.io~local-volume/pv-1");
  EXPECT_EQ(*find("pvc-2"), root_ + "/uid-1/volumes/kubernetes.io~csi/pvc-2/mount");
}

TEST_F(HostVolumesTest, ExactlyOneMustMatch) {
  EXPECT_TRUE(find("data").is(ErrorCode::not_found)) << "the pod has no directory at all";
  make("kubernetes.io~empty-dir/data");
  make("kubernetes.io~csi/data/mount");
  const Result<std::string> two = find("data");
  ASSERT_TRUE(two.is(ErrorCode::conflict));
  EXPECT_THAT(two.error().message(), HasSubstr("kubernetes.io~csi/data/mount"));
  EXPECT_THAT(two.error().message(), HasSubstr("kubernetes.io~empty-dir/data"));
  const Result<std::string> none = find("nosuch");
  ASSERT_TRUE(none.is(ErrorCode::not_found));
  EXPECT_THAT(none.error().message(), HasSubstr("no directory matches"));
}

TEST_F(HostVolumesTest, ACsiVolumeThatIsNotMountedIsNotThere) {
  make("kubernetes.io~csi/pvc-2");
  EXPECT_TRUE(find("pvc-2").is(ErrorCode::not_found));
}

TEST_F(HostVolumesTest, LinksOnTheWayAreNotFollowed) {
  make("real/pv-1");
  fs::create_directories(root_ + "/elsewhere/pv-1");
  fs::create_directory_symlink(root_ + "/elsewhere", root_ + "/uid-1/volumes/kubernetes.io~local-volume");
  EXPECT_EQ(*find("pv-1"), root_ + "/uid-1/volumes/real/pv-1");
}

TEST_F(HostVolumesTest, ABareDirectoryIsNoVolume) {
  make("kubernetes.io~local-volume/pv-1");
  make("kubernetes.io~csi/pv-2/mount");
  make("kubernetes.io~empty-dir/tmp");
  for (const char* name : {"pv-1", "pv-2"}) {
    const Status bare = check_mounted(*find(name), is_mount_point);
    ASSERT_TRUE(bare.is(ErrorCode::conflict)) << name;
    EXPECT_THAT(bare.error().message(), HasSubstr("nothing is mounted at " + *find(name)));
    EXPECT_THAT(bare.error().hint(), HasSubstr("HostToContainer"));
  }
  EXPECT_TRUE(check_mounted(*find("tmp"), is_mount_point).ok());
  const MountTest blind = [](const std::string&) -> Result<bool> { return Error(ErrorCode::denied, "no table"); };
  EXPECT_TRUE(check_mounted(*find("pv-1"), blind).is(ErrorCode::denied));
}

/// In a mount namespace of its own, where the kernel lets us have one; says how it went by its exit code.
int bind_and_look(const std::string& source, const std::string& target) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 7;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 7;
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return 7;
  const Result<bool> found = is_mount_point(target);
  return found.ok() && *found ? 0 : 1;
}

TEST_F(HostVolumesTest, ABindMountOfTheSameFileSystemIsSeen) {
  const std::string target = root_ + "/uid-1/volumes/kubernetes.io~local-volume/pv with blank";
  fs::create_directories(target);
  fs::create_directories(root_ + "/disk");
  EXPECT_FALSE(is_mount_point(target).value());
  EXPECT_TRUE(is_mount_point("/").value());
  EXPECT_TRUE(is_mount_point("/proc").value());
  EXPECT_TRUE(is_mount_point(root_ + "/nosuch").is(ErrorCode::not_found));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(bind_and_look(root_ + "/disk", target));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  // 7: this machine lets nobody mount; what was looked at above still holds.
  EXPECT_THAT(WEXITSTATUS(status), testing::AnyOf(0, 7));
}

TEST_F(HostVolumesTest, NamesAreNoPaths) {
  make("kubernetes.io~empty-dir/data");
  for (const char* name : {"", ".", "..", "../data", "a/b"}) {
    EXPECT_TRUE(find(name).is(ErrorCode::invalid)) << name;
    EXPECT_TRUE(find_volume_directory(root_, name, "data").is(ErrorCode::invalid)) << name;
  }
}

TEST_F(HostVolumesTest, ALinkIsNoVolume) {
  make("kubernetes.io~empty-dir");
  fs::create_directories(root_ + "/elsewhere");
  fs::create_symlink(root_ + "/elsewhere", root_ + "/uid-1/volumes/kubernetes.io~empty-dir/data");
  EXPECT_TRUE(find("data").is(ErrorCode::not_found));
}

class DescribeVolumeTest : public testing::Test {
 protected:
  void SetUp() override {
    api_.seed_yaml(R"(
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: app, uid: pod-uid}
spec:
  nodeName: n1
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: web-data}}
  - {name: own, ephemeral: {volumeClaimTemplate: {}}}
  - {name: raw, persistentVolumeClaim: {claimName: web-raw}}
  - {name: unbound, persistentVolumeClaim: {claimName: web-unbound}}
  - {name: lost, persistentVolumeClaim: {claimName: web-lost}}
  - {name: tmp, emptyDir: {}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web-data, namespace: app, uid: claim-uid}
spec: {volumeName: pv-1, volumeMode: Filesystem}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web-own, namespace: app}
spec: {volumeName: pv-2}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web-raw, namespace: app}
spec: {volumeName: pv-3, volumeMode: Block}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web-unbound, namespace: app}
spec: {}
)");
    pod_ = api_.peek(kube::types::pods(), "app", "web");
  }
  kube::FakeApi api_;
  json::value pod_;
};

TEST_F(DescribeVolumeTest, FollowsClaims) {
  EXPECT_EQ(describe_volume(api_, pod_, "data")->directory_name, "pv-1");
  EXPECT_EQ(describe_volume(api_, pod_, "data")->claim, "web-data");
  EXPECT_EQ(describe_volume(api_, pod_, "data")->claim_uid, "claim-uid");
  EXPECT_EQ(describe_volume(api_, pod_, "own")->directory_name, "pv-2");
  EXPECT_EQ(describe_volume(api_, pod_, "tmp")->directory_name, "tmp");
  EXPECT_EQ(describe_volume(api_, pod_, "tmp")->claim, "");
}

TEST_F(DescribeVolumeTest, NamesWhatIsWrong) {
  EXPECT_TRUE(describe_volume(api_, pod_, "raw").is(ErrorCode::unsupported));
  EXPECT_TRUE(describe_volume(api_, pod_, "unbound").is(ErrorCode::conflict));
  EXPECT_TRUE(describe_volume(api_, pod_, "nosuch").is(ErrorCode::not_found));
  const Result<PodVolume> lost = describe_volume(api_, pod_, "lost");
  ASSERT_TRUE(lost.is(ErrorCode::not_found));
  EXPECT_THAT(lost.error().message(), HasSubstr("claim app/web-lost of volume lost"));
}

TEST_F(DescribeVolumeTest, APodIsKnownByItsUid) {
  EXPECT_TRUE(find_pod(api_, {"Pod", "app", "web", "pod-uid", {}}).ok());
  EXPECT_TRUE(find_pod(api_, {"Pod", "app", "web", "", {}}).ok());
  EXPECT_THAT(find_pod(api_, {"Pod", "app", "web", "older", {}}).error().message(),
              HasSubstr("another pod has its name"));
  EXPECT_TRUE(find_pod(api_, {"Pod", "app", "gone", "x", {}}).is(ErrorCode::not_found));
}

TEST(EngineShare, StaysBelowTheCeilingWhereItCan) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  for (uint64_t memory : {64 * kMiB, 128 * kMiB, 512 * kMiB, 1024 * kMiB, 8192 * kMiB}) {
    for (size_t workers : {size_t{1}, size_t{4}, size_t{16}}) {
      const EngineShare share = share_engine(memory, workers, 4);
      EXPECT_LE(share.workers * memory_of_work(share), memory) << memory << " " << workers;
      EXPECT_GE(share.workers, 1U);
      EXPECT_GE(share.connections, 1U);
      EXPECT_GE(share.pack_size, 4 * kMiB);
    }
  }
  EXPECT_EQ(share_engine(1, 9, 4).workers, 1U) << "one always remains";
  EXPECT_EQ(share_engine(8192 * kMiB, 4, 4).workers, 4U);
}

}  // namespace
}  // namespace holdfast::node
