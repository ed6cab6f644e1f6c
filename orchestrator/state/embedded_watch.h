#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "orchestrator/state/embedded_state.h"

namespace shoal {

/// A watch on an embedded state: a thread that lists, follows, and lists again when the sink was so
/// slow that the history went past it.
class EmbeddedWatch : public StateWatch {
 public:
  /// `state` must outlive it.
  EmbeddedWatch(EmbeddedState& state, std::string prefix, State::Sink sink);
  ~EmbeddedWatch() override;

 private:
  void run();
  /// Lists and follows until the history was missed, a read failed, or the watch ends.
  void follow();
  [[nodiscard]] bool stopping();
  void wait_for_change();

  EmbeddedState& state_;
  const std::string prefix_;
  const State::Sink sink_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace shoal
