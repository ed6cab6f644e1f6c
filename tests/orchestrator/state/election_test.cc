#include "orchestrator/state/election.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include <catch2/catch.hpp>

#include "orchestrator/state/embedded_state.h"
#include "tests/orchestrator/state/conformance_rules.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

/// A real state, which the test can cut off: calls then fail, or wait until it is back.
class BreakableState : public State {
 public:
  explicit BreakableState(State& state) : state_(state) {}

  enum class Link { up, refuses, hangs };
  void set(Link link) {
    const std::lock_guard lock(mutex_);
    link_ = link;
    changed_.notify_all();
  }
  /// The next commit takes place and is then said not to be known.
  void lose_next_answer() { lose_answer_ = true; }

  Result<std::optional<StateEntry>> get(const std::string& key) override {
    return pass<std::optional<StateEntry>>([&] { return state_.get(key); });
  }
  Result<StateList> list(const std::string& prefix, const std::string& after,
                         std::size_t limit) override {
    return pass<StateList>([&] { return state_.list(prefix, after, limit); });
  }
  Result<Revision> commit(const Transaction& transaction) override {
    auto done = pass<Revision>([&] { return state_.commit(transaction); });
    if (!lose_answer_.exchange(false)) return done;
    return fail(Errc::outcome_unknown, "the connection broke");
  }
  std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override {
    return state_.watch(prefix, std::move(sink));
  }
  Result<LeaseId> grant(std::chrono::seconds ttl) override {
    return pass<LeaseId>([&] { return state_.grant(ttl); });
  }
  Result<void> keep(LeaseId lease) override {
    return pass<void>([&] { return state_.keep(lease); });
  }
  Result<void> revoke(LeaseId lease) override {
    return pass<void>([&] { return state_.revoke(lease); });
  }
  std::string description() const override { return state_.description(); }

 private:
  template <class T, class Call>
  Result<T> pass(const Call& call) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return link_ != Link::hangs; });
      if (link_ == Link::refuses) return fail(Errc::unavailable, "cut off");
    }
    return call();
  }

  State& state_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Link link_ = Link::up;
  std::atomic<bool> lose_answer_ = false;
};

class ElectionTest {
 protected:
  using Link = BreakableState::Link;

  ElectionTest() {
    auto opened = EmbeddedState::open({folder_.path(), 10'000});
    REQUIRE(opened);
    embedded = std::move(*opened);
    state.emplace(*embedded);
  }

  [[nodiscard]] std::unique_ptr<Election> campaign(std::chrono::seconds ttl) {
    return std::make_unique<Election>(*state, "leader", "me", ttl,
                                      [this](const Election::Standing& standing) {
                                        const auto entry = embedded->get("leader");
                                        const std::lock_guard lock(mutex_);
                                        standing_ = standing;
                                        key_there_ = entry && entry->has_value();
                                        told_.notify_all();
                                      });
  }
  Revision expect_leads() {
    expect([&] { return standing_.epoch.has_value(); });
    const std::lock_guard lock(mutex_);
    return standing_.epoch.value_or(0);
  }
  void expect_leads_no_more() {
    expect([&] { return !standing_.epoch; });
  }
  /// When the standing was told of last.
  [[nodiscard]] bool key_was_there() {
    const std::lock_guard lock(mutex_);
    return key_there_;
  }

  TempFolder folder_;
  std::unique_ptr<EmbeddedState> embedded;
  std::optional<BreakableState> state;

 private:
  void expect(const std::function<bool()>& met) {
    std::unique_lock lock(mutex_);
    told_.wait_for(lock, kPatience, met);
    CHECK(met());
  }

  std::mutex mutex_;
  std::condition_variable told_;
  Election::Standing standing_;
  bool key_there_ = false;
};

TEST_CASE_METHOD(ElectionTest, "A leader that cannot keep its lease stops before the lease ends",
                 "[orchestrator][state][election]") {
  const auto link = GENERATE(Link::refuses, Link::hangs);
  const auto election = campaign(std::chrono::seconds(6));
  const auto epoch = expect_leads();
  state->set(link);
  expect_leads_no_more();
  CHECK(key_was_there());  // Nobody else can have begun.
  CHECK_FALSE(election->standing().epoch);
  state->set(Link::up);
  CHECK(expect_leads() >= epoch);
}

TEST_CASE_METHOD(ElectionTest, "A candidate whose winning answer was lost leads all the same",
                 "[orchestrator][state][election]") {
  state->lose_next_answer();
  const auto election = campaign(std::chrono::seconds(60));
  const auto epoch = expect_leads();
  CHECK(embedded->get("leader")->value().created == epoch);
}

TEST_CASE_METHOD(ElectionTest, "A candidate waits for a state that is away",
                 "[orchestrator][state][election]") {
  state->set(Link::refuses);
  const auto election = campaign(std::chrono::seconds(60));
  CHECK_FALSE(election->standing().epoch);
  CHECK_FALSE(election->standing().leader);
  state->set(Link::up);
  expect_leads();
}

TEST_CASE_METHOD(ElectionTest, "Who resigns leaves neither key nor lease behind",
                 "[orchestrator][state][election]") {
  auto election = campaign(std::chrono::seconds(60));
  expect_leads();
  const auto lease = embedded->get("leader")->value().lease;
  election.reset();
  CHECK_FALSE(embedded->get("leader")->has_value());
  CHECK_FALSE(embedded->lease_facts(lease));
}

TEST_CASE_METHOD(ElectionTest, "Who follows holds no lease", "[orchestrator][state][election]") {
  REQUIRE(embedded->grant_as(5, std::chrono::seconds(60)));
  commit(*embedded, {put("leader", "another", 5)});
  auto election = campaign(std::chrono::seconds(60));
  while (election->standing().leader != "another") std::this_thread::yield();
  CHECK_FALSE(election->standing().epoch);
  REQUIRE(embedded->revoke(5));
  expect_leads();
  const auto lease = embedded->get("leader")->value().lease;
  commit(*embedded, {put("leader", "a thief")});
  expect_leads_no_more();
  while (embedded->lease_facts(lease)) std::this_thread::yield();
}

}  // namespace
}  // namespace shoal
