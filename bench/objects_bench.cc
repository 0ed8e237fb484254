// How fast objects go into a backup and come back, without a network: an API and a store in memory.
//   objects_bench [COUNT]      COUNT ConfigMaps of 1 KiB (5000)
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>

#include "backup/run_backup.h"
#include "backup/run_restore.h"
#include "kube/fake_api.h"
#include "objstore/mem.h"

using namespace holdfast;

namespace {

void report(std::string_view what, int count, BootTime from) {
  const std::chrono::duration<double> took = system_clock().boottime() - from;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{}: {} objects in {:.3f} s, {:.0f}/s; largest resident set {} MiB\n", what, count, took.count(),
             count / took.count(), usage.ru_maxrss / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 5000;
  kube::FakeApi source;
  for (int i = 0; i < count; ++i) {
    source.seed(json::object{{"apiVersion", "v1"},
                             {"kind", "ConfigMap"},
                             {"metadata", json::object{{"name", fmt::format("c{}", i)}, {"namespace", "bench"}}},
                             {"data", json::object{{"text", std::string(1024, 'x')}}}});
  }
  objstore::MemStore store;
  backup::BackupRun backup{.layout = velero::Layout::at("").value()};
  backup.collect.backup.metadata.name = "bench";
  backup.collect.backup.spec.included_namespaces = {"bench"};
  BootTime from = system_clock().boottime();
  const auto saved = backup::run_backup(source, store, backup, nullptr);
  if (!saved) {
    fmt::print(stderr, "{}\n", saved.error().to_string());
    return 1;
  }
  report("backup", saved->backup.status.progress ? static_cast<int>(saved->backup.status.progress->total_items) : 0,
         from);

  kube::FakeApi target;
  backup::RestoreRun restore{.layout = backup.layout, .restore = {}};
  restore.restore.metadata.name = "bench";
  restore.restore.spec.backup_name = "bench";
  from = system_clock().boottime();
  const auto restored = backup::run_restore(target, store, restore, nullptr);
  if (!restored) {
    fmt::print(stderr, "{}\n", restored.error().to_string());
    return 1;
  }
  report("restore", restored->items, from);
  return restored->phase == "Completed" ? 0 : 1;
}
