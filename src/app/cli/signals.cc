#include "app/cli/signals.h"

#include <csignal>
#include <ctime>

namespace holdfast::app {

namespace {

sigset_t end_signals() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGTERM);
  sigaddset(&out, SIGINT);
  return out;
}

}  // namespace

EndSignals::EndSignals() {
  const sigset_t signals = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  waiter_ = std::jthread([this, signals](const std::stop_token& over) {
    constexpr timespec kTick{0, 200'000'000};
    while (!over.stop_requested()) {
      if (::sigtimedwait(&signals, nullptr, &kTick) > 0) ended_.request_stop();
    }
  });
}

EndSignals::~EndSignals() {
  waiter_.request_stop();
  waiter_.join();
}

}  // namespace holdfast::app
