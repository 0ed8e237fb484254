// Streams of bytes as functions: where they come from, where they go, and the unpacking of gzip.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "objstore/store.h"

namespace holdfast::backup {

/// Takes the next bytes of a stream.
using ByteSink = std::function<Status(std::string_view)>;
/// The next bytes of a stream; an empty string is its end.
using ByteSource = std::function<Result<std::string>()>;

/// An object of a store, read in pieces of 4 MiB.
[[nodiscard]] ByteSource store_source(objstore::Store& store, std::string key, std::stop_token stop = {});
[[nodiscard]] ByteSource memory_source(std::string bytes);

/// Unpacks gzip (one member or several). corrupt: no gzip, wrong checksum, cut off; exhausted above `limit` bytes.
[[nodiscard]] ByteSource gunzip_source(ByteSource packed, uint64_t limit);
}  // namespace holdfast::backup
