#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "orchestrator/state/election.h"
#include "tests/orchestrator/state/conformance_rules.h"

namespace shoal {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLong{60};  // A lease that outlives its rule.

LeaseId granted(State& state, std::chrono::seconds ttl) {
  const auto lease = state.grant(ttl);
  REQUIRE(lease);
  REQUIRE(*lease != 0);
  return *lease;
}

void lease_names_keys(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto lease = granted(state, kLong);
  CHECK(granted(state, kLong) != lease);
  commit(state, {put(prefix + "a", "1", lease), put(prefix + "b", "2")});
  CHECK(fixture.other().get(prefix + "a")->value().lease == lease);
  CHECK(fixture.other().get(prefix + "b")->value().lease == 0);
  CHECK(fixture.other().list(prefix, "", 10)->entries[0].lease == lease);
  CHECK(fixture.other().keep(lease));
  CHECK(state.revoke(lease));
}

void revoke_erases(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto lease = granted(state, kLong);
  const auto other = granted(state, kLong);
  Watched watched(fixture.other(), prefix);
  while (watched.relists() == 0) std::this_thread::yield();  // What follows is told as changes.
  commit(state,
         {put(prefix + "a", "1", lease), put(prefix + "b", "2", lease), put(prefix + "c", "3"),
          put(prefix + "d", "4", lease), put(prefix + "e", "5", lease)});
  commit(state, {put(prefix + "b", "22")});         // No longer the lease's.
  commit(state, {put(prefix + "d", "44", other)});  // Another's.
  commit(state, {erase(prefix + "e")});
  REQUIRE(fixture.other().revoke(lease));
  CHECK_FALSE(state.get(prefix + "a")->has_value());
  CHECK(state.get(prefix + "b")->has_value());
  CHECK(state.get(prefix + "d")->has_value());
  watched.expect({{prefix + "b", "22"}, {prefix + "c", "3"}, {prefix + "d", "44"}});
  const auto changes = watched.changes();
  REQUIRE_FALSE(changes.empty());
  CHECK(changes.back().erased);
  CHECK(state.revoke(lease));
  CHECK(state.revoke(other));
}

void many_keys(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto lease = granted(state, kLong);
  for (int batch = 0; batch < 3; ++batch) {
    std::vector<StateWrite> writes;
    for (std::size_t i = 0; i < kStateWritesMax; ++i) {
      writes.push_back(put(prefix + std::to_string(batch) + "/" + std::to_string(i), "x", lease));
    }
    commit(state, writes);
  }
  CHECK(state.revoke(lease));
  CHECK(state.list(prefix, "", 10)->entries.empty());
}

void lost_lease(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto lease = granted(state, kLong);
  CHECK(state.revoke(lease));
  CHECK(state.keep(lease).error().code == Errc::lease_lost);
  const Transaction late{{}, {put(prefix + "a", "1", lease), put(prefix + "b", "2")}};
  CHECK(state.commit(late).error().code == Errc::lease_lost);
  CHECK(state.list(prefix, "", 10)->entries.empty());
  const LeaseId never = 0x123456789;
  CHECK(fixture.other().keep(never).error().code == Errc::lease_lost);
  CHECK(fixture.other().revoke(never));
}

void lease_expires(StateFixture& fixture) {
  constexpr std::chrono::seconds kTtl{2};
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  std::atomic<Clock::rep> erased_at = 0;
  Watched watched(fixture.other(), prefix, [&](const StateEvent& event) {
    const auto* changed = std::get_if<StateChanged>(&event);
    if (changed != nullptr && changed->changes.back().erased) {
      erased_at = Clock::now().time_since_epoch().count();
    }
  });
  watched.expect({});
  const auto lease = granted(state, kTtl);
  commit(state, {put(prefix + "a", "1", lease), put(prefix + "b", "2")});
  Watched seen(state, prefix);
  seen.expect({{prefix + "a", "1"}, {prefix + "b", "2"}});
  const auto asked = Clock::now();
  REQUIRE(state.keep(lease));  // The time begins anew, not before now.

  watched.expect({{prefix + "b", "2"}});
  seen.expect({{prefix + "b", "2"}});
  watched.stop();
  CHECK(Clock::duration(erased_at) - asked.time_since_epoch() >= kTtl);
  CHECK_FALSE(state.get(prefix + "a")->has_value());
  CHECK(state.keep(lease).error().code == Errc::lease_lost);
}

void kept_lease(StateFixture& fixture) {
  constexpr std::chrono::seconds kTtl{2};
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  // The one that nobody keeps shows that more than its time went by for the other too.
  const auto kept = granted(state, kTtl);
  commit(state, {put(prefix + "kept", "1", kept)});
  Watched watched(state, prefix);
  for (int round = 0; round < 2; ++round) {
    const auto left = granted(state, kTtl);
    commit(state, {put(prefix + "left", "2", left)});
    std::atomic<bool> done = false;
    std::atomic<int> faults = 0;
    std::thread keeper([&] {
      std::mutex mutex;
      std::condition_variable beat;
      for (std::unique_lock lock(mutex); !done; beat.wait_for(lock, kTtl / 10)) {
        if (!fixture.other().keep(kept)) ++faults;
      }
    });
    watched.expect({{prefix + "kept", "1"}});
    done = true;
    keeper.join();
    CHECK(faults == 0);
  }
  CHECK(state.get(prefix + "kept")->has_value());
  CHECK(state.revoke(kept));
}

// Elections.

/// What a candidate was told.
class Candidate {
 public:
  Candidate(State& state, const std::string& key, const std::string& own_name)
      : name(own_name),
        election_(std::in_place, state, key, own_name, kLong,
                  [this](const Election::Standing& now) {
                    const std::lock_guard lock(mutex_);
                    standing_ = now;
                    told_.notify_all();
                  }) {}
  ~Candidate() { resign(); }
  void resign() { election_.reset(); }

