#include "backup/claim.h"

#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "velero/gzip.h"

namespace holdfast::backup {
namespace {

std::string log_with(const Claim& claim, FakeClock& clock) {
  const auto lines = std::make_shared<log::MemorySink>();
  const log::Logger log = log::Logger(lines, &clock).with({{"backup", "b \"1\""}});
  write_claim(log, claim);
  log.info("more", {{"attempt", "another"}});
  return velero::gzip(lines->text()).value();
}

TEST(Claim, IsReadBack) {
  FakeClock clock;
  for (const std::string site : {"east", "", "a \"site\" = b\\", "über"}) {
    const auto claim = read_claim(log_with({"00ff", "7", site, {}}, clock));
    ASSERT_TRUE(claim.ok()) << claim.error().to_string();
    ASSERT_TRUE(claim->has_value()) << site;
    EXPECT_EQ((*claim)->attempt, "00ff");
    EXPECT_EQ((*claim)->epoch, "7");
    EXPECT_EQ((*claim)->site, site);
    EXPECT_EQ((*claim)->begun, std::chrono::floor<std::chrono::seconds>(clock.now()));
  }
}

TEST(Claim, OfAnotherProgramIsNone) {
  for (const char* text :
       {"", "x", "=", "time=\"2026-01-01T00:00:00Z\" msg=\"backup started\"",
        "time=\"2026-01-01T00:00:00Z\" level=info msg=\"Setting up backup log\" attempt=1",
        "time=never msg=\"backup started\" attempt=1", "a=\"b", "a=\"\\", "msg=\"backup started\\"}) {
    const auto claim = read_claim(velero::gzip(text).value());
    ASSERT_TRUE(claim.ok()) << text;
    EXPECT_FALSE(claim->has_value()) << text;
  }
  EXPECT_FALSE(read_claim("no gzip").ok());
}

}  // namespace
}  // namespace holdfast::backup
