#include "base/process.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

TEST(Process, CollectsOutputAndCode) {
  const Result<CommandOutput> output = run_command({"sh", "-c", "cat; echo err >&2; exit 3"}, "in");
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->code, 3);
  EXPECT_EQ(output->out, "in");
  EXPECT_EQ(output->err, "err\n");
}

TEST(Process, MovesMoreThanAPipeHolds) {
  const std::string input(3'000'000, 'x');
  EXPECT_EQ(run_command({"cat"}, input)->out, input);
}

TEST(Process, NamesWhatCannotBeStarted) {
  const Result<CommandOutput> output = run_command({"/no/such/program"});
  EXPECT_TRUE(output.is(ErrorCode::not_found));
  EXPECT_TRUE(run_checked({"sh", "-c", "echo first >&2; echo last >&2; exit 1"})
                  .error()
                  .message()
                  .ends_with("exit code 1: last"));
}

TEST(Process, GivesUpAtTheLimitAndLeavesNothing) {
  EXPECT_TRUE(run_command({"sleep", "600"}, {}, 50ms).is(ErrorCode::timeout));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(run_command({"sleep", "600"}, {}, 10s, stop.get_token()).is(ErrorCode::cancelled));
}

TEST(Process, EndsBySignal) {
  Result<Process> process = Process::spawn({.argv = {"sleep", "600"}});
  ASSERT_TRUE(process.ok());
  EXPECT_FALSE(process->poll().has_value());
  EXPECT_TRUE(process->wait(10ms).is(ErrorCode::timeout));
  EXPECT_EQ(process->terminate(5s).signal, SIGTERM);
}

TEST(Process, WaitEndsWhenStopped) {
  Process process = Process::spawn({.argv = {"sleep", "600"}}).value();
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_TRUE(process.wait(Duration::zero(), stop.get_token()).is(ErrorCode::cancelled));
}

}  // namespace
}  // namespace holdfast
