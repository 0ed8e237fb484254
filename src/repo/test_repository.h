// What tests of this module share: quick keys, a repository in memory, golden repositories.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "objstore/fault.h"
#include "objstore/fs.h"
#include "objstore/mem.h"
#include "repo/index_file.h"
#include "repo/repository.h"

namespace holdfast::repo::testing {

inline const char* const kPassword = "correct horse";

inline InitOptions quick_init(unsigned version = 2) {
  InitOptions init;
  init.version = version;
  init.kdf = crypto::ScryptCost{.n = 16, .r = 1, .p = 1};
  init.hostname = "test";
  init.username = "tester";
  return init;
}

inline RepositoryOptions small_packs() {
  RepositoryOptions options;
  options.pack_size = 64 << 10;
  options.connections = 2;
  return options;
}

inline LockOptions quick_lock(LockMode mode = LockMode::shared) {
  LockOptions options;
  options.mode = mode;
  options.settle = Duration::zero();
  return options;
}

/// Bytes that do not compress, the same for the same seed.
inline std::string noise(size_t size, uint64_t seed) {
  std::string out(size, '\0');
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (char& byte : out) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state >> 56);
  }
  return out;
}

/// A tree of one file with this content.
inline std::string tree_of(const std::vector<Id>& content) {
  std::string ids;
  for (const Id& id : content) ids += (ids.empty() ? "\"" : ",\"") + id.hex() + "\"";
  return R"({"nodes":[{"name":"file","type":"file","mode":420,"mtime":"2026-01-01T00:00:00Z",)"
         R"("atime":"2026-01-01T00:00:00Z","ctime":"2026-01-01T00:00:00Z","uid":0,"gid":0,"size":1,"content":[)" +
         ids + "]}]}\n";
}

inline Snapshot snapshot_of(const Id& tree, const std::string& host = "test") {
  Snapshot snapshot;
  snapshot.time = RecordTime::at(system_clock().now());
  snapshot.tree = tree;
  snapshot.paths = {"/data"};
  snapshot.hostname = host;
  snapshot.username = "tester";
  snapshot.program_version = "holdfast test";
  snapshot.tree_profile = "restic-0.19";
  return snapshot;
}

/// Blobs, index and a snapshot of them.
inline Result<Id> back_up(Repository& repository, const std::vector<std::string>& contents) {
  std::unique_ptr<Lock> lock = TRY(repository.lock(quick_lock()));
  TRY(repository.load_index());
  std::vector<Id> ids;
  for (const std::string& content : contents) ids.push_back(TRY(repository.save_blob(BlobType::data, content)).id);
  const SavedBlob tree = TRY(repository.save_blob(BlobType::tree, tree_of(ids)));
  TRY(repository.flush());
  const Id id = TRY(repository.save_snapshot(snapshot_of(tree.id), *lock));
  TRY(lock->release());
  return id;
}

inline std::string fixture(const std::string& name) {
  return std::string(HOLDFAST_SOURCE_DIR) + "/tests/fixtures/restic/" + name;
}

/// A golden repository, copied into memory so that a test may change it.
inline std::shared_ptr<objstore::MemStore> golden_store(const std::string& name) {
  auto store = std::make_shared<objstore::MemStore>(name);
  const std::string root = fixture(name);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    const std::string key = entry.path().string().substr(root.size() + 1);
    EXPECT_TRUE(store->put(key, read_file(entry.path().string()).value()));
  }
  return store;
}

inline constexpr const char* kGolden[] = {
    "v0.9.6-1", "v0.12.1-1", "v0.14.0-2", "v0.17.3-2", "v0.19.1-1", "v0.19.1-2", "v0.19.1-2-max-newyork"};

}  // namespace holdfast::repo::testing
