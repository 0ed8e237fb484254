// Any text as a volumeinfo file of a backup or a restore.
#include "velero/volume_info.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::velero;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto v = decode_backup_volume_infos(text); v.ok()) {
    const std::string once = encode_volume_infos(*v);
    const auto again = decode_backup_volume_infos(once);
    CHECK(again.ok());
    CHECK(encode_volume_infos(*again) == once);
  }
  if (const auto v = decode_restore_volume_infos(text); v.ok())
    CHECK(decode_restore_volume_infos(encode_volume_infos(*v)).ok());
  return 0;
}
