#include "velero/filter.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::velero {
namespace {

const std::vector<ResourceType> kTypes = {
    {"", "pods", "Pod", "pod", {"po"}, true},
    {"", "namespaces", "Namespace", "namespace", {"ns"}, false},
    {"", "persistentvolumes", "PersistentVolume", "persistentvolume", {"pv"}, false},
    {"apps", "deployments", "Deployment", "deployment", {"deploy"}, true},
    {"", "events", "Event", "event", {"ev"}, true},
    {"snapshot.storage.k8s.io", "volumesnapshots", "VolumeSnapshot", "volumesnapshot", {"vs"}, true},
};
const ResourceType& kPods = kTypes[0];
const ResourceType& kNamespaces = kTypes[1];
const ResourceType& kVolumes = kTypes[2];
const ResourceType& kDeployments = kTypes[3];
const ResourceType& kEvents = kTypes[4];

/// The obvious recursion, for patterns without classes.
bool naive_glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return naive_glob(pattern.substr(1), text) || (!text.empty() && naive_glob(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && naive_glob(pattern.substr(1), text.substr(1));
}

TEST(Glob, EqualsTheNaiveTwin) {
  std::mt19937 random(1);
  const auto draw = [&random](std::string_view letters, size_t longest) {
    std::string out(random() % (longest + 1), ' ');
    for (char& c : out) c = letters[random() % letters.size()];
    return out;
  };
  for (int i = 0; i < 50000; ++i) {
    const std::string pattern = draw("ab*?", 7);
    const std::string text = draw("ab", 8);
    ASSERT_EQ(glob_match(pattern, text), naive_glob(pattern, text)) << pattern << " " << text;
  }
}

TEST(Glob, Classes) {
  EXPECT_TRUE(glob_match("web-[0-9]", "web-7"));
  EXPECT_FALSE(glob_match("web-[0-9]", "web-x"));
  EXPECT_TRUE(glob_match("[!a]b", "cb"));
  EXPECT_FALSE(glob_match("[!a]b", "ab"));
  EXPECT_TRUE(glob_match("*[ab]*", "xxbxx"));
  EXPECT_TRUE(glob_match("a[b", "a[b"));
  EXPECT_FALSE(glob_match("a[b", "ab"));
}

TEST(Glob, ManyStarsStayFast) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(20000, 'a')));
}

TEST(Lists, ExcludesWin) {
  const IncludesExcludes lists{{"web-*"}, {"web-2"}};
  EXPECT_TRUE(lists.includes_name("web-1"));
  EXPECT_FALSE(lists.includes_name("web-2"));
  EXPECT_FALSE(lists.includes_name("db"));
  EXPECT_TRUE((IncludesExcludes{}).everything());
  EXPECT_TRUE((IncludesExcludes{{"*"}, {}}).everything());
  EXPECT_FALSE((IncludesExcludes{{}, {"x"}}).everything());
}

TEST(Lists, Verdicts) {
  EXPECT_TRUE(check_lists({{"a"}, {"b"}}).empty());
  EXPECT_EQ(check_lists({{"*", "a"}, {}}).size(), 1U);
  EXPECT_EQ(check_lists({{"pods"}, {"*"}}), StringList{"excludes list cannot contain '*'"});
  EXPECT_EQ(check_lists({{"a"}, {"a"}}), StringList{"excludes list cannot contain an item in the includes list: a"});
  EXPECT_TRUE(check_namespace_lists({{"a-*", "*-b", "x[12]"}, {}}).empty());
  EXPECT_EQ(check_namespace_lists({{"A"}, {"a.b"}}).size(), 2U);
  EXPECT_TRUE(check_scoped_lists({{}, {"*"}}).empty());
  EXPECT_EQ(check_scoped_lists({{"a"}, {"*"}}).size(), 1U);
}

TEST(Resources, NamesAreResolved) {
  EXPECT_EQ(
      resolve_resources({"po", "Pod", "pods", "deploy", "deployments.apps", "nosuch", "de*", "pods.apps"}, kTypes),
      (StringList{"pods", "pods", "pods", "deployments.apps", "deployments.apps", "nosuch", "de*", "pods.apps"}));
}

struct ReachCase {
  const char* name;
  BackupSpec spec;
  Reach pods, namespaces, volumes, deployments;
};

BackupSpec spec(const char* text) {
  Result<BackupSpec> out = decode<BackupSpec>(*json::parse(text));
  CHECK(out.ok());
  return *out;
}

