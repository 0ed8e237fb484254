#include "ledger/book.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/file.h"

namespace holdfast::ledger {

namespace {

constexpr size_t kQueueMax = 4096;
constexpr int64_t kBallastBytes = 64 * 1024;

/// A prepared statement that ends with its scope.
class Statement {
 public:
  Statement(sqlite3* database, const char* text) {
    status_ = sqlite3_prepare_v2(database, text, -1, &handle_, nullptr);
  }
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  [[nodiscard]] sqlite3_stmt* get() const { return handle_; }
  [[nodiscard]] int step() const { return status_ == SQLITE_OK ? sqlite3_step(handle_) : status_; }
  void bind(int at, int64_t number) const { sqlite3_bind_int64(handle_, at, number); }
  void bind(int at, const std::string& text) const {
    sqlite3_bind_text(handle_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  [[nodiscard]] int64_t number(int column) const { return sqlite3_column_int64(handle_, column); }
  [[nodiscard]] std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return bytes == nullptr ? "" : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(handle_, column)));
  }

 private:
  sqlite3_stmt* handle_ = nullptr;
  int status_ = SQLITE_OK;
};

Error database_error(sqlite3* database, std::string_view what) {
  const int code = sqlite3_errcode(database) & 0xff;
  ErrorCode kind = ErrorCode::unavailable;
  if (code == SQLITE_FULL) kind = ErrorCode::exhausted;
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) kind = ErrorCode::corrupt;
  if (code == SQLITE_READONLY || code == SQLITE_PERM || code == SQLITE_CANTOPEN) kind = ErrorCode::denied;
  return Error(kind, fmt::format("{}: {}", what, sqlite3_errmsg(database)));
}

Status execute(sqlite3* database, const char* text) {
  if (sqlite3_exec(database, text, nullptr, nullptr, nullptr) != SQLITE_OK) return database_error(database, text);
  return {};
}

}  // namespace

Book::Book(sqlite3* database) : database_(database) {}

Book::~Book() {
  writer_.request_stop();
  if (writer_.joinable()) writer_.join();
  sqlite3_close(database_);
}

Result<std::unique_ptr<Book>> Book::open(const std::string& directory, uint64_t size_min) {
  TRY(make_directories(directory));
  const std::string path = directory + "/ledger.db";
  sqlite3* database = nullptr;
  const int status = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  std::unique_ptr<Book> book(new Book(database));
  if (status != SQLITE_OK) return database_error(database, "open " + path);
  // Exclusive locking keeps the log's index in memory: no -shm file that changes under a frozen volume.
  for (const char* text :
       {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
        "CREATE TABLE IF NOT EXISTS entry(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,"
        " amount INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS ballast(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"}) {
    TRY(execute(database, text).in(path));
  }
  TRY(book->grow(size_min).in(path));
  book->writer_ = std::jthread([raw = book.get()](std::stop_token stop) { raw->write_loop(std::move(stop)); });
  return book;
}

Status Book::grow(uint64_t size_min) {
  uint64_t size = 0;
  {
    const Statement pages(database_, "SELECT (SELECT * FROM pragma_page_count()) * (SELECT * FROM pragma_page_size())");
    if (pages.step() != SQLITE_ROW) return database_error(database_, "size");
    size = static_cast<uint64_t>(pages.number(0));
  }
  if (size >= size_min) return {};
  TRY(execute(database_, "BEGIN IMMEDIATE"));
  {
    const Statement insert(database_, "INSERT INTO ballast(bytes) VALUES (randomblob(?1))");
    for (int64_t rows = static_cast<int64_t>(size_min - size) / kBallastBytes + 1; rows > 0; --rows) {
      insert.bind(1, kBallastBytes);
      if (insert.step() != SQLITE_DONE) return database_error(database_, "grow");
      sqlite3_reset(insert.get());
    }
  }
  TRY(execute(database_, "COMMIT"));
  // An open statement would hold the checkpoint back: both are closed by now.
  return execute(database_, "PRAGMA wal_checkpoint(TRUNCATE)");
}

