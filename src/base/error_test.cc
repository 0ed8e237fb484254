#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/result.h"

namespace holdfast {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error(ErrorCode::invalid, "odd", "give an even one");
  return number / 2;
}

Result<int> quarter(int number) {
  const int first = TRY(half(number).in("first"));
  return TRY(half(first).in("second"));
}

Status both(int a, int b) {
  TRY(half(a));
  TRY(half(b));
  return {};
}

TEST(Result, TryHandsOnTheValueOrTheError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(3).error().message(), "first: odd");
  EXPECT_EQ(quarter(6).error().message(), "second: odd");
  EXPECT_EQ(quarter(6).error().hint(), "give an even one");
  EXPECT_TRUE(both(2, 4).ok());
  EXPECT_TRUE(both(2, 3).is(ErrorCode::invalid));
}

TEST(Result, HoldsThingsThatOnlyMove) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(Error, InnermostHintStays) {
  const Error error = Error(ErrorCode::denied, "403", "check the key").in("GET").hinted("another");
  EXPECT_EQ(error.to_string(), "GET: 403 (check the key)");
}

TEST(Error, OnlyPassingFaultsAreRetryable) {
  EXPECT_TRUE(Error(ErrorCode::unavailable, "").retryable());
  EXPECT_TRUE(Error(ErrorCode::timeout, "").retryable());
  for (const ErrorCode code :
       {ErrorCode::not_found, ErrorCode::exists, ErrorCode::conflict, ErrorCode::denied, ErrorCode::invalid,
        ErrorCode::cancelled, ErrorCode::corrupt, ErrorCode::unsupported, ErrorCode::exhausted, ErrorCode::internal}) {
    EXPECT_FALSE(Error(code, "").retryable());
  }
}

TEST(Error, ErrnoBecomesWhatTheCallerCanDo) {
  EXPECT_EQ(errno_error(ENOENT, "open x").code(), ErrorCode::not_found);
  EXPECT_EQ(errno_error(ENOSPC, "write x").code(), ErrorCode::exhausted);
  EXPECT_EQ(errno_error(EIO, "read x").message(), "read x: Input/output error");
}

}  // namespace
}  // namespace holdfast
