#include "app/cli/repo_session.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "objstore/open.h"

namespace holdfast::app {
namespace {

constexpr Duration kBetweenShows = std::chrono::milliseconds(250);

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

/// Splits a command line as a shell does with quotes and backslashes, nothing more.
Result<std::vector<std::string>> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  char quote = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (c == '\\' && quote == '"' && at + 1 < text.size()) {
        word += text[++at];
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == '\\' && at + 1 < text.size()) {
      word += text[++at];
      inside = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (inside) words.push_back(std::exchange(word, ""));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != 0) return Error(ErrorCode::invalid, "the password command has an open quote");
  if (inside) words.push_back(word);
  if (words.empty()) return Error(ErrorCode::invalid, "the password command is empty");
  return words;
}

crypto::Secret take_trimmed(std::string text) {
  crypto::Secret secret = crypto::Secret::of(trim(text));
  crypto::wipe(text);
  return secret;
}

ProgressLine::Form form_of(const config::Arguments& arguments) {
  if (arguments.boolean("quiet")) return ProgressLine::Form::none;
  if (arguments.boolean("json")) return ProgressLine::Form::json;
  return ::isatty(STDERR_FILENO) ? ProgressLine::Form::terminal : ProgressLine::Form::none;
}

}  // namespace

StopOnSignal::StopOnSignal() {
  const sigset_t set = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::jthread([this, set](const std::stop_token& over) {
    const timespec pause{0, 100'000'000};
    while (!over.stop_requested()) {
      if (::sigtimedwait(&set, nullptr, &pause) > 0) asked_.request_stop();
    }
  });
}

StopOnSignal::~StopOnSignal() = default;

ProgressLine::ProgressLine(Form form, Clock& clock) : form_(form), clock_(clock) {}
ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::stage(std::string_view name, uint64_t total_items, uint64_t total_bytes) {
  std::lock_guard lock(mutex_);
  stage_ = name;
  total_items_ = total_items;
  total_bytes_ = total_bytes;
  items_ = 0;
  bytes_ = 0;
  started_ = shown_ = clock_.boottime();
}

void ProgressLine::done(uint64_t items, uint64_t bytes) {
  items_ += items;
  bytes_ += bytes;
  if (form_ == Form::none) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;  // another thread is showing
  const BootTime now = clock_.boottime();
  if (now - shown_ >= kBetweenShows) show(now);
}

void ProgressLine::show(BootTime now) {
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const auto rate = static_cast<uint64_t>(seconds > 0 ? static_cast<double>(bytes_.load()) / seconds : 0);
  if (form_ == Form::json) {
    const double share = total_bytes_ ? static_cast<double>(bytes_.load()) / static_cast<double>(total_bytes_) : 0;
    const json::object status{{"message_type", "status"},    {"seconds_elapsed", static_cast<int64_t>(seconds)},
                              {"percent_done", share},       {"total_files", total_items_},
                              {"files_done", items_.load()}, {"total_bytes", total_bytes_},
                              {"bytes_done", bytes_.load()}};
    fmt::print("{}\n", json::compact(status));
    return;
  }
  const std::string share =
      total_bytes_
          ? fmt::format("{:5.1f} %  ", 100.0 * static_cast<double>(bytes_.load()) / static_cast<double>(total_bytes_))
          : "";
  fmt::print(stderr, "\r\033[K{}: {}{} items, {}, {}/s", stage_, share, items_.load(), format_bytes(bytes_.load()),
             format_bytes(rate));
  std::fflush(stderr);
  visible_ = true;
}

void ProgressLine::clear() {
  std::lock_guard lock(mutex_);
  if (visible_) fmt::print(stderr, "\r\033[K");
  visible_ = false;
}

RepoSession::RepoSession(const config::Arguments& arguments)
    : arguments_(arguments), progress_(form_of(arguments), system_clock()) {
  on_signal_.emplace(signals_.token(), [this] { ended_.request_stop(); });
}

