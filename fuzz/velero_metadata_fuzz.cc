// Any bytes as a gzipped file of a backup: bounded unpacking, and what decodes must survive encode and decode again.
#include "velero/gzip.h"
#include "velero/item_operations.h"
#include "velero/metadata.h"
#include "velero/resource_list.h"
#include "velero/results.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  using namespace holdfast::velero;
  const Result<std::string> plain = gunzip({reinterpret_cast<const char*>(data), size}, size_t{1} << 20);
  if (!plain) return 0;
  if (const auto v = decode_metadata(*plain); v.ok()) {
    const std::string once = encode_metadata(*v);
    const auto again = decode_metadata(once);
    CHECK(again.ok());
    CHECK(encode_metadata(*again) == once);
  }
  if (const auto v = decode_pod_volume_backups(*plain); v.ok())
    CHECK(decode_pod_volume_backups(encode_pod_volume_backups(*v)).ok());
  if (const auto v = decode_results(*plain); v.ok()) CHECK(decode_results(encode_results(*v)).ok());
  if (const auto v = decode_resource_list(*plain); v.ok()) CHECK(decode_resource_list(encode_resource_list(*v)).ok());
  if (const auto v = decode_backup_operations(*plain); v.ok())
    CHECK(decode_backup_operations(encode_operations(*v)).ok());
  return 0;
}
