#include "ledger/book.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "base/file.h"
#include "base/random.h"

namespace holdfast::ledger {
namespace {

using namespace std::chrono_literals;

class BookTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void TearDown() override {
    book_.reset();
    std::filesystem::remove_all(directory_);
  }
  void reopen(uint64_t size_min = 0) {
    book_.reset();
    Result<std::unique_ptr<Book>> book = Book::open(directory_, size_min);
    ASSERT_TRUE(book.ok()) << book.error().message();
    book_ = std::move(book).value();
  }
  const std::string directory_ = testing::TempDir() + "ledger-book-" + random_hex(6);
  std::unique_ptr<Book> book_;
};

TEST_F(BookTest, KeepsEveryEntryOfManyPostersOnce) {
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> posters;
    for (int p = 0; p < 8; ++p) {
      posters.emplace_back([&, p] {
        for (int i = 0; i < 50; ++i) {
          if (!book_->post(std::to_string(p) + "/" + std::to_string(i), 2, 20s)) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  reopen();
  const Totals totals = *book_->totals();
  EXPECT_EQ(totals.count, 400);
  EXPECT_EQ(totals.sum, 800);
  EXPECT_EQ(book_->entries(395, 100)->size(), 5U);
  EXPECT_EQ(*book_->integrity(), "ok");
}

TEST_F(BookTest, KeysAreIdempotent) {
  const Posted first = *book_->post("k", 5, 20s);
  EXPECT_FALSE(first.duplicate);
  const Posted again = *book_->post("k", 5, 20s);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.id, first.id);
  EXPECT_TRUE(book_->post("k", 6, 20s).is(ErrorCode::conflict));
  EXPECT_EQ(book_->totals()->count, 1);
}

TEST_F(BookTest, FrozenFilesAreAWholeDatabase) {
  ASSERT_TRUE(book_->post("before", 1, 20s).ok());
  ASSERT_TRUE(book_->freeze().ok());
  EXPECT_TRUE(book_->freeze().is(ErrorCode::conflict));
  EXPECT_TRUE(book_->post("while", 1, 10ms).is(ErrorCode::timeout));
  EXPECT_EQ(std::filesystem::file_size(directory_ + "/ledger.db-wal"), 0U);
  const std::string copy = directory_ + "/copy";
  ASSERT_TRUE(make_directories(copy).ok());
  std::filesystem::copy_file(directory_ + "/ledger.db", copy + "/ledger.db");
  {
    auto other = Book::open(copy, 0);
    ASSERT_TRUE(other.ok());
    EXPECT_EQ((*other)->totals()->count, 1);
    EXPECT_EQ(*(*other)->integrity(), "ok");
  }
  EXPECT_TRUE(book_->thaw());
  EXPECT_FALSE(book_->thaw());
  EXPECT_TRUE(book_->post("after", 1, 20s).ok());
  // A post that ran into its limit was taken back, not committed later.
  EXPECT_EQ(book_->totals()->count, 2);
}

TEST_F(BookTest, GrowsToTheSizeAskedFor) {
  reopen(4 << 20);
  EXPECT_GE(std::filesystem::file_size(directory_ + "/ledger.db"), uint64_t{4} << 20);
}

TEST_F(BookTest, RefusesWhatIsNoDatabase) {
  ASSERT_TRUE(write_file_atomically(directory_ + "/x/ledger.db", "").is(ErrorCode::not_found));
  ASSERT_TRUE(make_directories(directory_ + "/x").ok());
  ASSERT_TRUE(write_file_atomically(directory_ + "/x/ledger.db", std::string(8192, 'z')).ok());
  EXPECT_TRUE(Book::open(directory_ + "/x", 0).is(ErrorCode::corrupt));
}

}  // namespace
}  // namespace holdfast::ledger
