#include "kube/fake_api.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/fake_clock.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;
using Kind = WatchEvent::Kind;

json::value parsed(std::string_view text) {
  return *json::parse(text);
}

json::value config_map(const std::string& name, const std::string& value = "1") {
  return json::object{{"metadata", {{"name", name}}}, {"data", {{"k", value}}}};
}

std::string meta(const json::value& object, std::string_view member) {
  const json::value* found = json::find(object, {"metadata", member});
  if (found == nullptr) return "";
  return found->is_string() ? std::string(found->get_string()) : json::compact(*found);
}

TEST(FakeApi, CreateFillsWhatAServerFills) {
  FakeClock clock;
  FakeApi api({.clock = &clock});
  const json::value made = *api.create(types::config_maps(), "default", config_map("a"));
  EXPECT_EQ(json::string_at(made, {"kind"}), "ConfigMap");
  EXPECT_EQ(json::string_at(made, {"apiVersion"}), "v1");
  EXPECT_EQ(meta(made, "namespace"), "default");
  EXPECT_EQ(meta(made, "uid").size(), 36U);
  EXPECT_EQ(meta(made, "creationTimestamp"), format_rfc3339(clock.now()));
  EXPECT_FALSE(meta(made, "resourceVersion").empty());
  EXPECT_EQ(*api.get(types::config_maps(), "default", "a"), made);
  EXPECT_TRUE(api.create(types::config_maps(), "default", config_map("a")).is(ErrorCode::exists));
  EXPECT_TRUE(api.create(types::config_maps(), "nowhere", config_map("a")).is(ErrorCode::not_found));
  EXPECT_TRUE(api.create(types::config_maps(), "default", config_map("Bad_Name")).is(ErrorCode::invalid));
  EXPECT_TRUE(api.create(types::config_maps(), "default", made).is(ErrorCode::invalid)) << "resourceVersion is set";
}

TEST(FakeApi, GenerateNameMakesDifferentNames) {
  FakeApi api;
  const json::value wish = parsed(R"({"metadata":{"generateName":"x-"}})");
  const json::value one = *api.create(types::config_maps(), "default", wish);
  const json::value two = *api.create(types::config_maps(), "default", wish);
  EXPECT_TRUE(meta(one, "name").starts_with("x-"));
  EXPECT_NE(meta(one, "name"), meta(two, "name"));
}

TEST(FakeApi, UpdateChecksVersionAndUid) {
  FakeApi api;
  json::value object = *api.create(types::config_maps(), "default", config_map("a"));
  const json::value old = object;
  json::set(object.as_object(), {"data", "k"}, "2");
  const json::value second = *api.update(types::config_maps(), "default", object);
  EXPECT_NE(meta(second, "resourceVersion"), meta(old, "resourceVersion"));
  EXPECT_TRUE(api.update(types::config_maps(), "default", object).is(ErrorCode::conflict));
  json::value other = second;
  json::set(other.as_object(), {"metadata", "uid"}, "11111111-1111-4111-8111-111111111111");
  EXPECT_TRUE(api.update(types::config_maps(), "default", other).is(ErrorCode::conflict));
  EXPECT_EQ(meta(*api.update(types::config_maps(), "default", second), "resourceVersion"),
            meta(second, "resourceVersion"))
      << "a write that changes nothing is no change";
  EXPECT_TRUE(api.update(types::config_maps(), "default", config_map("a", "3")).ok()) << "unconditional";
  EXPECT_TRUE(api.update(types::config_maps(), "default", config_map("none")).is(ErrorCode::not_found));
}

TEST(FakeApi, CustomResourcesNeedAVersionToUpdateAndTakeNoStrategicPatch) {
  FakeApi api;
  const ResourceType& backups = types::velero("backups");
  const json::value made = *api.create(backups, "default", parsed(R"({"metadata":{"name":"b"},"spec":{"ttl":"1h"}})"));
  EXPECT_EQ(meta(made, "generation"), "1");
  EXPECT_TRUE(api.update(backups, "default", parsed(R"({"metadata":{"name":"b"}})")).is(ErrorCode::invalid));
  EXPECT_TRUE(api.patch(backups, "default", "b", PatchKind::strategic, parsed("{}")).is(ErrorCode::unsupported));
  const json::value status =
      *api.patch(backups, "default", "b", PatchKind::merge, parsed(R"({"status":{"phase":"New"}})"));
  EXPECT_EQ(meta(status, "generation"), "1");
  const json::value spec = *api.patch(backups, "default", "b", PatchKind::merge, parsed(R"({"spec":{"ttl":"2h"}})"));
  EXPECT_EQ(meta(spec, "generation"), "2");
}

