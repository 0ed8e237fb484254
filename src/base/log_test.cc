#include "base/log.h"

#include <gtest/gtest.h>

#include "base/fake_clock.h"

namespace holdfast {
namespace {

TEST(Log, WritesLogrusText) {
  FakeClock clock(FakeClock::Mode::jump, *parse_rfc3339("2026-11-21T06:18:56Z"));
  auto sink = std::make_shared<log::MemorySink>();
  const log::Logger logger = log::Logger(sink, &clock).with({{"backup", "velero/b1"}});
  logger.info("Backup completed", {{"items", 54}, {"empty", ""}});
  logger.error("no\n\"luck\"");
  EXPECT_EQ(sink->text(),
            "time=\"2026-11-21T06:18:56Z\" level=info msg=\"Backup completed\" backup=velero/b1 items=54 empty=\"\"\n"
            "time=\"2026-11-21T06:18:56Z\" level=error msg=\"no\\n\\\"luck\\\"\" backup=velero/b1\n");
  EXPECT_EQ(log::render(sink->records()[0], log::Format::json),
            "{\"backup\":\"velero/b1\",\"items\":\"54\",\"empty\":\"\",\"level\":\"info\",\"msg\":\"Backup "
            "completed\",\"time\":\"2026-11-21T06:18:56Z\"}\n");
}

TEST(Log, TeeReachesBoth) {
  auto first = std::make_shared<log::MemorySink>();
  int errors = 0;
  const log::Logger logger = log::Logger(first).also_to(log::function_sink([&](const log::Record& record) {
    if (record.level == log::Level::error) ++errors;
  }));
  logger.error("x");
  logger.warning("y");
  EXPECT_EQ(first->records().size(), 2U);
  EXPECT_EQ(errors, 1);
}

TEST(Log, ParsesNames) {
  EXPECT_EQ(*log::parse_level("warn"), log::Level::warning);
  EXPECT_FALSE(log::parse_level("loud").ok());
  EXPECT_FALSE(log::parse_format("xml").ok());
}

}  // namespace
}  // namespace holdfast
