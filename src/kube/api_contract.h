// What every Api must do alike: one suite, run against FakeApi in the unit tests and against a real kube-apiserver by
// the peer tests. Each test works in a namespace of its own, which it deletes.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"
#include "kube/api.h"

namespace holdfast::kube {

/// Waits for the condition without a fixed pause, at most a minute.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

class ApiContract : public testing::TestWithParam<Api* (*)()> {
 protected:
  void SetUp() override {
    ns_ = "hf-contract-" + random_hex(5);
    ASSERT_TRUE(
        api_.create(types::namespaces(), "", parsed(fmt::format(R"({{"metadata":{{"name":"{}"}}}})", ns_))).ok());
  }
  void TearDown() override { EXPECT_TRUE(api_.remove(types::namespaces(), "", ns_).ok()); }

  static json::value parsed(std::string_view text) { return *json::parse(text); }
  static json::value map(const std::string& name, const std::string& value = "1") {
    return json::object{{"metadata", {{"name", name}}}, {"data", {{"k", value}}}};
  }
  static std::string meta(const json::value& object, std::string_view member) {
    return json::string_at(object, {"metadata", member});
  }
  /// The value, or a failure of the test and null.
  static json::value must(const Result<json::value>& result) {
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().to_string());
    return result.ok() ? *result : json::value();
  }
  Result<json::value> create(const json::value& object) { return api_.create(types::config_maps(), ns_, object); }
  Result<json::value> get(const std::string& name) { return api_.get(types::config_maps(), ns_, name); }
  Result<json::value> patch(const std::string& name, PatchKind kind, std::string_view body,
                            const WriteOptions& options = {}) {
    return api_.patch(types::config_maps(), ns_, name, kind, parsed(body), options);
  }
  /// Makes a type of our own; it is served soon after.
  ResourceType make_type(bool status) {
    ResourceType type = types::velero("backups");
    type.group = "contract" + random_hex(4) + ".holdfast.dev";
    type.plural = "things";
    type.kind = "Thing";
    const std::string crd = fmt::format(
        R"({{"metadata":{{"name":"things.{0}"}},"spec":{{"group":"{0}","scope":"Namespaced",
        "names":{{"plural":"things","singular":"thing","kind":"Thing","listKind":"ThingList"}},
        "versions":[{{"name":"v1","served":true,"storage":true,{1}"schema":{{"openAPIV3Schema":
        {{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}}]}}}})",
        type.group, status ? R"("subresources":{"status":{}},)" : "");
    const Result<json::value> made = api_.create(types::custom_resource_definitions(), "", parsed(crd));
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().to_string());
    EXPECT_TRUE(comes_true([&] {
      const auto found = api_.discover();
      return found.ok() &&
             std::any_of(found->begin(), found->end(),
                         [&](const ResourceType& other) {
                           return other.group_resource() == type.group_resource() && other.can("patch");
                         }) &&
             api_.list(type, ns_, {}).ok();
    }));
    return type;
  }
  void drop_type(const ResourceType& type) {
    EXPECT_TRUE(api_.remove(types::custom_resource_definitions(), "", type.group_resource()).ok());
  }

  Api& api_ = *GetParam()();
  std::string ns_;
};

TEST_P(ApiContract, CreateGetAndTheirRefusals) {
  const json::value made = *create(map("a"));
  EXPECT_EQ(json::string_at(made, {"kind"}), "ConfigMap");
  EXPECT_EQ(json::string_at(made, {"apiVersion"}), "v1");
  EXPECT_EQ(meta(made, "namespace"), ns_);
  EXPECT_FALSE(meta(made, "uid").empty());
  EXPECT_TRUE(parse_rfc3339(meta(made, "creationTimestamp")).ok());
  EXPECT_EQ(meta(*get("a"), "uid"), meta(made, "uid"));
  EXPECT_TRUE(create(map("a")).is(ErrorCode::exists));
  EXPECT_TRUE(create(map("Bad_Name")).is(ErrorCode::invalid));
  EXPECT_TRUE(get("none").is(ErrorCode::not_found));
  EXPECT_TRUE(api_.create(types::config_maps(), "hf-no-such", map("a")).is(ErrorCode::not_found));
  EXPECT_TRUE(create(parsed(R"({"metadata":{"generateName":"g-"}})")).ok());
  EXPECT_TRUE(create(parsed(R"({"metadata":{}})")).is(ErrorCode::invalid));
  json::value wrong = map("b");
  json::set(wrong.as_object(), {"kind"}, "Secret");
  EXPECT_TRUE(create(wrong).is(ErrorCode::invalid));
  EXPECT_TRUE(api_.create(types::config_maps(), ns_, map("dry"), {.dry_run = true}).ok());
  EXPECT_TRUE(get("dry").is(ErrorCode::not_found));
}

