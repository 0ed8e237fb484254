// The kernels of the repository engine, one thread each: cuts, hashes, envelopes, compression, and whole blobs with
// their proof. Bytes per second count plaintext.
#include <benchmark/benchmark.h>

#include "base/text.h"
#include "crypto/aes_poly1305.h"
#include "crypto/sha256.h"
#include "repo/blob_codec.h"
#include "repo/chunker.h"

namespace {

using namespace holdfast;

std::string noise(size_t size) {
  std::string out(size, '\0');
  uint64_t state = 88172645463325252;
  for (char& byte : out) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state >> 56);
  }
  return out;
}

std::string lines(size_t size) {
  std::string out;
  for (uint64_t i = 0; out.size() < size; ++i) out += "entry " + std::to_string(i * 7919 % 100003) + " of a log\n";
  out.resize(size);
  return out;
}

const crypto::EnvelopeKey& key() {
  static const crypto::EnvelopeKey kKey = crypto::EnvelopeKey::generate();
  return kKey;
}

void count(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(bytes));
}

void chunker(benchmark::State& state) {
  const std::string data = noise(64 << 20);
  const auto tables = std::make_shared<const repo::ChunkTables>(0x3DA3358B4DC173);
  for (auto step : state) {
    repo::Chunker cutter(tables);
    std::string_view rest = data;
    while (!rest.empty()) rest.remove_prefix(*cutter.next(rest, true));
  }
  count(state, data.size());
}
BENCHMARK(chunker)->Unit(benchmark::kMillisecond);

void sha256(benchmark::State& state) {
  const std::string data = noise(static_cast<size_t>(state.range(0)));
  for (auto step : state) benchmark::DoNotOptimize(crypto::sha256(data));
  count(state, data.size());
}
BENCHMARK(sha256)->Arg(4 << 10)->Arg(1 << 20);

void seal(benchmark::State& state) {
  const std::string data = noise(static_cast<size_t>(state.range(0)));
  std::string out(data.size() + crypto::kEnvelopeOverhead, '\0');
  for (auto step : state) crypto::seal(key(), as_bytes(data), std::as_writable_bytes(std::span(out)));
  count(state, data.size());
}
BENCHMARK(seal)->Arg(4 << 10)->Arg(1 << 20);

void open(benchmark::State& state) {
  const std::string data = noise(static_cast<size_t>(state.range(0)));
  std::string sealed, out(data.size(), '\0');
  crypto::seal_to(key(), as_bytes(data), sealed);
  for (auto step : state) {
    if (!crypto::open(key(), as_bytes(sealed), std::as_writable_bytes(std::span(out)))) state.SkipWithError("open");
  }
  count(state, data.size());
}
BENCHMARK(open)->Arg(4 << 10)->Arg(1 << 20);

void compress(benchmark::State& state) {
  const std::string data = state.range(0) == 0 ? lines(1 << 20) : noise(1 << 20);
  std::string frame;
  for (auto step : state) {
    frame.clear();
    repo::compress_to(data, repo::Compression::automatic, frame);
  }
  count(state, data.size());
  state.counters["ratio"] = static_cast<double>(data.size()) / static_cast<double>(frame.size());
}
BENCHMARK(compress)->ArgName("noise")->Arg(0)->Arg(1);

// What save_blob does with a new blob: hash, compress, seal, and the proof of all three.
void whole_blob(benchmark::State& state) {
  const std::string data = state.range(0) == 0 ? lines(1 << 20) : noise(1 << 20);
  for (auto step : state) {
    const repo::BlobHandle blob{repo::BlobType::data, repo::Id::of(data)};
    const auto sealed = repo::seal_blob(key(), blob.type, data, 2, repo::Compression::automatic);
    const auto again = repo::open_blob(key(), blob, sealed->uncompressed_length, sealed->bytes);
    if (!again) state.SkipWithError("proof");
  }
  count(state, data.size());
}
BENCHMARK(whole_blob)->ArgName("noise")->Arg(0)->Arg(1);

}  // namespace

BENCHMARK_MAIN();