TEST(FakeApi, StatusIsASubresource) {
  FakeApi api;
  const json::value pod = *api.create(types::pods(), "default",
                                      parsed(R"({"metadata":{"name":"p"},"spec":{},"status":{"phase":"Running"}})"));
  EXPECT_EQ(json::string_at(pod, {"status", "phase"}), "Pending");
  const json::value change = parsed(R"({"status":{"phase":"Running"},"spec":{"nodeName":"n1"}})");
  EXPECT_EQ(json::string_at(*api.patch(types::pods(), "default", "p", PatchKind::merge, change), {"status", "phase"}),
            "Pending");
  const json::value after =
      *api.patch(types::pods(), "default", "p", PatchKind::merge,
                 parsed(R"({"status":{"phase":"Running"},"spec":{"nodeName":"n2"}})"), {.subresource = "status"});
  EXPECT_EQ(json::string_at(after, {"status", "phase"}), "Running");
  EXPECT_EQ(json::string_at(after, {"spec", "nodeName"}), "n1");
  EXPECT_TRUE(api.patch(types::secrets(), "default", "x", PatchKind::merge, change, {.subresource = "status"})
                  .is(ErrorCode::not_found));
}

TEST(FakeApi, FinalizersHoldADeletedObject) {
  FakeApi api;
  api.seed(parsed(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","finalizers":["x/y"]}})"));
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "a", {.uid = "other"}).is(ErrorCode::conflict));
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "a").ok());
  json::value held = *api.get(types::config_maps(), "default", "a");
  EXPECT_FALSE(meta(held, "deletionTimestamp").empty());
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "a").ok());
  EXPECT_EQ(*api.get(types::config_maps(), "default", "a"), held) << "a second delete changes nothing";
  const json::value more = parsed(R"({"metadata":{"finalizers":["x/y","z/z"]}})");
  EXPECT_TRUE(api.patch(types::config_maps(), "default", "a", PatchKind::merge, more).is(ErrorCode::invalid));
  const json::value none = parsed(R"({"metadata":{"finalizers":null}})");
  EXPECT_TRUE(api.patch(types::config_maps(), "default", "a", PatchKind::merge, none).ok());
  EXPECT_TRUE(api.get(types::config_maps(), "default", "a").is(ErrorCode::not_found));
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "a").is(ErrorCode::not_found));
}

json::value owned(const std::string& name, const json::value& owner) {
  json::value object = config_map(name);
  json::set(object.as_object(), {"metadata", "ownerReferences"},
            json::array{json::object{{"uid", meta(owner, "uid")}, {"name", meta(owner, "name")}}});
  return object;
}

TEST(FakeApi, CollectsWhatItsOwnersLeft) {
  FakeApi api;
  const json::value owner = *api.create(types::config_maps(), "default", config_map("owner"));
  const json::value child = *api.create(types::config_maps(), "default", owned("child", owner));
  EXPECT_TRUE(api.create(types::config_maps(), "default", owned("grandchild", child)).ok());
  api.collect_garbage();
  EXPECT_EQ(api.peek_all(types::config_maps()).size(), 3U);
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "owner").ok());
  EXPECT_EQ(api.peek_all(types::config_maps()).size(), 2U);
  api.collect_garbage();
  EXPECT_TRUE(api.peek_all(types::config_maps()).empty());
}

TEST(FakeApi, OrphansAndForeground) {
  FakeApi api;
  json::value owner = *api.create(types::config_maps(), "default", config_map("owner"));
  EXPECT_TRUE(api.create(types::config_maps(), "default", owned("child", owner)).ok());
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "owner", {.propagation = "Orphan"}).ok());
  api.collect_garbage();
  EXPECT_TRUE(api.peek(types::config_maps(), "default", "owner").is_null());
  EXPECT_FALSE(api.peek(types::config_maps(), "default", "child").is_null());
  owner = *api.create(types::config_maps(), "default", config_map("owner"));
  EXPECT_TRUE(api.create(types::config_maps(), "default", owned("second", owner)).ok());
  EXPECT_TRUE(api.remove(types::config_maps(), "default", "owner", {.propagation = "Foreground"}).ok());
  EXPECT_FALSE(api.peek(types::config_maps(), "default", "owner").is_null());
  api.collect_garbage();
  EXPECT_EQ(api.peek_all(types::config_maps()).size(), 1U) << "the child without owner stays";
}

