#include "velero/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

namespace holdfast::velero {

namespace {
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, gzip framing
constexpr size_t kStep = 64 * 1024;

struct Inflater {
  z_stream stream{};
  bool open = false;
  ~Inflater() {
    if (open) inflateEnd(&stream);
  }
};

Bytef* input_of(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

Error corrupt(std::string_view why) {
  return {ErrorCode::corrupt, fmt::format("gzip: {}", why)};
}
}  // namespace

Result<std::string> gzip(std::string_view plain) {
  if (plain.size() > std::numeric_limits<uInt>::max())
    return Error(ErrorCode::exhausted, "gzip: text of more than 4 GiB");
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return Error(ErrorCode::exhausted, "gzip: no memory");
  std::string out(deflateBound(&stream, static_cast<uLong>(plain.size())), '\0');
  stream.next_in = input_of(plain);
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (code != Z_STREAM_END) return Error(ErrorCode::internal, fmt::format("gzip: deflate ended with {}", code));
  return out;
}

Result<std::string> gunzip(std::string_view packed, size_t limit) {
  if (packed.empty()) return corrupt("empty file");
  if (packed.size() > std::numeric_limits<uInt>::max()) return corrupt("file of more than 4 GiB");
  Inflater inflater;
  if (inflateInit2(&inflater.stream, kGzipWindow) != Z_OK) return Error(ErrorCode::exhausted, "gzip: no memory");
  inflater.open = true;
  z_stream& stream = inflater.stream;
  stream.next_in = input_of(packed);
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, kStep> chunk{};
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    const int code = inflate(&stream, Z_NO_FLUSH);
    const size_t got = chunk.size() - stream.avail_out;
    if (got > limit - out.size())
      return Error(ErrorCode::exhausted, fmt::format("gzip: plain text larger than {} bytes", limit));
    out.append(chunk.data(), got);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return out;
      if (inflateReset(&stream) != Z_OK) return corrupt("cannot start the next member");
      continue;
    }
    if (code == Z_BUF_ERROR || (code == Z_OK && stream.avail_in == 0 && stream.avail_out != 0))
      return corrupt("the file ends early");
    if (code != Z_OK) return corrupt(stream.msg != nullptr ? stream.msg : "damaged data");
  }
}

}  // namespace holdfast::velero
