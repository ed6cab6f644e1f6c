#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "orchestrator/membership/membership.h"
#include "orchestrator/trust/node_id.h"

namespace shoal {

inline Member member_named(const std::string& id) {
  Member member;
  member.id = id;
  member.urls = {"https://127.0.0.1:1"};
  member.version = "0.1.0";
  return member;
}
inline Member new_member() { return member_named(*make_node_id()); }

inline std::set<std::string> live_ids(const Peers& peers) {
  std::set<std::string> ids;
  const auto set = peers.now();  // The loop would not keep it.
  for (const auto& peer : set->peers) ids.insert(peer.id);
  return ids;
}

/// Waits for the live set to be `wanted`, by its own word of changes.
inline void wait_for_peers(Peers& peers, const std::set<std::string>& wanted) {
  std::mutex mutex;
  std::condition_variable changed;
  int changes = 0;
  const auto subscription = peers.subscribe([&] {
    const std::lock_guard lock(mutex);
    ++changes;
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  const bool came =
      changed.wait_for(lock, std::chrono::seconds(60), [&] { return live_ids(peers) == wanted; });
  INFO("live: " << Catch::Detail::stringify(live_ids(peers)));
  REQUIRE(came);
  lock.unlock();
}

/// Waits for what no subscription tells of.
inline void wait_until(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition() && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  REQUIRE(condition());
}

}  // namespace shoal