Result<std::shared_ptr<objstore::Store>> RepoSession::open_store(bool create) const {
  std::string url = arguments_.text("repo");
  if (url.empty() && arguments_.given("repository-file")) {
    url = std::string(trim(TRY(read_file(arguments_.text("repository-file"), 1 << 16))));
  }
  if (url.empty()) {
    return Error(ErrorCode::invalid, "no repository is named", "give -r, --repository-file or RESTIC_REPOSITORY");
  }
  objstore::OpenOptions options;
  options.environment = config::process_environment();
  options.create_directory = create;
  if (arguments_.given("cacert")) options.ca_pem = TRY(read_file(arguments_.text("cacert"), 1 << 20));
  options.limits.bytes_per_second = static_cast<uint64_t>(arguments_.number("limit-rate")) * 1024;
  return objstore::open_repository_url(url, options);
}

Result<crypto::Secret> RepoSession::password() const {
  if (arguments_.given("password-file")) {
    return take_trimmed(TRY(read_file(arguments_.text("password-file"), 1 << 20)));
  }
  if (arguments_.given("password-command")) {
    const std::vector<std::string> words = TRY(split_command(arguments_.text("password-command")));
    CommandOutput output = TRY(run_command(words, {}, std::chrono::minutes(1), stop()).in("password command"));
    if (output.code != 0) {
      crypto::wipe(output.out);
      return Error(ErrorCode::invalid, fmt::format("the password command ended with exit code {}", output.code));
    }
    return take_trimmed(std::move(output.out));
  }
  if (std::optional<std::string> text = config::process_environment()("RESTIC_PASSWORD"); text && !text->empty()) {
    crypto::Secret secret = crypto::Secret::of(*text);
    crypto::wipe(*text);
    return secret;
  }
  return Error(ErrorCode::invalid, "no password is given",
               "give --password-file, --password-command, or RESTIC_PASSWORD in the environment");
}

Result<repo::RepositoryOptions> RepoSession::repository_options() const {
  repo::RepositoryOptions options;
  options.key_hint = arguments_.text("key-hint");
  const std::string compression = arguments_.text("compression");
  if (compression == "off") options.compression = repo::Compression::off;
  if (compression == "max") options.compression = repo::Compression::max;
  if (const int64_t size = arguments_.number("pack-size"); size != 0) {
    if (size < 4 || size > 128) return Error(ErrorCode::invalid, "--pack-size takes 4 to 128 (MiB)");
    options.pack_size = static_cast<uint64_t>(size) << 20;
  }
  if (!arguments_.boolean("no-cache")) options.cache_dir = arguments_.text("cache-dir");
  return options;
}

Status RepoSession::open() {
  Result<std::shared_ptr<objstore::Store>> found = open_store(false);
  if (found.is(ErrorCode::not_found)) failure_code_ = kExitNoRepository;
  const std::shared_ptr<objstore::Store> store = TRY(std::move(found));
  const crypto::Secret secret = TRY(password());
  const repo::RepositoryOptions options = TRY(repository_options());
  Result<std::unique_ptr<repo::Repository>> opened = repo::Repository::open(store, secret, options, stop());
  if (!opened) {
    if (opened.is(ErrorCode::not_found)) failure_code_ = kExitNoRepository;
    if (opened.is(ErrorCode::denied)) failure_code_ = kExitWrongPassword;
    return std::move(opened).error();
  }
  repository_ = std::move(opened).value();
  return {};
}

Status RepoSession::init(repo::InitOptions init) {
  const std::shared_ptr<objstore::Store> store = TRY(open_store(true));
  const crypto::Secret secret = TRY(password());
  const repo::RepositoryOptions options = TRY(repository_options());
  repository_ = TRY(repo::Repository::init(store, secret, std::move(init), options, stop()));
  return {};
}

Status RepoSession::lock(repo::LockMode mode, MayGoWithout without) {
  if (arguments_.boolean("no-lock")) {
    if (without == MayGoWithout::yes) return {};
    return Error(ErrorCode::invalid, "this command cannot go without a lock", "leave --no-lock away");
  }
  repo::LockOptions options;
  options.mode = mode;
  options.wait = arguments_.duration("retry-lock");
  Result<std::unique_ptr<repo::Lock>> lock = repository_->lock(options, stop());
  if (!lock) {
    if (lock.is(ErrorCode::conflict)) failure_code_ = kExitLocked;
    return std::move(lock).error();
  }
  lock_ = std::move(lock).value();
  on_loss_.emplace(lock_->lost(), [this] { ended_.request_stop(); });
  return {};
}

Status RepoSession::load_index() {
  return repository_->load_index(stop(), &progress_);
}

