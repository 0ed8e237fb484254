// The end of a long-running verb: SIGTERM and SIGINT become a stop token.
//
// Made in main's thread before any other thread, whose signal masks are then inherited; a thread of its own waits for
// the signals. Destroying it ends that thread and leaves the signals blocked.
#pragma once

#include <stop_token>
#include <thread>

namespace holdfast::app {

class EndSignals {
 public:
  EndSignals();
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  [[nodiscard]] std::stop_token token() const { return ended_.get_token(); }

 private:
  std::stop_source ended_;
  std::jthread waiter_;
};

}  // namespace holdfast::app
