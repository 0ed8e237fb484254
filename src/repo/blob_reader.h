// The way of blobs out of packs: with few requests, proved, from another copy where one is damaged. Any thread.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "repo/index.h"
#include "repo/unpacked.h"

namespace holdfast::repo {

/// Gets a blob's plaintext; its failure ends the whole. Called from several threads.
using TakeBlob = std::function<Status(const BlobHandle& blob, std::string_view bytes)>;

/// One stored copy of a blob.
[[nodiscard]] Result<std::string> load_copy(RepositoryFiles& files, const BlobHandle& blob, const BlobLocation& place,
                                            std::stop_token stop);
/// The blob from the first copy that is whole. not_found where it is not indexed.
[[nodiscard]] Result<std::string> load_blob(RepositoryFiles& files, const Index& index, const BlobHandle& blob,
                                            std::stop_token stop);
/// Each distinct blob once, neighbours fetched together, `connections` requests at once.
[[nodiscard]] Status load_blobs(RepositoryFiles& files, const Index& index, std::span<const BlobHandle> blobs,
                                const TakeBlob& take, size_t connections, std::stop_token stop);

}  // namespace holdfast::repo