  /// Waits until it leads, under another epoch than `not_epoch`: which.
  Revision expect_leads(Revision not_epoch = 0) {
    expect([&] { return standing_.epoch && *standing_.epoch != not_epoch; });
    const std::lock_guard lock(mutex_);
    return standing_.epoch.value_or(0);
  }
  void expect_follows(const std::string& leader) {
    expect([&] { return !standing_.epoch && standing_.leader == leader; });
  }
  [[nodiscard]] Election::Standing standing() const { return election_->standing(); }

  const std::string name;

 private:
  void expect(const std::function<bool()>& met) {
    std::unique_lock lock(mutex_);
    told_.wait_for(lock, kPatience, met);
    CHECK(met());
  }

  std::mutex mutex_;
  std::condition_variable told_;
  Election::Standing standing_;
  std::optional<Election> election_;  // Last: its threads call what is above.
};

void one_leads(StateFixture& fixture) {
  const auto key = fresh_prefix() + "leader";
  Candidate a(fixture.state(), key, "a");
  const auto first = a.expect_leads();
  Candidate b(fixture.other(), key, "b");
  b.expect_follows("a");
  CHECK(a.standing().epoch == first);
  CHECK(a.standing().leader == "a");
  CHECK_FALSE(b.standing().epoch);
  const auto entry = fixture.state().get(key);
  CHECK((*entry)->value == "a");
  CHECK((*entry)->created == first);

  a.resign();
  const auto second = b.expect_leads();
  CHECK(second > first);
  CHECK(fixture.state().get(key)->value().value == "b");
  b.resign();
  CHECK_FALSE(fixture.state().get(key)->has_value());
}

void like_named_key(StateFixture& fixture) {
  const auto key = fresh_prefix() + "leader";
  commit(fixture.state(), {put(key + "-of-others", "x")});
  Candidate a(fixture.state(), key, "a");
  a.expect_leads();
}

void deposed(StateFixture& fixture) {
  auto& state = fixture.state();
  const auto prefix = fresh_prefix();
  const auto key = prefix + "leader";
  Candidate a(state, key, "a");
  const auto old = a.expect_leads();
  Candidate b(fixture.other(), key, "b");
  b.expect_follows("a");
  CHECK(state.commit({{Condition::created_at(key, old)}, {put(prefix + "work", "1")}}));

  // Whoever is faster leads next; the old epoch is over either way.
  REQUIRE(fixture.other().revoke((*state.get(key))->lease));
  Revision epoch = 0;
  const auto deadline = Clock::now() + kPatience;
  while (epoch == 0 && Clock::now() < deadline) {
    const auto entry = state.get(key);
    REQUIRE(entry);
    if (*entry && (*entry)->created != old) epoch = (*entry)->created;
  }
  REQUIRE(epoch > old);
  const auto late = state.commit({{Condition::created_at(key, old)}, {put(prefix + "work", "2")}});
  CHECK(late.error().code == Errc::conflict);
  CHECK(state.get(prefix + "work")->value().value == "1");
  CHECK(state.commit({{Condition::created_at(key, epoch)}, {put(prefix + "work", "3")}}));
  if (state.get(key)->value().value == "a") {
    CHECK(a.expect_leads(old) == epoch);
  } else {
    CHECK(b.expect_leads() == epoch);
    a.expect_follows("b");
  }
}

void erased_leader(StateFixture& fixture) {
  const auto key = fresh_prefix() + "leader";
  Candidate a(fixture.state(), key, "a");
  const auto first = a.expect_leads();
  commit(fixture.other(), {erase(key)});
  CHECK(a.expect_leads(first) > first);
}

void many_candidates(StateFixture& fixture) {
  const auto key = fresh_prefix() + "leader";
  std::vector<std::unique_ptr<Candidate>> candidates;
  for (int i = 0; i < 5; ++i) {
    auto& state = i % 2 == 0 ? fixture.state() : fixture.other();
    candidates.push_back(std::make_unique<Candidate>(state, key, std::to_string(i)));
  }
  std::set<Revision> epochs;
  Watched watched(fixture.state(), key);
  while (!candidates.empty()) {
    std::optional<StateEntry> leader;
    const auto deadline = Clock::now() + kPatience;
    while (!leader && Clock::now() < deadline) leader = *fixture.state().get(key);
    REQUIRE(leader);
    const auto next = std::find_if(candidates.begin(), candidates.end(), [&](auto& candidate) {
      return candidate->name == leader->value;
    });
    REQUIRE(next != candidates.end());
    CHECK((*next)->expect_leads() == leader->created);
    CHECK(epochs.insert(leader->created).second);
    candidates.erase(next);
  }
  watched.expect({});
}

}  // namespace

std::vector<ConformanceRule> lease_rules() {
  return {
      {"Keys name the lease they go with", lease_names_keys},
      {"A lease that is revoked takes its keys along, and no others", revoke_erases},
      {"A lease may hold more keys than a transaction writes", many_keys},
      {"A lease that ended is lost to keep() and to commits", lost_lease},
      {"A lease that nobody keeps ends, not before its time, and its keys are erased",
       lease_expires},
      {"A lease that is kept lives on", kept_lease},
  };
}

std::vector<ConformanceRule> election_rules() {
  return {
      {"One candidate leads; when it resigns, the other does", one_leads},
      {"Keys that begin like the leader's stand in nobody's way", like_named_key},
      {"A deposed leader's late write fails, and both know who leads now", deposed},
      {"A leader whose key was erased leads again under another epoch", erased_leader},
      {"Of many candidates each leads once its turn has come", many_candidates},
  };
}

}  // namespace shoal
