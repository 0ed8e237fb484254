#include "repo/blob_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "repo/blob_codec.h"
#include "sync/workers.h"

namespace holdfast::repo {

namespace {

constexpr uint64_t kLargestGap = uint64_t{1} << 20;
constexpr uint64_t kLargestRead = uint64_t{16} << 20;

struct Wanted {
  BlobHandle blob;
  BlobLocation place;
};

// A stretch of one pack that is read at once.
struct Stretch {
  Id pack;
  uint64_t offset = 0, end = 0;
  std::vector<Wanted> blobs;
};

Result<std::vector<Stretch>> plan(const RepositoryFiles& files, const Index& index, std::span<const BlobHandle> blobs) {
  std::vector<BlobHandle> distinct(blobs.begin(), blobs.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<Wanted> wanted;
  wanted.reserve(distinct.size());
  for (const BlobHandle& blob : distinct) {
    const std::optional<BlobLocation> place = index.find_one(blob);
    if (!place) {
      return Error(ErrorCode::not_found, fmt::format("{}: {} is in no index", files.name(), blob.text()),
                   "its pack or index file is missing; run check");
    }
    wanted.push_back({blob, *place});
  }
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.place < b.place; });
  std::vector<Stretch> stretches;
  for (Wanted& one : wanted) {
    const uint64_t end = uint64_t{one.place.offset} + one.place.length;
    Stretch* last = stretches.empty() ? nullptr : &stretches.back();
    if (last != nullptr && last->pack == one.place.pack && one.place.offset <= last->end + kLargestGap &&
        end - last->offset <= kLargestRead) {
      last->end = std::max(last->end, end);
      last->blobs.push_back(std::move(one));
    } else {
      stretches.push_back({one.place.pack, one.place.offset, end, {std::move(one)}});
    }
  }
  return stretches;
}

Status read_stretch(RepositoryFiles& files, const Index& index, const Stretch& stretch, const TakeBlob& take,
                    std::stop_token stop) {
  const Result<std::string> bytes =
      files.load_pack_part(stretch.pack, stretch.offset, stretch.end - stretch.offset, stop);
  for (const Wanted& one : stretch.blobs) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped while reading blobs");
    std::optional<Result<std::string>> plain;
    if (bytes) {
      plain = open_blob(files.key(), one.blob, one.place.uncompressed_length,
                        std::string_view(*bytes).substr(one.place.offset - stretch.offset, one.place.length));
    }
    if (!plain || !plain->ok()) plain = load_blob(files, index, one.blob, stop);
    if (!plain->ok()) return std::move(*plain).error();
    TRY(take(one.blob, plain->value()));
  }
  return {};
}

}  // namespace

Result<std::string> load_copy(RepositoryFiles& files, const BlobHandle& blob, const BlobLocation& place,
                              std::stop_token stop) {
  const std::string sealed = blob.type == BlobType::tree
                                 ? TRY(files.load_cached_pack_part(place.pack, place.offset, place.length, stop))
                                 : TRY(files.load_pack_part(place.pack, place.offset, place.length, stop));
  return open_blob(files.key(), blob, place.uncompressed_length, sealed).in(files.label(FileKind::pack, place.pack));
}

Result<std::string> load_blob(RepositoryFiles& files, const Index& index, const BlobHandle& blob,
                              std::stop_token stop) {
  std::vector<BlobLocation> places = index.find(blob);
  if (places.empty()) {
    return Error(ErrorCode::not_found, fmt::format("{}: {} is in no index", files.name(), blob.text()),
                 "its pack or index file is missing; run check");
  }
  std::optional<Error> first;
  // Twice: bytes may also be damaged on their way.
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (const BlobLocation& place : places) {
      Result<std::string> plain = load_copy(files, blob, place, stop);
      if (plain || plain.is(ErrorCode::cancelled)) return plain;
      if (!first) first = std::move(plain).error();
    }
  }
  return (*std::move(first)).hinted("no copy of this blob can be read; run check --read-data");
}

Status load_blobs(RepositoryFiles& files, const Index& index, std::span<const BlobHandle> blobs, const TakeBlob& take,
                  size_t connections, std::stop_token stop) {
  const std::vector<Stretch> stretches = TRY(plan(files, index, blobs));
  if (stretches.empty()) return {};
  sync::WorkerGroup group(std::min(connections, stretches.size()), std::move(stop));
  for (const Stretch& stretch : stretches) {
    group.add([&](std::stop_token own) { return read_stretch(files, index, stretch, take, std::move(own)); });
  }
  return group.finish();
}

}  // namespace holdfast::repo