TEST(FakeApi, ATerminatingNamespaceTakesNothingInAndEmpties) {
  FakeApi api;
  EXPECT_TRUE(api.create(types::namespaces(), "", parsed(R"({"metadata":{"name":"n"}})")).ok());
  EXPECT_TRUE(api.create(types::config_maps(), "n", config_map("a")).ok());
  EXPECT_TRUE(api.remove(types::namespaces(), "", "n").ok());
  const json::value ns = *api.get(types::namespaces(), "", "n");
  EXPECT_EQ(json::string_at(ns, {"status", "phase"}), "Terminating");
  EXPECT_TRUE(api.create(types::config_maps(), "n", config_map("b")).is(ErrorCode::denied));
  api.collect_garbage();
  EXPECT_TRUE(api.get(types::namespaces(), "", "n").is(ErrorCode::not_found));
  EXPECT_TRUE(api.peek(types::config_maps(), "n", "a").is_null());
}

TEST(FakeApi, GracefulPodsStayUntilTheKubeletRemovesThem) {
  FakeApi api({.graceful_pods = true});
  api.seed(parsed(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"nodeName":"n"}})"));
  EXPECT_TRUE(api.remove(types::pods(), "default", "p").ok());
  EXPECT_EQ(meta(*api.get(types::pods(), "default", "p"), "deletionGracePeriodSeconds"), "30");
  EXPECT_TRUE(api.remove(types::pods(), "default", "p", {.grace_seconds = 0}).ok());
  EXPECT_TRUE(api.get(types::pods(), "default", "p").is(ErrorCode::not_found));
}

TEST(FakeApi, PagesComeFromOneSnapshot) {
  FakeApi api;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    ASSERT_TRUE(api.create(types::config_maps(), "default", config_map(name)).ok());
  }
  const ListPage first = *api.list(types::config_maps(), "", {.limit = 2});
  EXPECT_EQ(first.items.size(), 2U);
  ASSERT_TRUE(api.remove(types::config_maps(), "default", "c").ok());
  const ListPage second = *api.list(types::config_maps(), "", {.limit = 2, .continue_from = first.continue_from});
  EXPECT_EQ(meta(second.items.front(), "name"), "c");
  EXPECT_EQ(second.resource_version, first.resource_version);
  api.compact();
  EXPECT_TRUE(
      api.list(types::config_maps(), "", {.limit = 2, .continue_from = second.continue_from}).is(ErrorCode::conflict));
  api.inject({.verb = "list", .nth = 2, .meanwhile = [&] { api.compact(); }});
  EXPECT_EQ(list_all(api, types::config_maps(), "", {.limit = 2})->items.size(), 4U) << "starts anew after a 410";
}

TEST(FakeApi, ListAllGivesUpAfterThreeExpiries) {
  FakeApi api;
  api.inject({.verb = "list", .times = 100, .error = Error(ErrorCode::conflict, "Expired")});
  EXPECT_TRUE(list_all(api, types::pods(), "").is(ErrorCode::conflict));
  EXPECT_EQ(api.count("list", "pods"), 4U);
}

TEST(FakeApi, SelectsByLabelAndField) {
  FakeApi api;
  api.seed_yaml(R"(
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: web}}
spec: {nodeName: n1}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {app: db}}
spec: {nodeName: n2}
status: {phase: Failed}
)");
  EXPECT_EQ(api.list(types::pods(), "", {.label_selector = "app in (web,x)"})->items.size(), 1U);
  EXPECT_EQ(api.list(types::pods(), "x", {.field_selector = "spec.nodeName=n2"})->items.size(), 1U);
  EXPECT_EQ(api.list(types::pods(), "x", {.field_selector = "status.phase!=Failed"})->items.size(), 1U);
  EXPECT_EQ(api.list(types::pods(), "default", {})->items.size(), 0U);
  EXPECT_TRUE(api.list(types::pods(), "", {.field_selector = "spec.other=1"}).is(ErrorCode::invalid));
  EXPECT_TRUE(api.list(types::pods(), "", {.label_selector = "a b"}).is(ErrorCode::invalid));
}

struct Seen {
  Kind kind;
  std::string name;
  bool operator==(const Seen&) const = default;
};

