// The directory of all blobs in memory: 48 bytes for each stored copy.
//
// Entries lie in sorted runs, at most a handful: a run that grew half as large as the one before it is merged into it.
// Lookup is a binary search in each run. Any number of threads may ask while one adds.
#pragma once

#include <functional>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "repo/pack.h"

namespace holdfast::repo {

class Index {
 public:
  Index() = default;
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  /// Adds packs; what is there already, entry for entry, is not doubled.
  void add(const std::vector<PackContents>& packs);
  void clear();

  [[nodiscard]] bool contains(const BlobHandle& blob) const;
  /// Every copy, in no particular order.
  [[nodiscard]] std::vector<BlobLocation> find(const BlobHandle& blob) const;
  /// Any copy.
  [[nodiscard]] std::optional<BlobLocation> find_one(const BlobHandle& blob) const;

  /// Copies of blobs, all packs together.
  [[nodiscard]] size_t size() const;
  [[nodiscard]] size_t pack_count() const;
  [[nodiscard]] bool has_pack(const Id& pack) const;
  [[nodiscard]] std::vector<Id> packs() const;
  /// Calls for each stored copy, blobs in order; must not call back.
  void for_each(const std::function<void(const BlobHandle&, const BlobLocation&)>& visit) const;
  /// Everything grouped by pack, blobs in the order of offsets. A copy of the index: several times its memory.
  [[nodiscard]] std::vector<PackContents> by_pack() const;
  /// Bytes held for entries, for figures and tests.
  [[nodiscard]] size_t entry_bytes() const;

 private:
  struct Entry {
    Id id;
    uint32_t pack = 0;  ///< place in packs_
    uint32_t offset = 0;
    uint32_t length = 0;
    uint32_t uncompressed_length = 0;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };
  static_assert(sizeof(Entry) == 48);
  using Run = std::vector<Entry>;
  using Runs = std::vector<Run>;

  [[nodiscard]] const Runs& runs_of(BlobType type) const { return runs_[static_cast<size_t>(type)]; }
  [[nodiscard]] BlobLocation location_of(const Entry& entry) const;
  uint32_t place_of(const Id& pack);
  static void insert(Runs& runs, Run&& fresh);

  mutable std::shared_mutex mutex_;
  std::vector<Id> packs_;
  std::unordered_map<Id, uint32_t, IdHash> pack_places_;
  Runs runs_[2];
};

}  // namespace holdfast::repo
