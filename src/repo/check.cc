#include "repo/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <random>
#include <unordered_set>

#include "base/text.h"
#include "repo/blob_codec.h"
#include "repo/index_file.h"
#include "repo/tree_references.h"
#include "sync/workers.h"

namespace holdfast::repo {

namespace {

class Checker {
 public:
  Checker(Repository& repository, const CheckOptions& options, std::stop_token stop, Progress* progress)
      : repository_(repository),
        options_(options),
        stop_(std::move(stop)),
        progress_(progress != nullptr ? *progress : no_progress_) {}

  Result<CheckReport> run() {
    // Snapshots before the index: what a backup adds meanwhile is then indexed, not missing.
    std::vector<Error> damaged;
    const std::vector<Snapshot> snapshots = TRY(repository_.snapshots(stop_, &damaged));
    for (const Error& error : damaged) damage(error.message());
    report_.snapshots = snapshots.size();
    TRY(load_indexes());
    TRY(check_packs());
    TRY(check_trees(snapshots));
    TRY(read_packs());
    std::sort(report_.damage.begin(), report_.damage.end());
    std::sort(report_.hints.begin(), report_.hints.end());
    return std::move(report_);
  }

 private:
  void damage(std::string text) { report_.damage.push_back(std::move(text)); }
  void hint(std::string text) { report_.hints.push_back(std::move(text)); }

  Status load_indexes() {
    const std::vector<ListedFile> files = TRY(repository_.files().list(FileKind::index, stop_));
    progress_.stage("load index", files.size(), 0);
    std::map<Id, size_t> listings;
    for (const ListedFile& file : files) {
      Result<std::string> text = repository_.files().load(FileKind::index, file.id, stop_);
      if (text.is(ErrorCode::cancelled)) return std::move(text).error();
      // Rewritten since it was listed.
      if (text.is(ErrorCode::not_found)) continue;
      Result<std::vector<PackContents>> packs =
          text ? decode_index(*text).in(repository_.files().label(FileKind::index, file.id)) : std::move(text).error();
      if (!packs) {
        damage(packs.error().message());
        continue;
      }
      for (const PackContents& pack : *packs) {
        if (++listings[pack.pack] == 2) hint(fmt::format("pack {} is in several index files", pack.pack.hex()));
      }
      index_.add(*packs);
      progress_.done(1, 0);
    }
    if (!repository_.load_index(stop_) && report_.damage.empty()) {
      return Error(ErrorCode::conflict, "the index changed while it was read", "run check again");
    }
    return {};
  }

  Status check_packs() {
    for (const ListedFile& file : TRY(repository_.files().list(FileKind::pack, stop_))) sizes_[file.id] = file.size;
    packs_ = index_.by_pack();
    report_.packs = packs_.size();
    for (const PackContents& pack : packs_) {
      const std::string name = "pack " + pack.pack.hex();
      const auto listed = sizes_.find(pack.pack);
      if (listed == sizes_.end()) {
        damage(fmt::format("{} is missing: its {} blobs are lost unless they have copies", name, pack.blobs.size()));
      } else if (const uint64_t expected = pack_size_of(pack.blobs); listed->second != expected) {
        damage(fmt::format("{} has {} bytes instead of {}: {}", name, listed->second, expected,
                           listed->second < expected ? "truncated" : "overwritten, or its index is incomplete"));
      }
      const bool mixed = std::any_of(pack.blobs.begin(), pack.blobs.end(), [&](const PackedBlob& blob) {
        return blob.blob.type != pack.blobs.front().blob.type;
      });
      if (mixed) hint(fmt::format("{} mixes trees and data", name));
    }
    for (const auto& [pack, size] : sizes_) {
      if (!index_.has_pack(pack)) hint(fmt::format("pack {} is in no index: prune removes it", pack.hex()));
    }
    return {};
  }

