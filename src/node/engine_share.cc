#include "node/engine_share.h"

#include <algorithm>

namespace holdfast::node {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
/// A chunk (8 MiB at most) as read, compressed, sealed and proved again.
constexpr uint64_t kReader = 32 * kMiB;

}  // namespace

uint64_t memory_of_work(const EngineShare& share) {
  // One pack of each kind is filled while the others travel.
  return share.readers * kReader + (share.connections + 2) * share.pack_size;
}

EngineShare share_engine(uint64_t memory, size_t workers, size_t cores) {
  EngineShare share;
  share.workers = std::max<size_t>(1, workers);
  share.readers = std::clamp<size_t>(cores, 1, 8);
  share.connections = 5;
  const auto fits = [&] { return share.workers * memory_of_work(share) <= memory; };
  // What costs the least speed goes first.
  while (!fits() && share.connections > 2) --share.connections;
  while (!fits() && share.readers > 1) --share.readers;
  while (!fits() && share.pack_size > 4 * kMiB) share.pack_size /= 2;
  while (!fits() && share.workers > 1) --share.workers;
  share.connections = fits() ? share.connections : 1;
  return share;
}

}  // namespace holdfast::node
