// The directory store beside the bare system calls that it cannot do without, on the same disk in the same run: for a
// put a new file, write, fsync, rename over the old one, fsync of the directory; for a get open, read, close.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "base/random.h"
#include "objstore/fs.h"

namespace holdfast::objstore {
namespace {

/// A directory below the current one, which is removed at the end: put it on the disk to measure.
class Scratch {
 public:
  Scratch() : path_((std::filesystem::current_path() / ("objstore-bench-" + random_hex(4))).string()) {
    std::filesystem::create_directory(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

std::string bytes_of(const benchmark::State& state) {
  return std::string(static_cast<size_t>(state.range(0)), 'x');
}

void count(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void raw_put(const std::string& directory, const std::string& bytes) {
  const std::string temporary = directory + "/new";
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  CHECK(write_all(file.get(), bytes, temporary).ok() && ::fsync(file.get()) == 0);
  file.reset();
  CHECK(std::rename(temporary.c_str(), (directory + "/object").c_str()) == 0);
  CHECK(sync_directory(directory).ok());
}

void BM_RawPut(benchmark::State& state) {
  const Scratch scratch;
  const std::string bytes = bytes_of(state);
  for (auto _ : state) raw_put(scratch.path(), bytes);
  count(state);
}

void BM_StorePut(benchmark::State& state) {
  const Scratch scratch;
  const auto store = open_directory({scratch.path()}).value();
  const std::string bytes = bytes_of(state);
  for (auto _ : state) CHECK(store->put("data/object", bytes).ok());
  count(state);
}

void BM_RawGet(benchmark::State& state) {
  const Scratch scratch;
  raw_put(scratch.path(), bytes_of(state));
  for (auto _ : state) {
    const UniqueFd file(::open((scratch.path() + "/object").c_str(), O_RDONLY | O_CLOEXEC));
    std::string bytes(static_cast<size_t>(state.range(0)), '\0');
    CHECK(::read(file.get(), bytes.data(), bytes.size()) == state.range(0));
    benchmark::DoNotOptimize(bytes.data());
  }
  count(state);
}

void BM_StoreGet(benchmark::State& state) {
  const Scratch scratch;
  const auto store = open_directory({scratch.path()}).value();
  CHECK(store->put("data/object", bytes_of(state)).ok());
  for (auto _ : state) {
    const std::string bytes = store->get("data/object").value();
    benchmark::DoNotOptimize(bytes.data());
  }
  count(state);
}

constexpr int64_t kSmall = 4 << 10;
constexpr int64_t kLarge = 16 << 20;
BENCHMARK(BM_RawPut)->Arg(kSmall)->Arg(kLarge)->UseRealTime();
BENCHMARK(BM_StorePut)->Arg(kSmall)->Arg(kLarge)->UseRealTime();
BENCHMARK(BM_RawGet)->Arg(kSmall)->Arg(kLarge)->UseRealTime();
BENCHMARK(BM_StoreGet)->Arg(kSmall)->Arg(kLarge)->UseRealTime();

}  // namespace
}  // namespace holdfast::objstore

BENCHMARK_MAIN();