  Status check_trees(const std::vector<Snapshot>& snapshots) {
    progress_.stage("check trees", 0, 0);
    std::vector<Id> roots;
    for (const Snapshot& snapshot : snapshots) {
      roots.push_back(snapshot.tree);
      if (!index_.contains({BlobType::tree, snapshot.tree})) {
        damage(fmt::format("snapshot {}: its root tree {} is in no index", snapshot.id.hex(), snapshot.tree.hex()));
      }
    }
    std::unordered_set<BlobHandle, IdHash> used;
    TRY(walk_trees(
        repository_, roots, options_.connections,
        [&](const Id& tree, const Result<TreeReferences>& references) -> Status {
          used.insert({BlobType::tree, tree});
          ++report_.trees;
          progress_.done(1, 0);
          if (!references) {
            damage(fmt::format("tree {} cannot be read: {}", tree.hex(), references.error().message()));
            return {};
          }
          for (const Id& id : references->content) {
            if (used.insert({BlobType::data, id}).second && !index_.contains({BlobType::data, id})) {
              damage(fmt::format("data {} (of tree {}) is in no index", id.hex(), tree.hex()));
            }
          }
          return {};
        },
        stop_));
    report_.blobs_used = used.size();
    std::unordered_set<BlobHandle, IdHash> all;
    index_.for_each([&](const BlobHandle& blob, const BlobLocation&) {
      if (!used.contains(blob)) all.insert(blob);
    });
    report_.blobs_unused = all.size();
    return {};
  }

  std::vector<const PackContents*> chosen_packs() {
    std::vector<const PackContents*> chosen;
    const DataSubset& subset = options_.data;
    for (const PackContents& pack : packs_) {
      if (!sizes_.contains(pack.pack) || subset.kind == DataSubset::Kind::none) continue;
      const auto first = std::to_integer<uint64_t>(pack.pack.bytes[0]);
      if (subset.kind == DataSubset::Kind::slice && first % subset.parts != subset.part - 1) continue;
      chosen.push_back(&pack);
    }
    if (subset.kind == DataSubset::Kind::all || subset.kind == DataSubset::Kind::slice) return chosen;
    std::shuffle(chosen.begin(), chosen.end(), std::mt19937_64(std::random_device{}()));
    size_t count = 0;
    if (subset.kind == DataSubset::Kind::percent) {
      count = static_cast<size_t>(static_cast<double>(chosen.size()) * subset.percent / 100.0 + 0.999);
    } else {
      for (uint64_t sum = 0; count < chosen.size() && sum < subset.bytes; ++count) sum += sizes_[chosen[count]->pack];
    }
    chosen.resize(std::min(count, chosen.size()));
    return chosen;
  }

  Status read_packs() {
    const std::vector<const PackContents*> chosen = chosen_packs();
    if (chosen.empty()) return {};
    uint64_t bytes = 0;
    for (const PackContents* pack : chosen) bytes += sizes_[pack->pack];
    progress_.stage("read packs", chosen.size(), bytes);
    sync::WorkerGroup group(std::min(options_.connections, chosen.size()), stop_);
    for (const PackContents* pack : chosen) {
      group.add([this, pack](std::stop_token own) { return read_pack(*pack, std::move(own)); });
    }
    return group.finish();
  }

  // Read again where it looks damaged: the bytes may have suffered on their way only.
  Status read_pack(const PackContents& pack, std::stop_token stop) {
    std::vector<std::string> faults;
    uint64_t size = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Result<std::string> bytes = repository_.files().store().get(key_of(FileKind::pack, pack.pack), {}, stop);
      if (bytes.is(ErrorCode::cancelled)) return bytes.error();
      faults = bytes ? check_pack_bytes(repository_.files().key(), pack, *bytes)
                     : std::vector<std::string>{fmt::format("pack {}: {}", pack.pack.hex(), bytes.error().message())};
      size = bytes ? bytes->size() : 0;
      if (faults.empty()) break;
    }
    std::lock_guard lock(mutex_);
    ++report_.packs_read;
    for (std::string& fault : faults) damage(std::move(fault));
    progress_.done(1, size);
    return {};
  }

