#include "objstore/conformance.h"

#include <filesystem>

#include "objstore/decorators.h"
#include "objstore/fault.h"
#include "objstore/fs.h"
#include "objstore/mem.h"

namespace holdfast::objstore {
namespace {

std::shared_ptr<Store> make_mem() {
  return std::make_shared<MemStore>();
}

/// A directory that goes with the store.
class ScratchDirectory {
 public:
  ScratchDirectory() : path_(std::filesystem::temp_directory_path() / ("hf-objstore-" + random_hex(8))) {}
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::shared_ptr<Store> make_fs() {
  auto scratch = std::make_shared<ScratchDirectory>();
  std::shared_ptr<Store> store = open_directory({scratch->path(), FsOptions::Missing::create}).value();
  Store* raw = store.get();
  return {raw, [store, scratch](Store*) {}};
}

std::shared_ptr<Store> make_below() {
  const auto mem = std::make_shared<MemStore>();
  EXPECT_TRUE(mem->put("elsewhere", "x").ok());
  EXPECT_TRUE(mem->put("velero/prod2/x", "x").ok());
  return below(mem, "velero/prod").value();
}

std::shared_ptr<Store> make_decorated() {
  return below(with_retry(with_limits(make_fs(), {uint64_t{1} << 33, 3}), {}), "velero/").value();
}

INSTANTIATE_TEST_SUITE_P(Drivers, StoreConformance,
                         testing::Values(StoreMaker{"mem", make_mem}, StoreMaker{"fs", make_fs},
                                         StoreMaker{"below", make_below},
                                         StoreMaker{"retry", [] { return with_retry(make_mem(), {}); }},
                                         StoreMaker{"limit",
                                                    [] {
                                                      return with_limits(make_mem(), {uint64_t{1} << 33, 2});
                                                    }},
                                         StoreMaker{"fault", [] { return std::make_shared<FaultStore>(make_mem()); }},
                                         StoreMaker{"stack", make_decorated}),
                         maker_name);

}  // namespace
}  // namespace holdfast::objstore
