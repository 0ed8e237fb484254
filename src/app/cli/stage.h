// For tests of verbs: a cluster in memory, a clock that jumps, and what was printed.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "app/cli/cluster.h"
#include "app/cli/commands.h"
#include "base/fake_clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "kube/fake_api.h"
#include "velero/gzip.h"
#include "velero/layout.h"

namespace holdfast::app {

/// A file of the golden fixtures, unpacked when its name ends in .gz.
inline std::string fixture(const std::string& path) {
  const Result<std::string> raw = read_file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/fixtures/velero/" + path);
  EXPECT_TRUE(raw.ok()) << path;
  if (!raw || !path.ends_with(".gz")) return raw ? *raw : std::string();
  const Result<std::string> plain = velero::gunzip(*raw);
  EXPECT_TRUE(plain.ok()) << path;
  return plain ? *plain : std::string();
}

class Stage {
 public:
  explicit Stage(Time now = parse_rfc3339("2026-11-21T06:24:20Z").value())
      : clock_(FakeClock::Mode::jump, now), api_({.clock = &clock_}) {
    surroundings_ = {.out = [this](std::string_view text) { out_ += text; },
                     .err = [this](std::string_view text) { err_ += text; },
                     .read_line = [this]() -> std::optional<std::string> {
                       if (input_.empty()) return std::nullopt;
                       std::string line = input_.front();
                       input_.pop_front();
                       return line;
                     },
                     .clock = &clock_,
                     .open = [this](const ClusterFlags&) -> Result<std::shared_ptr<kube::Api>> {
                       return std::shared_ptr<kube::Api>(std::shared_ptr<void>(), &api_);
                     },
                     .fetch = [](const Download& download) -> Result<std::string> {
                       return Error(ErrorCode::unavailable, "nobody serves " + download.url);
                     }};
    api_.seed(
        json::object{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", json::object{{"name", "velero"}}}});
  }

  /// Puts the objects of a fixture's list into the cluster.
  void load(const std::string& path) {
    const Result<json::value> list = yaml::parse(fixture(path));
    ASSERT_TRUE(list.ok()) << path;
    for (const json::value& item : json::array_at(*list, {"items"})) api_.seed(item);
  }

  /// Replaces an object, status included: what a controller does.
  void put(json::value object) {
    const kube::ResourceType type = type_for(object);
    const std::string ns = json::string_at(object, {"metadata", "namespace"});
    const Result<json::value> main = api_.update(type, ns, object);
    ASSERT_TRUE(main.ok()) << main.error().to_string();
    json::set(object.as_object(), {"metadata", "resourceVersion"},
              json::string_at(*main, {"metadata", "resourceVersion"}));
    // Types without the subresource have taken the status with the rest.
    const Result<json::value> status = api_.update(type, ns, object, {.subresource = "status"});
    EXPECT_TRUE(status.ok() || status.is(ErrorCode::not_found)) << status.error().to_string();
  }

  /// Runs `holdfast WORDS`; what it prints is in out() and err() until the next run.
  int run(const std::vector<std::string>& words) {
    out_.clear();
    err_.clear();
    const config::Command root = root_command(surroundings_);
    const config::Environment nothing = [](const std::string&) { return std::nullopt; };
    const Result<config::Parsed> parsed = config::parse(root, words, nothing);
    EXPECT_TRUE(parsed.ok()) << (parsed ? "" : parsed.error().to_string());
    return parsed ? parsed->command->run(parsed->arguments) : -1;
  }

  /// From now on DownloadRequests are answered with a URL whose fetch gives the file of a fixture's bucket.
  void serve_bucket(const std::string& bucket);

  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] const std::string& err() const { return err_; }
  [[nodiscard]] kube::FakeApi& api() { return api_; }
  [[nodiscard]] FakeClock& clock() { return clock_; }
  [[nodiscard]] Surroundings& surroundings() { return surroundings_; }
  void answer(std::string line) { input_.push_back(std::move(line)); }

 private:
  kube::ResourceType type_for(const json::value& object) {
    for (const kube::ResourceType& type : api_.discover().value())
      if (type.kind == json::string_at(object, {"kind"}) &&
          type.api_version() == json::string_at(object, {"apiVersion"}))
        return type;
    ADD_FAILURE() << "no type " << json::string_at(object, {"kind"});
    return {};
  }

  FakeClock clock_;
  kube::FakeApi api_;
  Surroundings surroundings_;
  std::deque<std::string> input_;
  std::string out_;
  std::string err_;
};

inline void Stage::serve_bucket(const std::string& bucket) {
  // What the controller does between two looks of the client.
  api_.inject({.verb = "get", .resource = "downloadrequests.velero.io", .times = 1000, .meanwhile = [this] {
                 for (json::value request : api_.peek_all(kube::types::velero("downloadrequests"))) {
                   const std::string url = json::string_at(request, {"spec", "target", "kind"}) + " " +
                                           json::string_at(request, {"spec", "target", "name"});
                   json::set(request.as_object(), {"status", "downloadURL"}, url);
                   put(request);
                 }
               }});
  surroundings_.fetch = [bucket](const Download& download) -> Result<std::string> {
    const size_t space = download.url.find(' ');
    const velero::Layout layout = velero::Layout::at(bucket).value();
    const std::string key = TRY(layout.download_key(download.url.substr(0, space), download.url.substr(space + 1)));
    return read_file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/fixtures/velero/" + key);
  };
}

/// What velero would have called itself.
inline std::string as_holdfast(std::string text) {
  for (size_t at = 0; (at = text.find("`velero ", at)) != std::string::npos; ++at) text.replace(at, 8, "`holdfast ");
  return text;
}

}  // namespace holdfast::app