  Repository& repository_;
  const CheckOptions& options_;
  const std::stop_token stop_;
  NoProgress no_progress_;
  Progress& progress_;
  Index index_;
  std::map<Id, uint64_t> sizes_;
  std::vector<PackContents> packs_;
  std::mutex mutex_;  ///< report_ while packs are read
  CheckReport report_;
};

Result<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number > 0)) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no number above 0", text));
  }
  return number;
}

}  // namespace

Result<DataSubset> parse_data_subset(std::string_view text) {
  DataSubset subset;
  const auto wrong = [&] {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" names no subset of the packs", text),
                 "use n/t (part n of t), x% or a size such as 10G");
  };
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    const Result<int64_t> part = parse_int(text.substr(0, slash)), parts = parse_int(text.substr(slash + 1));
    if (!part || !parts || *part < 1 || *parts < *part || *parts > 256) return wrong();
    subset.kind = DataSubset::Kind::slice;
    subset.part = static_cast<uint64_t>(*part);
    subset.parts = static_cast<uint64_t>(*parts);
    return subset;
  }
  if (text.ends_with('%')) {
    const Result<double> percent = parse_number(text.substr(0, text.size() - 1));
    if (!percent || *percent > 100) return wrong();
    subset.kind = DataSubset::Kind::percent;
    subset.percent = *percent;
    return subset;
  }
  constexpr std::string_view kUnits = "KMGT";
  const size_t unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
  const bool has_unit = unit != std::string_view::npos;
  const Result<double> number = parse_number(has_unit ? text.substr(0, text.size() - 1) : text);
  if (!number || *number > 1e18) return wrong();
  subset.kind = DataSubset::Kind::bytes;
  const double factor = has_unit ? static_cast<double>(uint64_t{1} << (10 * (unit + 1))) : 1.0;
  if (*number * factor > 1e18) return wrong();
  subset.bytes = static_cast<uint64_t>(*number * factor);
  return subset;
}

std::vector<std::string> check_pack_bytes(const crypto::EnvelopeKey& key, const PackContents& indexed,
                                          std::string_view bytes) {
  std::vector<std::string> faults;
  const std::string name = "pack " + indexed.pack.hex();
  if (Id::of(bytes) != indexed.pack) faults.push_back(name + ": its bytes do not hash to its name");
  const auto read = [&](uint64_t offset, uint64_t length) -> Result<std::string> {
    return std::string(bytes.substr(offset, length));
  };
  const Result<std::vector<PackedBlob>> header = read_pack_header(key, bytes.size(), read);
  if (!header) {
    faults.push_back(fmt::format("{}: {}", name, header.error().message()));
  } else if (*header != indexed.blobs) {
    faults.push_back(fmt::format("{}: its header lists {} blobs, the index {} or others", name, header->size(),
                                 indexed.blobs.size()));
  }
  for (const PackedBlob& blob : indexed.blobs) {
    if (blob.offset > bytes.size() || blob.length > bytes.size() - blob.offset) {
      faults.push_back(
          fmt::format("{}: {} {} lies behind its end", name, to_string(blob.blob.type), blob.blob.id.hex()));
      continue;
    }
    const Result<std::string> plain =
        open_blob(key, blob.blob, blob.uncompressed_length, bytes.substr(blob.offset, blob.length));
    if (!plain) {
      faults.push_back(fmt::format("{}: {} {} is damaged: {}", name, to_string(blob.blob.type), blob.blob.id.hex(),
                                   plain.error().message()));
    }
  }
  return faults;
}

Result<CheckReport> check(Repository& repository, const CheckOptions& options, std::stop_token stop,
                          Progress* progress) {
  return Checker(repository, options, std::move(stop), progress).run();
}

}  // namespace holdfast::repo
