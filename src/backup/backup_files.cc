#include "backup/backup_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "sync/retry.h"

namespace holdfast::backup {
namespace {

constexpr uint64_t kPiece = uint64_t{4} << 20;
constexpr sync::RetrySchedule kPuts{.first = std::chrono::milliseconds(500),
                                    .longest = std::chrono::seconds(20),
                                    .deadline = std::chrono::minutes(3),
                                    .factor = 2.0};

Error taken(const std::string& key) {
  return Error(ErrorCode::exists, key + " exists already", "choose another name; nothing was overwritten");
}

}  // namespace

Status BackupFiles::check_free(std::stop_token stop) {
  objstore::ListRequest request;
  request.prefix = layout_.backup_directory(name_);
  request.limit = 1;
  const objstore::ListPage page = TRY(store_.list(request, std::move(stop)));
  if (!page.objects.empty()) return taken(page.objects.front().key);
  return {};
}

Status BackupFiles::put_once(const std::string& key, const std::string& bytes, std::stop_token stop) {
  if (guarded()) {
    Status put = store_.put_if_absent(key, bytes, stop);
    if (put) return {};
    if (put.is(ErrorCode::exists) || put.error().retryable()) {
      // The answer to an earlier attempt may have got lost: equal bytes are ours.
      const Result<std::string> there = store_.get(key, {}, stop);
      if (there && *there == bytes) return {};
      if (there) return taken(key);
    }
    return put;
  }
  const Result<std::string> there = store_.get(key, {}, stop);
  if (there) return *there == bytes ? Status() : Status(taken(key));
  if (!there.is(ErrorCode::not_found)) return there.error();
  return store_.put(key, bytes, stop);
}

Status BackupFiles::put(velero::BackupFile file, const std::string& bytes, std::stop_token stop) {
  const std::string key = layout_.key(file, name_);
  bool tried = false;
  Status status = sync::retry(kPuts, clock_, stop, [&]() -> Status {
    tried = true;
    return put_once(key, bytes, stop);
  });
  if (tried && !status.is(ErrorCode::exists)) written_.push_back(key);
  return std::move(status).in("write " + key);
}

Status BackupFiles::put_contents(const SpillFile& tarball, std::stop_token stop) {
  const std::string key = layout_.key(velero::BackupFile::contents, name_);
  written_.push_back(key);
  return sync::retry(kPuts, clock_, stop,
                     [&]() -> Status {
                       std::unique_ptr<objstore::Upload> upload = TRY(store_.start_upload(key, stop));
                       for (uint64_t at = 0; at < tarball.size(); at += kPiece) {
                         const std::string piece = TRY(tarball.read(at, std::min(kPiece, tarball.size() - at)));
                         TRY(upload->write(piece));
                       }
                       return upload->finish();
                     })
      .in("write " + key);
}

void BackupFiles::remove_written() {
  // The caller reports the failure that led here; what cannot be removed is invisible without the metadata, and the
  // collector of leftovers takes it after a day.
  // The log says whose all this is, so it goes last.
  for (auto key = written_.rbegin(); key != written_.rend(); ++key) (void)store_.remove(*key).ok();
  written_.clear();
}

}  // namespace holdfast::backup
