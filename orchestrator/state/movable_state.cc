#include "orchestrator/state/movable_state.h"

#include <utility>

namespace shoal {

class MovableState::Watch : public StateWatch {
 public:
  Watch(MovableState& state, std::list<Followed>::iterator followed)
      : state_(state), followed_(followed) {}
  ~Watch() override {
    const std::lock_guard lock(state_.followed_mutex_);
    state_.followed_.erase(followed_);
  }

 private:
  MovableState& state_;
  const std::list<Followed>::iterator followed_;
};

std::shared_ptr<State> MovableState::current() const {
  const std::lock_guard lock(current_mutex_);
  return current_;
}

void MovableState::move_to(std::shared_ptr<State> next) {
  const std::lock_guard lock(followed_mutex_);
  const auto former = current();
  {
    const std::lock_guard pointer(current_mutex_);
    current_ = next;
  }
  for (auto& followed : followed_) {
    followed.inner.reset();
    followed.inner = next->watch(followed.prefix, followed.sink);
  }
}

std::unique_ptr<StateWatch> MovableState::watch(const std::string& prefix, Sink sink) {
  const std::lock_guard lock(followed_mutex_);
  followed_.push_back({prefix, sink, nullptr});
  const auto followed = std::prev(followed_.end());
  followed->inner = current()->watch(prefix, std::move(sink));
  return std::make_unique<Watch>(*this, followed);
}

Result<std::optional<StateEntry>> MovableState::get(const std::string& key) {
  return current()->get(key);
}

Result<StateList> MovableState::list(const std::string& prefix, const std::string& after,
                                     std::size_t limit) {
  return current()->list(prefix, after, limit);
}

Result<Revision> MovableState::commit(const Transaction& transaction) {
  return current()->commit(transaction);
}

Result<LeaseId> MovableState::grant(std::chrono::seconds ttl) { return current()->grant(ttl); }
Result<void> MovableState::keep(LeaseId lease) { return current()->keep(lease); }
Result<void> MovableState::revoke(LeaseId lease) { return current()->revoke(lease); }
std::string MovableState::description() const { return current()->description(); }

}  // namespace shoal