TEST_P(ApiContract, UpdateIsConditional) {
  json::value object = *create(map("a"));
  const json::value old = object;
  json::set(object.as_object(), {"data", "k"}, "2");
  const json::value second = *api_.update(types::config_maps(), ns_, object);
  EXPECT_NE(meta(second, "resourceVersion"), meta(old, "resourceVersion"));
  EXPECT_TRUE(api_.update(types::config_maps(), ns_, object).is(ErrorCode::conflict));
  EXPECT_EQ(meta(*api_.update(types::config_maps(), ns_, second), "resourceVersion"), meta(second, "resourceVersion"));
  EXPECT_TRUE(api_.update(types::config_maps(), ns_, map("a", "3")).ok());
  EXPECT_TRUE(api_.update(types::config_maps(), ns_, map("none")).is(ErrorCode::not_found));
  json::value other = map("a", "4");
  json::set(other.as_object(), {"metadata", "uid"}, "11111111-1111-4111-8111-111111111111");
  EXPECT_TRUE(api_.update(types::config_maps(), ns_, other).is(ErrorCode::conflict));
  const auto written = update_with_retry(api_, types::config_maps(), ns_, "a", [](json::value& v) -> Status {
    json::set(v.as_object(), {"data", "k"}, "5");
    return {};
  });
  EXPECT_EQ(json::string_at(*written, {"data", "k"}), "5");
}

TEST_P(ApiContract, PatchesOfEachKind) {
  ASSERT_TRUE(create(map("a")).ok());
  EXPECT_EQ(json::string_at(*patch("a", PatchKind::merge, R"({"data":{"x":"1","k":null}})"), {"data", "x"}), "1");
  EXPECT_EQ(json::find(*get("a"), {"data", "k"}), nullptr);
  EXPECT_EQ(json::string_at(*patch("a", PatchKind::json, R"([{"op":"test","path":"/data/x","value":"1"},
      {"op":"move","from":"/data/x","path":"/data/y"}])"),
                            {"data", "y"}),
            "1");
  EXPECT_TRUE(patch("a", PatchKind::json, R"([{"op":"test","path":"/data/y","value":"2"}])").is(ErrorCode::invalid));
  EXPECT_TRUE(patch("none", PatchKind::merge, "{}").is(ErrorCode::not_found));
  const json::value pod = parsed(R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"x:1",
      "env":[{"name":"E","value":"1"}]},{"name":"b","image":"y:1"}]}})");
  const Result<json::value> made = api_.create(types::pods(), ns_, pod);
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  const json::value changed = *api_.patch(types::pods(), ns_, "p", PatchKind::strategic,
                                          parsed(R"({"spec":{"containers":[{"name":"b","image":"y:2"}]}})"));
  const json::array& containers = json::array_at(changed, {"spec", "containers"});
  ASSERT_EQ(containers.size(), 2U);
  EXPECT_EQ(json::string_at(containers[0], {"image"}), "x:1");
  EXPECT_EQ(json::string_at(containers[1], {"image"}), "y:2");
  EXPECT_EQ(json::string_at(changed, {"status", "phase"}), "Pending");
  EXPECT_TRUE(api_.remove(types::pods(), ns_, "p", {.grace_seconds = 0}).ok());
}