/// Watches config maps until so many events were seen.
std::vector<Seen> watch_some(FakeApi& api, WatchOptions options, size_t count, const std::function<void()>& meanwhile) {
  std::vector<Seen> seen;
  std::stop_source stop;
  std::jthread actor([&] {
    EXPECT_TRUE(api.wait_for_watches(1));
    meanwhile();
  });
  const Status status = api.watch(
      types::config_maps(), "", options,
      [&](const WatchEvent& event) -> Status {
        seen.push_back({event.kind, meta(event.object, "name")});
        if (seen.size() == count) stop.request_stop();
        return {};
      },
      stop.get_token());
  EXPECT_TRUE(status.is(ErrorCode::cancelled));
  return seen;
}

TEST(FakeApi, WatchTellsChangesInOrder) {
  FakeApi api;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("old")).ok());
  const std::string version = api.list(types::config_maps(), "", {})->resource_version;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("before")).ok());
  const auto seen = watch_some(api, {.resource_version = version}, 3, [&] {
    ASSERT_TRUE(api.update(types::config_maps(), "default", config_map("old", "2")).ok());
    ASSERT_TRUE(api.remove(types::config_maps(), "default", "old").ok());
  });
  EXPECT_EQ(seen, (std::vector<Seen>{{Kind::added, "before"}, {Kind::modified, "old"}, {Kind::deleted, "old"}}));
}

TEST(FakeApi, WatchWithSelectorSeesObjectsComeAndGo) {
  FakeApi api;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  const auto label = [&](std::string_view value) {
    const json::value change = parsed(fmt::format(R"({{"metadata":{{"labels":{{"l":{}}}}}}})", value));
    ASSERT_TRUE(api.patch(types::config_maps(), "default", "a", PatchKind::merge, change).ok());
  };
  const auto seen = watch_some(api, {.resource_version = "0", .label_selector = "l=1"}, 2, [&] {
    label("\"1\"");
    label("\"2\"");
  });
  EXPECT_EQ(seen, (std::vector<Seen>{{Kind::added, "a"}, {Kind::deleted, "a"}}));
}

TEST(FakeApi, WatchEndsAsServersEndIt) {
  FakeClock clock;
  FakeApi api({.clock = &clock});
  std::vector<Kind> kinds;
  const auto record = [&](const WatchEvent& event) -> Status {
    kinds.push_back(event.kind);
    return {};
  };
  EXPECT_TRUE(api.watch(types::pods(), "", {.timeout = 0s}, record, {}).ok());
  EXPECT_EQ(kinds, std::vector<Kind>{Kind::bookmark});
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  api.compact();
  EXPECT_TRUE(api.watch(types::pods(), "", {.resource_version = "1"}, record, {}).is(ErrorCode::conflict));
  std::jthread breaker([&] {
    EXPECT_TRUE(api.wait_for_watches(1));
    api.break_watches(Error(ErrorCode::unavailable, "connection reset"));
  });
  EXPECT_TRUE(api.watch(types::pods(), "", {}, record, {}).is(ErrorCode::unavailable));
}

TEST(FakeApi, CrdsAddAndRemoveTypes) {
  FakeApi api;
  const json::value crd = parsed(R"({"metadata":{"name":"things.example.org"},"spec":{"group":"example.org",
    "scope":"Namespaced","names":{"plural":"things","kind":"Thing"},"versions":[
    {"name":"v1","served":true,"storage":true,"subresources":{"status":{}}},{"name":"v2","served":true}]}})");
  ASSERT_TRUE(api.create(types::custom_resource_definitions(), "", crd).ok());
  std::vector<ResourceType> found;
  for (const ResourceType& type : *api.discover()) {
    if (type.group == "example.org") found.push_back(type);
  }
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].preferred && !found[1].preferred);
  ASSERT_TRUE(api.create(found[0], "default", parsed(R"({"metadata":{"name":"t"}})")).ok());
  EXPECT_EQ(json::string_at(*api.get(found[1], "default", "t"), {"apiVersion"}), "example.org/v2");
  ASSERT_TRUE(api.remove(types::custom_resource_definitions(), "", "things.example.org").ok());
  EXPECT_TRUE(api.get(found[0], "default", "t").is(ErrorCode::not_found));
}