TEST(Resources, ReachOfEachFamily) {
  const Reach none = Reach::none, related = Reach::related, swept = Reach::swept;
  const ReachCase cases[] = {
      {"all", spec("{}"), swept, swept, swept, swept},
      {"one namespace", spec(R"({"includedNamespaces":["a"]})"), swept, swept, related, swept},
      {"with cluster", spec(R"({"includedNamespaces":["a"],"includeClusterResources":true})"), swept, swept, swept,
       swept},
      {"without cluster", spec(R"({"includeClusterResources":false})"), swept, swept, none, swept},
      {"old list", spec(R"({"includedResources":["po"]})"), swept, none, none, none},
      {"old exclude", spec(R"({"excludedResources":["pods"]})"), none, swept, swept, swept},
      {"scoped", spec(R"({"includedNamespaceScopedResources":["pods"]})"), swept, swept, related, none},
      {"scoped cluster", spec(R"({"includedNamespaces":["a"],"includedClusterScopedResources":["pv"]})"), swept, swept,
       swept, swept},
      {"scoped none", spec(R"({"excludedClusterScopedResources":["*"]})"), swept, none, none, swept},
  };
  for (const ReachCase& c : cases) {
    const ResourceFilter filter = ResourceFilter::of(c.spec, kTypes);
    EXPECT_EQ(filter.reach(kPods), c.pods) << c.name;
    EXPECT_EQ(filter.reach(kNamespaces), c.namespaces) << c.name;
    EXPECT_EQ(filter.reach(kVolumes), c.volumes) << c.name;
    EXPECT_EQ(filter.reach(kDeployments), c.deployments) << c.name;
  }
  EXPECT_EQ(ResourceFilter::of(BackupSpec{}, kTypes).reach(kTypes[5]), related);
}

TEST(Resources, RestoresLeaveSomeTypesAlone) {
  const ResourceFilter filter = ResourceFilter::of(RestoreSpec{}, kTypes);
  EXPECT_EQ(filter.reach(kEvents), Reach::none);
  EXPECT_EQ(filter.reach(kPods), Reach::swept);
}

TEST(Objects, LabelDeletionAndSelector) {
  const ResourceFilter all = ResourceFilter::of(BackupSpec{}, kTypes);
  EXPECT_TRUE(all.takes_object(*json::parse(R"({"metadata":{}})")));
  EXPECT_FALSE(all.takes_object(*json::parse(R"({"metadata":{"labels":{"velero.io/exclude-from-backup":"true"}}})")));
  EXPECT_TRUE(all.takes_object(*json::parse(R"({"metadata":{"labels":{"velero.io/exclude-from-backup":"false"}}})")));
  EXPECT_FALSE(all.takes_object(*json::parse(R"({"metadata":{"deletionTimestamp":"2026-11-21T06:19:46Z"}})")));
  const ResourceFilter some =
      ResourceFilter::of(spec(R"({"orLabelSelectors":[{"matchLabels":{"a":"1"}},{"matchLabels":{"b":"2"}}]})"), kTypes);
  EXPECT_TRUE(some.takes_object(*json::parse(R"({"metadata":{"labels":{"b":"2"}}})")));
  EXPECT_FALSE(some.takes_object(*json::parse(R"({"metadata":{"labels":{"a":"2"}}})")));
}

TEST(Selectors, Operators) {
  const auto match = [](const char* selector, const StringMap& labels) {
    return matches(*decode<LabelSelector>(*json::parse(selector)), labels);
  };
  const StringMap app{{"app", "db"}};
  EXPECT_TRUE(match("{}", {}));
  EXPECT_TRUE(match(R"({"matchExpressions":[{"key":"app","operator":"In","values":["db","web"]}]})", app));
  EXPECT_FALSE(match(R"({"matchExpressions":[{"key":"app","operator":"NotIn","values":["db"]}]})", app));
  EXPECT_TRUE(match(R"({"matchExpressions":[{"key":"x","operator":"NotIn","values":["db"]}]})", app));
  EXPECT_TRUE(match(R"({"matchExpressions":[{"key":"app","operator":"Exists"}]})", app));
  EXPECT_FALSE(match(R"({"matchExpressions":[{"key":"app","operator":"DoesNotExist"}]})", app));
  EXPECT_FALSE(match(R"({"matchExpressions":[{"key":"app","operator":"Gt","values":["1"]}]})", app));
  const auto selector = decode<LabelSelector>(
      *json::parse(R"({"matchLabels":{"z":"1"},"matchExpressions":[{"key":"a","operator":"In","values":["y","x"]},)"
                   R"({"key":"b","operator":"DoesNotExist"}]})"));
  EXPECT_EQ(format_selector(*selector), "a in (x,y),!b,z=1");
  EXPECT_TRUE(check_selector(*selector).ok());
  EXPECT_EQ(format_selector({}), "<none>");
  LabelSelector bad;
  bad.match_expressions.push_back({"a", "Gt", {}, {}});
  EXPECT_FALSE(check_selector(bad).ok());
}

TEST(Namespaces, MissingOnesAreNamed) {
  EXPECT_EQ(missing_namespaces({{"a", "b", "c*"}, {}}, {"a"}), StringList{"b"});
  EXPECT_TRUE(missing_namespaces({{"*"}, {}}, {}).empty());
}

}  // namespace
}  // namespace holdfast::velero