TEST_P(ApiContract, ApplyOwnsFields) {
  const auto apply = [&](std::string_view data, const std::string& who, bool force = false) {
    return patch("c", PatchKind::apply, fmt::format(R"({{"apiVersion":"v1","kind":"ConfigMap","data":{}}})", data),
                 {.field_manager = who, .force = force});
  };
  must(apply(R"({"a":"1","b":"1"})", "one"));
  must(apply(R"({"c":"1"})", "two"));
  const json::value third = must(apply(R"({"a":"2"})", "one"));
  EXPECT_EQ(json::object_at(third, {"data"}), (json::object{{"a", "2"}, {"c", "1"}}));
  EXPECT_TRUE(apply(R"({"a":"3","c":"1"})", "two").is(ErrorCode::conflict));
  must(apply(R"({"a":"3","c":"1"})", "two", true));
  must(apply(R"({"a":"3","c":"2"})", "two"));
}

TEST_P(ApiContract, CustomResources) {
  for (const bool with_status : {false, true}) {
    const ResourceType type = make_type(with_status);
    json::value thing =
        must(api_.create(type, ns_, parsed(R"({"metadata":{"name":"t"},"spec":{"a":1},"status":{"s":1}})")));
    EXPECT_EQ(json::find(thing, {"status"}) == nullptr, with_status);
    EXPECT_EQ(json::int_at(thing, {"metadata", "generation"}), 1);
    EXPECT_TRUE(api_.update(type, ns_, parsed(R"({"metadata":{"name":"t"}})")).is(ErrorCode::invalid));
    EXPECT_TRUE(api_.patch(type, ns_, "t", PatchKind::strategic, parsed("{}")).is(ErrorCode::unsupported));
    const auto set = [&](std::string_view body, const std::string& sub) {
      return api_.patch(type, ns_, "t", PatchKind::merge, parsed(body), {.subresource = sub});
    };
    thing = must(set(R"({"spec":{"a":2},"status":{"s":2}})", ""));
    EXPECT_EQ(json::int_at(thing, {"metadata", "generation"}), 2);
    EXPECT_EQ(json::int_at(thing, {"status", "s"}, 0), with_status ? 0 : 2);
    const auto status = set(R"({"spec":{"a":3},"status":{"s":3}})", "status");
    EXPECT_EQ(status.ok(), with_status);
    if (status.ok()) {
      EXPECT_EQ(json::int_at(*status, {"status", "s"}), 3);
      EXPECT_EQ(json::int_at(*status, {"spec", "a"}), 2);
      EXPECT_EQ(json::int_at(*status, {"metadata", "generation"}), 2);
    }
    drop_type(type);
  }
}

TEST_P(ApiContract, DeletionWithFinalizersAndPreconditions) {
  json::value object = map("a");
  json::set(object.as_object(), {"metadata", "finalizers"}, json::array{"holdfast.dev/test"});
  ASSERT_TRUE(create(object).ok());
  EXPECT_TRUE(api_.remove(types::config_maps(), ns_, "a", {.uid = "11111111-1111-4111-8111-111111111111"})
                  .is(ErrorCode::conflict));
  EXPECT_TRUE(api_.remove(types::config_maps(), ns_, "a").ok());
  const json::value held = *get("a");
  EXPECT_FALSE(meta(held, "deletionTimestamp").empty());
  EXPECT_TRUE(api_.remove(types::config_maps(), ns_, "a").ok());
  EXPECT_TRUE(patch("a", PatchKind::merge, R"({"metadata":{"finalizers":["holdfast.dev/test","holdfast.dev/more"]}})")
                  .is(ErrorCode::invalid));
  EXPECT_TRUE(patch("a", PatchKind::merge, R"({"metadata":{"finalizers":null}})").ok());
  EXPECT_TRUE(get("a").is(ErrorCode::not_found));
  EXPECT_TRUE(api_.remove(types::config_maps(), ns_, "a").is(ErrorCode::not_found));
}

