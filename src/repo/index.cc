#include "repo/index.h"

#include <algorithm>
#include <mutex>

namespace holdfast::repo {

namespace {

template <typename Run>
auto copies_in(const Run& run, const Id& id) {
  const auto first = std::lower_bound(run.begin(), run.end(), id,
                                      [](const auto& entry, const Id& wanted) { return entry.id < wanted; });
  auto last = first;
  while (last != run.end() && last->id == id) ++last;
  return std::pair(first, last);
}

}  // namespace

uint32_t Index::place_of(const Id& pack) {
  const auto [at, added] = pack_places_.try_emplace(pack, static_cast<uint32_t>(packs_.size()));
  if (added) packs_.push_back(pack);
  return at->second;
}

void Index::insert(Runs& runs, Run&& fresh) {
  if (fresh.empty()) return;
  std::sort(fresh.begin(), fresh.end());
  runs.push_back(std::move(fresh));
  while (runs.size() >= 2 && runs.back().size() * 2 >= runs[runs.size() - 2].size()) {
    const Run upper = std::move(runs.back());
    runs.pop_back();
    const Run lower = std::move(runs.back());
    Run merged;
    merged.reserve(lower.size() + upper.size());
    std::merge(lower.begin(), lower.end(), upper.begin(), upper.end(), std::back_inserter(merged));
    merged.erase(std::unique(merged.begin(), merged.end()), merged.end());
    runs.back() = std::move(merged);
  }
}

void Index::add(const std::vector<PackContents>& packs) {
  std::unique_lock lock(mutex_);
  Run fresh[2];
  for (const PackContents& pack : packs) {
    const uint32_t place = place_of(pack.pack);
    for (const PackedBlob& blob : pack.blobs) {
      const Entry entry{blob.blob.id, place, blob.offset, blob.length, blob.uncompressed_length};
      bool known = false;
      for (const Run& run : runs_of(blob.blob.type)) known = known || std::binary_search(run.begin(), run.end(), entry);
      if (!known) fresh[static_cast<size_t>(blob.blob.type)].push_back(entry);
    }
  }
  for (size_t type = 0; type < 2; ++type) {
    std::sort(fresh[type].begin(), fresh[type].end());
    fresh[type].erase(std::unique(fresh[type].begin(), fresh[type].end()), fresh[type].end());
    insert(runs_[type], std::move(fresh[type]));
  }
}

void Index::clear() {
  std::unique_lock lock(mutex_);
  packs_.clear();
  pack_places_.clear();
  for (Runs& runs : runs_) runs.clear();
}

BlobLocation Index::location_of(const Entry& entry) const {
  return {packs_[entry.pack], entry.offset, entry.length, entry.uncompressed_length};
}

bool Index::contains(const BlobHandle& blob) const {
  return find_one(blob).has_value();
}

std::vector<BlobLocation> Index::find(const BlobHandle& blob) const {
  std::shared_lock lock(mutex_);
  std::vector<BlobLocation> found;
  for (const Run& run : runs_of(blob.type)) {
    const auto [first, last] = copies_in(run, blob.id);
    for (auto at = first; at != last; ++at) found.push_back(location_of(*at));
  }
  return found;
}

std::optional<BlobLocation> Index::find_one(const BlobHandle& blob) const {
  std::shared_lock lock(mutex_);
  for (const Run& run : runs_of(blob.type)) {
    const auto [first, last] = copies_in(run, blob.id);
    if (first != last) return location_of(*first);
  }
  return std::nullopt;
}

size_t Index::size() const {
  std::shared_lock lock(mutex_);
  size_t total = 0;
  for (const Runs& runs : runs_) {
    for (const Run& run : runs) total += run.size();
  }
  return total;
}

size_t Index::pack_count() const {
  std::shared_lock lock(mutex_);
  return packs_.size();
}

bool Index::has_pack(const Id& pack) const {
  std::shared_lock lock(mutex_);
  return pack_places_.contains(pack);
}

std::vector<Id> Index::packs() const {
  std::shared_lock lock(mutex_);
  return packs_;
}

void Index::for_each(const std::function<void(const BlobHandle&, const BlobLocation&)>& visit) const {
  std::shared_lock lock(mutex_);
  for (const BlobType type : {BlobType::data, BlobType::tree}) {
    for (const Run& run : runs_of(type)) {
      for (const Entry& entry : run) visit({type, entry.id}, location_of(entry));
    }
  }
}

std::vector<PackContents> Index::by_pack() const {
  std::shared_lock lock(mutex_);
  std::vector<PackContents> grouped(packs_.size());
  for (size_t i = 0; i < packs_.size(); ++i) grouped[i].pack = packs_[i];
  for (const BlobType type : {BlobType::data, BlobType::tree}) {
    for (const Run& run : runs_of(type)) {
      for (const Entry& e : run) {
        grouped[e.pack].blobs.push_back({{type, e.id}, e.offset, e.length, e.uncompressed_length});
      }
    }
  }
  for (PackContents& pack : grouped) {
    std::sort(pack.blobs.begin(), pack.blobs.end(),
              [](const PackedBlob& a, const PackedBlob& b) { return a.offset < b.offset; });
  }
  return grouped;
}

size_t Index::entry_bytes() const {
  std::shared_lock lock(mutex_);
  size_t total = 0;
  for (const Runs& runs : runs_) {
    for (const Run& run : runs) total += run.capacity() * sizeof(Entry);
  }
  return total;
}

}  // namespace holdfast::repo