repo::SnapshotFilter RepoSession::filter() const {
  repo::SnapshotFilter filter;
  filter.hosts = arguments_.list("host");
  filter.paths = arguments_.list("path");
  for (const std::string& tags : arguments_.list("tag")) {
    filter.tags.push_back(tags.empty() ? std::vector<std::string>{} : split(tags, ','));
  }
  return filter;
}

int RepoSession::run(const std::function<Result<int>()>& verb) {
  Result<int> result = verb();
  progress_.clear();
  on_loss_.reset();
  const bool interrupted = signals_.token().stop_requested();
  if (lock_) {
    const Status released = lock_->release();
    if (!released && result.ok()) {
      fmt::print(stderr, "holdfast repo: the lock stays behind and expires: {}\n", released.error().to_string());
    }
    lock_.reset();
  }
  if (result) return *result;
  if (interrupted) {
    fmt::print(stderr, "holdfast repo: interrupted\n");
    return kExitInterrupted;
  }
  if (json()) {
    const json::object line{
        {"message_type", "exit_error"}, {"code", failure_code_}, {"message", result.error().to_string()}};
    fmt::print(stderr, "{}\n", json::compact(line));
  } else {
    fmt::print(stderr, "holdfast repo: {}\n", result.error().to_string());
  }
  return failure_code_;
}

std::vector<config::Option> repo_options() {
  using config::Kind;
  return {
      {.name = "repo",
       .help = "the repository: a path, or s3:https://HOST/BUCKET/PREFIX",
       .letter = 'r',
       .environment = "RESTIC_REPOSITORY"},
      {.name = "repository-file",
       .help = "a file that holds the repository's address",
       .environment = "RESTIC_REPOSITORY_FILE",
       .value_name = "FILE"},
      {.name = "password-file",
       .help = "a file that holds the password",
       .letter = 'p',
       .environment = "RESTIC_PASSWORD_FILE",
       .value_name = "FILE"},
      {.name = "password-command",
       .help = "a command that prints the password",
       .environment = "RESTIC_PASSWORD_COMMAND",
       .value_name = "COMMAND"},
      {.name = "key-hint",
       .help = "the id of the key to try first",
       .environment = "RESTIC_KEY_HINT",
       .value_name = "ID"},
      {.name = "cache-dir",
       .help = "keep index, snapshots and trees in this directory",
       .environment = "RESTIC_CACHE_DIR",
       .value_name = "DIRECTORY"},
      {.name = "no-cache", .kind = Kind::boolean, .help = "use no cache"},
      {.name = "cacert",
       .help = "PEM file of authorities to trust",
       .environment = "RESTIC_CACERT",
       .value_name = "FILE"},
      {.name = "compression",
       .help = "of data blobs",
       .fallback = "auto",
       .environment = "RESTIC_COMPRESSION",
       .choices = {"auto", "off", "max"}},
      {.name = "pack-size",
       .kind = Kind::number,
       .help = "target size of packs in MiB (4 to 128)",
       .fallback = "0",
       .environment = "RESTIC_PACK_SIZE"},
      {.name = "limit-rate", .kind = Kind::number, .help = "most KiB a second, each way; 0: no limit", .fallback = "0"},
      {.name = "json", .kind = Kind::boolean, .help = "print results as JSON"},
      {.name = "quiet", .kind = Kind::boolean, .help = "show no progress and no summary", .letter = 'q'},
      {.name = "no-lock", .kind = Kind::boolean, .help = "take no lock (reading commands only)"},
      {.name = "retry-lock", .kind = Kind::duration, .help = "wait that long for other locks to go", .fallback = "0s"},
  };
}

std::vector<config::Option> snapshot_filter_options() {
  using config::Kind;
  return {
      {.name = "host", .kind = Kind::list, .help = "only snapshots of this host", .letter = 'H'},
      {.name = "tag", .kind = Kind::repeated, .help = "only snapshots with all of these comma-separated tags"},
      {.name = "path", .kind = Kind::repeated, .help = "only snapshots that hold this absolute path"},
  };
}

json::object shown_snapshot(const repo::Snapshot& snapshot) {
  Result<json::object> object = json::parse_object(repo::encode_snapshot(snapshot));
  json::object shown = object ? std::move(object).value() : json::object{};
  shown["id"] = snapshot.id.hex();
  shown["short_id"] = snapshot.id.short_hex();
  return shown;
}

}  // namespace holdfast::app
