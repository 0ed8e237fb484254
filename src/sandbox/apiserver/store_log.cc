#include "sandbox/apiserver/store_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/text.h"

namespace holdfast::sandbox {

namespace {

constexpr size_t kRecordHead = 8;
constexpr size_t kLogMax = size_t{2} << 30;

uint32_t checksum(std::string_view payload) {
  return static_cast<uint32_t>(
      ::crc32(0, reinterpret_cast<const unsigned char*>(payload.data()), static_cast<unsigned>(payload.size())));
}

void append_u32(std::string& out, uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((number >> shift) & 0xff));
}

uint32_t read_u32(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return number;
}

std::string encode(const StoreRecord& record) {
  json::object fields{{"revision", record.revision}, {"key", record.key}};
  if (record.object) fields["object"] = *record.object;
  const std::string payload = json::compact(fields);
  std::string bytes;
  bytes.reserve(payload.size() + kRecordHead);
  append_u32(bytes, static_cast<uint32_t>(payload.size()));
  append_u32(bytes, checksum(payload));
  return bytes + payload;
}

Result<StoreRecord> decode(std::string_view payload) {
  json::object fields = TRY(json::parse_object(payload));
  StoreRecord record;
  record.revision = static_cast<uint64_t>(json::int_at(fields, {"revision"}));
  record.key = json::string_at(fields, {"key"});
  if (json::value* object = fields.if_contains("object")) {
    record.object = std::make_shared<const json::value>(std::move(*object));
  }
  if (record.revision == 0 || record.key.empty()) return Error(ErrorCode::corrupt, "record without revision or key");
  return record;
}

// Hands out every whole record; answers how many bytes they take.
Result<size_t> replay_bytes(std::string_view bytes, StoreLog::From from, const StoreLog::Replay& replay) {
  size_t at = 0;
  while (bytes.size() - at >= kRecordHead) {
    const uint32_t size = read_u32(bytes.substr(at));
    if (bytes.size() - at - kRecordHead < size) break;
    const std::string_view payload = bytes.substr(at + kRecordHead, size);
    if (checksum(payload) != read_u32(bytes.substr(at + 4))) {
      return Error(ErrorCode::corrupt, fmt::format("checksum mismatch at byte {}", at));
    }
    Result<StoreRecord> record = decode(payload);
    if (!record.ok()) return Error(ErrorCode::corrupt, fmt::format("byte {}: {}", at, record.error().message()));
    replay(*std::move(record), from);
    at += kRecordHead + size;
  }
  return at;
}

std::optional<uint64_t> generation_of(const std::string& name, std::string_view stem) {
  if (name.rfind(stem, 0) != 0) return std::nullopt;
  const Result<int64_t> number = parse_int(std::string_view(name).substr(stem.size()));
  if (!number.ok() || *number < 0) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

}  // namespace

std::string StoreLog::path(const char* name, uint64_t generation) const {
  return fmt::format("{}/{}.{}", directory_, name, generation);
}

Result<std::unique_ptr<StoreLog>> StoreLog::open(const std::string& directory, const Replay& replay) {
  TRY(make_directories(directory, 0700));
  UniqueFd lock(::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return errno_error(errno, directory + "/lock");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(ErrorCode::conflict, directory + " is in use by another process");
  }
  std::unique_ptr<StoreLog> log(new StoreLog(directory, std::move(lock)));
  TRY(log->load(replay).in(directory));
  return log;
}

Status StoreLog::load(const Replay& replay) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, failure)) {
    const std::optional<uint64_t> found = generation_of(entry.path().filename().string(), "snapshot.");
    if (found) generation_ = std::max(generation_, *found);
  }
  if (failure) return Error(ErrorCode::unavailable, "read directory: " + failure.message());
  if (generation_ > 0) {
    const std::string bytes = TRY(read_file(path("snapshot", generation_), kLogMax));
    const size_t used = TRY(replay_bytes(bytes, From::snapshot, replay).in(path("snapshot", generation_)));
    if (used != bytes.size()) return Error(ErrorCode::corrupt, path("snapshot", generation_) + " is cut short");
  }
  drop_generations_below(generation_);
  TRY(open_log());
  const std::string bytes = TRY(read_file(path("log", generation_), kLogMax));
  log_bytes_ = TRY(replay_bytes(bytes, From::log, replay).in(path("log", generation_)));
  if (log_bytes_ < bytes.size() && ::ftruncate(log_.get(), static_cast<off_t>(log_bytes_)) != 0) {
    return errno_error(errno, "cut " + path("log", generation_));
  }
  return {};
}

Status StoreLog::open_log() {
  const std::string name = path("log", generation_);
  log_.reset(::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log_.valid()) return errno_error(errno, name);
  return {};
}

Status StoreLog::append(const StoreRecord& record) {
  if (broken_) return Error(ErrorCode::exhausted, "the object store failed to write earlier", "restart the server");
  const std::string bytes = encode(record);
  Status written = write_all(log_.get(), bytes, path("log", generation_));
  if (!written.ok()) {
    broken_ = ::ftruncate(log_.get(), static_cast<off_t>(log_bytes_)) != 0;
    return written;
  }
  log_bytes_ += bytes.size();
  return {};
}

Status StoreLog::compact(const std::vector<StoreRecord>& live) {
  std::string bytes;
  for (const StoreRecord& record : live) bytes += encode(record);
  TRY(write_file_atomically(path("snapshot", generation_ + 1), bytes, 0600));
  ++generation_;
  log_bytes_ = 0;
  Status opened = open_log();
  broken_ = !opened.ok();  // the old log must not be written any more
  if (opened.ok()) drop_generations_below(generation_);
  return opened;
}

void StoreLog::drop_generations_below(uint64_t generation) const {
  std::error_code ignored;  // a leftover costs space only; the next start tries again
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename().string();
    for (const char* stem : {"snapshot.", "log."}) {
      const std::optional<uint64_t> found = generation_of(name, stem);
      if (found && *found < generation) leftovers.push_back(entry.path());
    }
  }
  for (const auto& leftover : leftovers) std::filesystem::remove(leftover, ignored);
}

}  // namespace holdfast::sandbox