TEST(FakeApi, ApplySetsRemovesAndConflicts) {
  FakeApi api;
  const auto apply = [&](std::string_view data, const std::string& who, bool force = false) {
    const json::value body = parsed(fmt::format(R"({{"apiVersion":"v1","kind":"ConfigMap","data":{}}})", data));
    return api.patch(types::config_maps(), "default", "c", PatchKind::apply, body,
                     {.field_manager = who, .force = force});
  };
  ASSERT_TRUE(apply(R"({"a":"1","b":"1"})", "one").ok());
  ASSERT_TRUE(apply(R"({"c":"1"})", "two").ok());
  const json::value now = *apply(R"({"a":"2"})", "one");
  EXPECT_EQ(json::object_at(now, {"data"}), (json::object{{"a", "2"}, {"c", "1"}}));
  EXPECT_TRUE(apply(R"({"a":"3","c":"1"})", "two").is(ErrorCode::conflict));
  EXPECT_TRUE(apply(R"({"a":"3","c":"1"})", "two", true).ok());
  EXPECT_TRUE(apply(R"({"a":"3","c":"2"})", "two").ok()) << "forced fields are its own now";
}

TEST(FakeApi, FaultsHitTheCallTheyNameBeforeOrAfter) {
  FakeClock clock;
  FakeApi api({.clock = &clock});
  api.inject({.verb = "create", .resource = "configmaps", .nth = 2, .error = Error(ErrorCode::unavailable, "503")});
  api.inject({.verb = "update", .when = FakeApi::Fault::When::after, .error = Error(ErrorCode::timeout, "lost")});
  api.inject({.verb = "get", .delay = 5s});
  EXPECT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  EXPECT_TRUE(api.create(types::config_maps(), "default", config_map("b")).is(ErrorCode::unavailable));
  EXPECT_TRUE(api.peek(types::config_maps(), "default", "b").is_null());
  EXPECT_TRUE(api.update(types::config_maps(), "default", config_map("a", "9")).is(ErrorCode::timeout));
  const BootTime start = clock.boottime();
  EXPECT_EQ(json::string_at(*api.get(types::config_maps(), "default", "a"), {"data", "k"}), "9");
  EXPECT_EQ(clock.boottime() - start, 5s);
  EXPECT_EQ(api.count("create", "configmaps"), 2U);
  EXPECT_EQ(api.calls().front().name, "a");
}

TEST(UpdateWithRetry, StartsAnewAfterAConflict) {
  FakeApi api;
  ASSERT_TRUE(api.create(types::config_maps(), "default", config_map("a")).ok());
  api.inject({.verb = "update", .meanwhile = [&] {
                ASSERT_TRUE(api.update(types::config_maps(), "default", config_map("a", "other")).ok());
              }});
  const auto append = [](json::value& object) -> Status {
    json::set(object.as_object(), {"data", "k"}, json::string_at(object, {"data", "k"}) + "+");
    return {};
  };
  const json::value written = *update_with_retry(api, types::config_maps(), "default", "a", append);
  EXPECT_EQ(json::string_at(written, {"data", "k"}), "other+");
  const size_t updates = api.count("update");
  EXPECT_TRUE(update_with_retry(api, types::config_maps(), "default", "a", [](json::value&) { return Status(); }).ok());
  EXPECT_EQ(api.count("update"), updates) << "nothing changed, nothing written";
  api.inject({.verb = "update", .times = 100, .error = Error(ErrorCode::conflict, "changed")});
  EXPECT_TRUE(update_with_retry(api, types::config_maps(), "default", "a", append).is(ErrorCode::conflict));
  EXPECT_EQ(api.count("update"), updates + 8);
}

TEST(FakeApi, ExecAndLogsAreScripted) {
  FakeApi api;
  EXPECT_TRUE(api.exec("default", "p", "", {"true"}, 1s).is(ErrorCode::not_found));
  api.seed(parsed(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}})"));
  EXPECT_TRUE(api.exec("default", "p", "", {"true"}, 1s).is(ErrorCode::unavailable));
  api.on_exec([](const std::string&, const std::string& pod, const std::string&,
                 const std::vector<std::string>& command) -> Result<ExecResult> {
    return ExecResult{3, pod + ":" + command.at(0), ""};
  });
  EXPECT_EQ(api.exec("default", "p", "", {"fsfreeze"}, 1s)->out, "p:fsfreeze");
  api.set_logs("default", "p", "c", "hello\n");
  EXPECT_EQ(*api.logs("default", "p", "c"), "hello\n");
}

TEST(FakeApi, SecretsEncodeStringData) {
  FakeApi api;
  const json::value made =
      *api.create(types::secrets(), "default", parsed(R"({"metadata":{"name":"s"},"stringData":{"k":"hello"}})"));
  EXPECT_EQ(json::string_at(made, {"data", "k"}), "aGVsbG8=");
  EXPECT_EQ(json::find(made, {"stringData"}), nullptr);
}

}  // namespace
}  // namespace holdfast::kube
