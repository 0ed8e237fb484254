#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "backup/tarball.h"

namespace holdfast::backup {
namespace {

constexpr std::string_view kVersionPath = "metadata/version";
constexpr std::string_view kVersion = "1.1.0\n";

struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

bool safe_part(std::string_view part) {
  return !part.empty() && part != "." && part != ".." && part.find('/') == std::string_view::npos &&
         part.find('\0') == std::string_view::npos && part.size() <= 253;
}

}  // namespace

struct TarballWriter::State {
  ByteSink sink;
  Time now;
  std::unique_ptr<archive, FreeWriter> tar;
  std::optional<Error> failure;  ///< of the sink
  bool finished = false;

  ~State() {
    // Dropping an unfinished writer must not call the sink any more.
    if (!finished) failure.emplace(ErrorCode::cancelled, "tarball given up");
    tar.reset();
  }

  Error error(std::string_view what) const {
    if (failure) return failure->in(what);
    const char* text = archive_error_string(tar.get());
    return Error(ErrorCode::internal, text == nullptr ? "libarchive failed" : text).in(what);
  }
  /// Hides a failed sink from libarchive, which does not free its gzip stream after a failed write.
  static la_ssize_t write(archive*, void* self, const void* bytes, size_t size) {
    auto* state = static_cast<State*>(self);
    if (!state->failure) {
      Status status = state->sink(std::string_view(static_cast<const char*>(bytes), size));
      if (!status) state->failure = std::move(status).error();
    }
    return static_cast<la_ssize_t>(size);
  }
};

TarballWriter::TarballWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarballWriter::TarballWriter(TarballWriter&&) noexcept = default;
TarballWriter& TarballWriter::operator=(TarballWriter&&) noexcept = default;
TarballWriter::~TarballWriter() = default;

Result<TarballWriter> TarballWriter::create(ByteSink sink, Time now) {
  auto state = std::make_unique<State>();
  state->sink = std::move(sink);
  state->now = now;
  state->tar.reset(archive_write_new());
  archive* tar = state->tar.get();
  if (tar == nullptr) return Error(ErrorCode::exhausted, "no memory for the tarball");
  const bool ready = archive_write_add_filter_gzip(tar) == ARCHIVE_OK &&
                     archive_write_set_format_pax_restricted(tar) == ARCHIVE_OK &&
                     archive_write_set_options(tar, "hdrcharset=BINARY") == ARCHIVE_OK &&
                     archive_write_set_bytes_per_block(tar, 1 << 16) == ARCHIVE_OK &&
                     archive_write_set_bytes_in_last_block(tar, 1) == ARCHIVE_OK &&
                     archive_write_open(tar, state.get(), nullptr, &State::write, nullptr) == ARCHIVE_OK;
  if (!ready || state->failure) return state->error("open tarball");
  TarballWriter writer(std::move(state));
  TRY(writer.entry(std::string(kVersionPath), kVersion));
  return writer;
}

Status TarballWriter::entry(const std::string& path, std::string_view body) {
  archive* tar = state_->tar.get();
  std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  if (!entry) return Error(ErrorCode::exhausted, "no memory for a tarball entry");
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(body.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0755);
  archive_entry_set_mtime(entry.get(),
                          std::chrono::duration_cast<std::chrono::seconds>(state_->now.time_since_epoch()).count(), 0);
  if (archive_write_header(tar, entry.get()) != ARCHIVE_OK) return state_->error(path);
  if (archive_write_data(tar, body.data(), body.size()) != static_cast<la_ssize_t>(body.size())) {
    return state_->error(path);
  }
  if (archive_write_finish_entry(tar) != ARCHIVE_OK || state_->failure) return state_->error(path);
  return {};
}

Status TarballWriter::add(const TarballItem& item, const json::value& object) {
  const ItemKey& key = item.key;
  if (!safe_part(key.group_resource) || !safe_part(key.name) || (!key.ns.empty() && !safe_part(key.ns)) ||
      !safe_part(item.version)) {
    return Error(ErrorCode::invalid, fmt::format("{}: no name for a tarball entry", key.to_string()));
  }
  const std::string scope = key.ns.empty() ? "cluster" : "namespaces/" + key.ns;
  const std::string body = json::compact(object);
  if (item.preferred) {
    TRY(entry(fmt::format("resources/{}/{}/{}.json", key.group_resource, scope, key.name), body));
  }
  return entry(fmt::format("resources/{}/{}{}/{}/{}.json", key.group_resource, item.version,
                           item.preferred ? "-preferredversion" : "", scope, key.name),
               body);
}

Status TarballWriter::finish() {
  const int closed = archive_write_close(state_->tar.get());
  if (closed != ARCHIVE_OK || state_->failure) return state_->error("close tarball");
  state_->finished = true;
  return {};
}

}  // namespace holdfast::backup