Result<Posted> Book::post(const std::string& key, int64_t amount, Duration limit) {
  auto post = std::make_shared<Post>();
  post->key = key;
  post->amount = amount;
  std::unique_lock lock(mutex_);
  if (queue_.size() >= kQueueMax) return Error(ErrorCode::unavailable, "too many posts are waiting");
  queue_.push_back(post);
  changed_.notify_all();
  if (!changed_.wait_for(lock, limit, [&] { return post->done; })) {
    std::erase(queue_, post);
    return Error(ErrorCode::timeout, "not committed in time");
  }
  return std::move(*post->outcome);
}

void Book::write_loop(std::stop_token stop) {
  while (true) {
    std::vector<std::shared_ptr<Post>> batch;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return !frozen_ && !queue_.empty(); })) return;
      batch.swap(queue_);
      committing_ = true;
    }
    commit(batch);
    {
      std::lock_guard lock(mutex_);
      for (const auto& post : batch) post->done = true;
      committing_ = false;
    }
    changed_.notify_all();
  }
}

/// One transaction for the whole batch; where it fails, nobody in it is told that the entry was kept.
void Book::commit(std::vector<std::shared_ptr<Post>>& batch) {
  std::lock_guard lock(database_mutex_);
  Status status = execute(database_, "BEGIN IMMEDIATE");
  if (status.ok()) {
    for (const auto& post : batch) post->outcome = insert(*post);
    status = execute(database_, "COMMIT");
  }
  if (status.ok()) return;
  static_cast<void>(execute(database_, "ROLLBACK"));
  for (const auto& post : batch) post->outcome = Result<Posted>(status.error());
}

Result<Posted> Book::insert(const Post& post) {
  const Statement insert(database_, "INSERT INTO entry(key, amount) VALUES (?1, ?2) ON CONFLICT(key) DO NOTHING");
  insert.bind(1, post.key);
  insert.bind(2, post.amount);
  if (insert.step() != SQLITE_DONE) return database_error(database_, "insert");
  if (sqlite3_changes(database_) == 1) return Posted{sqlite3_last_insert_rowid(database_), false};
  const Statement known(database_, "SELECT id, amount FROM entry WHERE key = ?1");
  known.bind(1, post.key);
  if (known.step() != SQLITE_ROW) return database_error(database_, "look up");
  if (known.number(1) != post.amount) {
    return Error(ErrorCode::conflict, fmt::format("key \"{}\" was posted with another amount", post.key));
  }
  return Posted{known.number(0), true};
}

Result<Totals> Book::totals() {
  std::lock_guard lock(database_mutex_);
  const Statement query(database_, "SELECT COALESCE(SUM(amount), 0), COUNT(*), COALESCE(MAX(id), 0) FROM entry");
  if (query.step() != SQLITE_ROW) return database_error(database_, "totals");
  return Totals{query.number(0), query.number(1), query.number(2)};
}

Result<std::vector<Entry>> Book::entries(int64_t after, int64_t limit) {
  std::lock_guard lock(database_mutex_);
  const Statement query(database_, "SELECT id, key, amount FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2");
  query.bind(1, after);
  query.bind(2, limit);
  std::vector<Entry> out;
  int status = 0;
  while ((status = query.step()) == SQLITE_ROW) out.push_back({query.number(0), query.text(1), query.number(2)});
  if (status != SQLITE_DONE) return database_error(database_, "entries");
  return out;
}

Result<std::string> Book::integrity() {
  std::lock_guard lock(database_mutex_);
  const Statement check(database_, "PRAGMA integrity_check");
  std::string text;
  int status = 0;
  while ((status = check.step()) == SQLITE_ROW) text += (text.empty() ? "" : "; ") + check.text(0);
  if (status != SQLITE_DONE) return database_error(database_, "integrity check");
  return text;
}

Status Book::freeze() {
  {
    std::unique_lock lock(mutex_);
    if (frozen_) return Error(ErrorCode::conflict, "frozen already");
    frozen_ = true;
    // What is being committed is acknowledged before the freeze holds.
    changed_.wait(lock, [&] { return !committing_; });
  }
  std::lock_guard lock(database_mutex_);
  Status status = execute(database_, "PRAGMA wal_checkpoint(TRUNCATE)");
  if (!status) thaw();
  return status;
}

bool Book::thaw() {
  bool was = false;
  {
    std::lock_guard lock(mutex_);
    was = std::exchange(frozen_, false);
  }
  changed_.notify_all();
  return was;
}

bool Book::frozen() const {
  std::lock_guard lock(mutex_);
  return frozen_;
}

}  // namespace holdfast::ledger
