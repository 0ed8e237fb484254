#include "backup/stream.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"

namespace holdfast::backup {
namespace {

constexpr uint64_t kPiece = uint64_t{4} << 20;
constexpr size_t kOut = size_t{256} << 10;
constexpr int kGzipWindow = 15 + 16;  ///< zlib: largest window, gzip framing

class Unzipper {
 public:
  Unzipper(ByteSource packed, uint64_t limit) : packed_(std::move(packed)), limit_(limit) {
    CHECK(inflateInit2(&zip_, kGzipWindow) == Z_OK);
  }
  ~Unzipper() { inflateEnd(&zip_); }
  Unzipper(const Unzipper&) = delete;
  Unzipper& operator=(const Unzipper&) = delete;

  Result<std::string> next() {
    std::string out(kOut, '\0');
    while (true) {
      if (input_.empty()) {
        input_ = TRY(packed_());
        if (input_.empty()) {
          if (between_members_ && seen_) return std::string();
          return Error(ErrorCode::corrupt, "gzip stream is cut off");
        }
        at_ = 0;
      }
      const size_t got = TRY(step(out));
      if (got == 0) continue;
      total_ += got;
      if (total_ > limit_) return Error(ErrorCode::exhausted, "unpacked stream is larger than allowed");
      out.resize(got);
      return out;
    }
  }

 private:
  Result<size_t> step(std::string& out) {
    if (between_members_ && seen_) {
      if (inflateReset2(&zip_, kGzipWindow) != Z_OK) return Error(ErrorCode::internal, "zlib reset failed");
    }
    between_members_ = false;
    zip_.next_in = reinterpret_cast<Bytef*>(input_.data() + at_);
    zip_.avail_in = static_cast<uInt>(input_.size() - at_);
    zip_.next_out = reinterpret_cast<Bytef*>(out.data());
    zip_.avail_out = static_cast<uInt>(out.size());
    const int result = inflate(&zip_, Z_NO_FLUSH);
    at_ = input_.size() - zip_.avail_in;
    if (at_ == input_.size()) input_.clear();
    const size_t got = out.size() - zip_.avail_out;
    if (result == Z_STREAM_END) {
      between_members_ = true;
      seen_ = true;
    } else if (result != Z_OK && !(result == Z_BUF_ERROR && input_.empty())) {
      return Error(ErrorCode::corrupt, fmt::format("gzip: {}", zip_.msg == nullptr ? "bad stream" : zip_.msg));
    }
    return got;
  }

  ByteSource packed_;
  uint64_t limit_;
  z_stream zip_ = {};
  std::string input_;
  size_t at_ = 0;
  uint64_t total_ = 0;
  bool between_members_ = true;
  bool seen_ = false;  ///< at least one whole member
};

}  // namespace

ByteSource store_source(objstore::Store& store, std::string key, std::stop_token stop) {
  struct Position {
    uint64_t offset = 0;
    std::optional<uint64_t> size;
  };
  auto at = std::make_shared<Position>();
  return [&store, key = std::move(key), stop = std::move(stop), at]() -> Result<std::string> {
    if (!at->size) at->size = TRY(store.head(key, stop)).size;
    if (at->offset >= *at->size) return std::string();
    const uint64_t length = std::min(kPiece, *at->size - at->offset);
    std::string piece = TRY(store.get(key, objstore::Range{at->offset, length}, stop));
    if (piece.size() != length) {
      return Error(ErrorCode::corrupt,
                   fmt::format("{}: {} bytes at {} instead of {}", key, piece.size(), at->offset, length));
    }
    at->offset += length;
    return piece;
  };
}

ByteSource memory_source(std::string bytes) {
  auto rest = std::make_shared<std::string>(std::move(bytes));
  return [rest]() -> Result<std::string> { return std::exchange(*rest, std::string()); };
}

ByteSource gunzip_source(ByteSource packed, uint64_t limit) {
  auto unzipper = std::make_shared<Unzipper>(std::move(packed), limit);
  return [unzipper] { return unzipper->next(); };
}

}  // namespace holdfast::backup