TEST_P(ApiContract, ListsSelectAndPage) {
  for (int i = 0; i < 5; ++i) {
    json::value object = map("n" + std::to_string(i));
    json::set(object.as_object(), {"metadata", "labels", "odd"}, i % 2 == 1 ? "yes" : "no");
    json::set(object.as_object(), {"metadata", "labels", "test"}, "paging");
    ASSERT_TRUE(create(object).ok());
  }
  const ListPage first = *api_.list(types::config_maps(), ns_, {.label_selector = "test=paging", .limit = 2});
  ASSERT_EQ(first.items.size(), 2U);
  EXPECT_FALSE(first.continue_from.empty());
  EXPECT_EQ(json::string_at(first.items[0], {"kind"}), "ConfigMap");
  const ListPage all = *list_all(api_, types::config_maps(), ns_, {.label_selector = "test=paging", .limit = 2});
  ASSERT_EQ(all.items.size(), 5U);
  EXPECT_EQ(meta(all.items[4], "name"), "n4");
  const auto count = [&](const std::string& labels, const std::string& fields) {
    return list_all(api_, types::config_maps(), ns_, {.label_selector = labels, .field_selector = fields})
        ->items.size();
  };
  EXPECT_EQ(count("test,odd in (yes,maybe)", ""), 2U);
  EXPECT_EQ(count("test=paging,odd!=yes", ""), 3U);
  EXPECT_EQ(count("", "metadata.name=n3"), 1U);
  EXPECT_TRUE(api_.list(types::config_maps(), ns_, {.field_selector = "data.k=1"}).is(ErrorCode::invalid));
  EXPECT_TRUE(api_.list(types::config_maps(), ns_, {.label_selector = "a b"}).is(ErrorCode::invalid));
}

TEST_P(ApiContract, WatchesFromAVersionOnAndSeesSelectionsChange) {
  ASSERT_TRUE(create(map("old")).ok());
  const std::string version = api_.list(types::config_maps(), ns_, {})->resource_version;
  ASSERT_TRUE(patch("old", PatchKind::merge, R"({"metadata":{"labels":{"l":"1"}}})").ok());
  ASSERT_TRUE(patch("old", PatchKind::merge, R"({"data":{"k":"2"}})").ok());
  ASSERT_TRUE(patch("old", PatchKind::merge, R"({"metadata":{"labels":{"l":"2"}}})").ok());
  ASSERT_TRUE(patch("old", PatchKind::merge, R"({"metadata":{"labels":{"l":"1"}}})").ok());
  ASSERT_TRUE(api_.remove(types::config_maps(), ns_, "old").ok());
  std::vector<WatchEvent::Kind> kinds;
  std::stop_source stop;
  const Status status = api_.watch(
      types::config_maps(), ns_,
      {.resource_version = version, .label_selector = "l=1", .timeout = std::chrono::seconds(30)},
      [&](const WatchEvent& event) -> Status {
        if (event.kind == WatchEvent::Kind::bookmark) return {};
        EXPECT_EQ(meta(event.object, "name"), "old");
        EXPECT_EQ(json::string_at(event.object, {"kind"}), "ConfigMap");
        kinds.push_back(event.kind);
        if (kinds.size() == 5) stop.request_stop();
        return {};
      },
      stop.get_token());
  EXPECT_TRUE(status.is(ErrorCode::cancelled)) << (status.ok() ? "ended" : status.error().to_string());
  using Kind = WatchEvent::Kind;
  EXPECT_THAT(kinds, testing::ElementsAre(Kind::added, Kind::modified, Kind::deleted, Kind::added, Kind::deleted));
}

TEST_P(ApiContract, ATerminatingNamespaceTakesNothingIn) {
  const std::string name = ns_ + "-gone";
  ASSERT_TRUE(api_.create(types::namespaces(), "", json::object{{"metadata", {{"name", name}}}}).ok());
  ASSERT_TRUE(api_.remove(types::namespaces(), "", name).ok());
  // Where no controller ends it, it stays, terminating; where one does, it is gone.
  const Result<json::value> made = api_.create(types::config_maps(), name, map("a"));
  EXPECT_TRUE(made.is(ErrorCode::denied) || made.is(ErrorCode::not_found));
}

TEST_P(ApiContract, SaysItsVersion) {
  EXPECT_EQ(json::string_at(*api_.version(), {"major"}), "1");
}

}  // namespace holdfast::kube
