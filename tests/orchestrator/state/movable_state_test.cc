#include "orchestrator/state/movable_state.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <variant>

#include <catch2/catch.hpp>

#include "orchestrator/state/embedded_state.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

/// What a watch says is there.
class Mirror {
 public:
  void take(const StateEvent& event) {
    const std::lock_guard lock(mutex_);
    if (const auto* relisted = std::get_if<StateRelisted>(&event)) {
      entries_.clear();
      ++relists_;
      for (const auto& entry : relisted->entries) entries_[entry.key] = entry.value;
    } else {
      for (const auto& change : std::get<StateChanged>(event).changes) {
        if (change.erased) entries_.erase(change.entry.key);
        if (!change.erased) entries_[change.entry.key] = change.entry.value;
      }
    }
    changed_.notify_all();
  }
  void wait_for(const std::map<std::string, std::string>& entries, int relists) {
    std::unique_lock lock(mutex_);
    const auto same = [&] { return entries_ == entries && relists_ == relists; };
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(30), same));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> entries_;
  int relists_ = 0;
};

Transaction put(const std::string& key, const std::string& value) {
  return {{}, {{key, value, 0}}};
}

TEST_CASE("A state that moves takes its watches along", "[orchestrator][state][movable]") {
  TempFolder first_folder, second_folder;
  const std::shared_ptr<State> first = *EmbeddedState::open({first_folder.path(), 1000});
  const std::shared_ptr<State> second = *EmbeddedState::open({second_folder.path(), 1000});
  MovableState state(first);
  Mirror mirror;
  const auto watch = state.watch("a/", [&](const StateEvent& event) { mirror.take(event); });
  REQUIRE(state.commit(put("a/1", "old")));
  REQUIRE(second->commit(put("a/1", "new")));
  mirror.wait_for({{"a/1", "old"}}, 1);

  state.move_to(second);
  mirror.wait_for({{"a/1", "new"}}, 2);
  REQUIRE(state.commit(put("a/2", "more")));
  mirror.wait_for({{"a/1", "new"}, {"a/2", "more"}}, 2);
  CHECK((*state.get("a/1"))->value == "new");
  CHECK(state.list("a/", "", 10)->entries.size() == 2);
  REQUIRE(first->commit(put("a/3", "unseen")));
  CHECK_FALSE(*state.get("a/3"));
}

}  // namespace
}  // namespace shoal
