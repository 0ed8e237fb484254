#include "repo/compress.h"

#include <fmt/format.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <memory>

namespace holdfast::repo {

namespace {

constexpr int kWindowLog = 19;  // 512 KiB, as restic

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// The levels of libzstd that match the ratio of restic's modes.
int level_of(Compression mode) {
  switch (mode) {
    case Compression::fastest:
      return 1;
    case Compression::better:
      return 7;
    case Compression::max:
      return 11;
    case Compression::off:
    case Compression::automatic:
      return 3;
  }
  return 3;
}

}  // namespace

Result<Compression> parse_compression(std::string_view text) {
  for (const Compression mode :
       {Compression::automatic, Compression::off, Compression::fastest, Compression::better, Compression::max}) {
    if (text == to_string(mode)) return mode;
  }
  return Error(ErrorCode::invalid, fmt::format("\"{}\" is no compression mode", text),
               "use auto, off, fastest, better or max");
}

std::string_view to_string(Compression mode) {
  switch (mode) {
    case Compression::automatic:
      return "auto";
    case Compression::off:
      return "off";
    case Compression::fastest:
      return "fastest";
    case Compression::better:
      return "better";
    case Compression::max:
      return "max";
  }
  return "";
}

void compress_to(std::string_view plain, Compression mode, std::string& out) {
  thread_local std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  CHECK(context);
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level_of(mode))));
  CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, kWindowLog)));
  const size_t start = out.size();
  out.resize(start + ZSTD_compressBound(plain.size()));
  const size_t written =
      ZSTD_compress2(context.get(), out.data() + start, out.size() - start, plain.data(), plain.size());
  CHECK(!ZSTD_isError(written));
  out.resize(start + written);
}

Result<std::string> decompress(std::string_view frame, uint64_t limit) {
  thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  CHECK(context);
  const size_t whole = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(whole) || whole != frame.size()) {
    return Error(ErrorCode::corrupt, "the compressed text is no whole zstd frame");
  }
  const unsigned long long announced = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (announced == ZSTD_CONTENTSIZE_ERROR) return Error(ErrorCode::corrupt, "the zstd frame has a bad header");
  // A frame without a size: the number of its blocks bounds it.
  const unsigned long long bound =
      announced == ZSTD_CONTENTSIZE_UNKNOWN ? ZSTD_decompressBound(frame.data(), frame.size()) : announced;
  if (bound == ZSTD_CONTENTSIZE_ERROR) return Error(ErrorCode::corrupt, "the zstd frame has bad blocks");
  if (announced != ZSTD_CONTENTSIZE_UNKNOWN && announced > limit) {
    return Error(ErrorCode::exhausted, fmt::format("the zstd frame holds {} bytes, {} are allowed", announced, limit));
  }
  // A small frame may announce much: no frame shrinks below a 30,000th, blocks of one repeated byte apart from headers.
  std::string out;
  const size_t capacity = static_cast<size_t>(std::min<unsigned long long>(bound, limit));
  if (capacity / 45'000 > frame.size()) return Error(ErrorCode::corrupt, "the zstd frame announces too much");
  out.resize(capacity);
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 31);
  const size_t got = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(got)) {
    return Error(ErrorCode::corrupt, fmt::format("the zstd frame does not decompress: {}", ZSTD_getErrorName(got)));
  }
  if (announced != ZSTD_CONTENTSIZE_UNKNOWN && got != announced) {
    return Error(ErrorCode::corrupt, "the zstd frame is shorter than it says");
  }
  out.resize(got);
  return out;
}

}  // namespace holdfast::repo
