// The ledger's database: entries in SQLite (WAL, full sync), each committed before it is acknowledged.
//
// Posts of several threads share a commit: one writer thread takes what is queued, commits it in one transaction and
// wakes the posters. While frozen, posts wait; nothing is written to the volume. A freeze empties the write-ahead log,
// so that a copy of the files is a whole database. Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

struct sqlite3;

namespace holdfast::ledger {

struct Entry {
  int64_t id = 0;
  std::string key;  ///< idempotency key, chosen by the poster
  int64_t amount = 0;
};

struct Posted {
  int64_t id = 0;
  bool duplicate = false;  ///< the key was there before, with this id
};

struct Totals {
  int64_t sum = 0;
  int64_t count = 0;
  int64_t last_id = 0;
};

class Book {
 public:
  /// Opens or makes DIRECTORY/ledger.db and grows it to at least `size_min` bytes with ballast. Takes the file for
  /// itself: `unavailable` while another process has it.
  [[nodiscard]] static Result<std::unique_ptr<Book>> open(const std::string& directory, uint64_t size_min);
  ~Book();
  Book(const Book&) = delete;
  Book& operator=(const Book&) = delete;

  /// Commits one entry; conflict where the key is known with another amount; timeout when no commit came in time (the
  /// entry may still be committed later).
  [[nodiscard]] Result<Posted> post(const std::string& key, int64_t amount, Duration limit);
  [[nodiscard]] Result<Totals> totals();
  /// Entries with an id above `after`, at most `limit`, in order.
  [[nodiscard]] Result<std::vector<Entry>> entries(int64_t after, int64_t limit);
  /// "ok", or what SQLite's integrity check found.
  [[nodiscard]] Result<std::string> integrity();

  /// Holds all posts back and empties the write-ahead log into the database. conflict when frozen already.
  [[nodiscard]] Status freeze();
  /// Lets posts go on; false where it was not frozen.
  bool thaw();
  [[nodiscard]] bool frozen() const;

 private:
  struct Post {
    std::string key;
    int64_t amount = 0;
    bool done = false;
    std::optional<Result<Posted>> outcome;
  };
  explicit Book(sqlite3* database);
  void write_loop(std::stop_token stop);
  void commit(std::vector<std::shared_ptr<Post>>& batch);
  Result<Posted> insert(const Post& post);
  Status grow(uint64_t size_min);

  sqlite3* const database_;
  std::mutex database_mutex_;  ///< one statement at a time on the connection
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::shared_ptr<Post>> queue_;
  bool frozen_ = false;
  bool committing_ = false;
  std::jthread writer_;
};

}  // namespace holdfast::ledger
