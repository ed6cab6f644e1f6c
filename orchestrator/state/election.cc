#include "orchestrator/state/election.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

namespace shoal {
namespace {

using Clock = std::chrono::steady_clock;

// A leader stops this much before its lease can end: for what it began just before.
constexpr std::chrono::seconds kMargin{3};
constexpr std::chrono::milliseconds kRetryMin{250};
constexpr std::chrono::milliseconds kRetryMax{5000};

}  // namespace

/// Two threads: `worker_` talks to the state, which may keep it waiting for seconds; `teller_` ends
/// the leading in time however long that takes, and calls `changed_`.
///
/// What is known of the key is a view with a revision: whatever is older than it, from the watch or
/// from our own reads and writes, is dropped.
struct Election::Impl {
  Impl(State& state, std::string key, std::string value, std::chrono::seconds ttl, Changed changed)
      : state_(state),
        key_(std::move(key)),
        value_(std::move(value)),
        ttl_(ttl),
        leads_for_(std::max<Clock::duration>(ttl - kMargin, Clock::duration(ttl) / 2)),
        changed_(std::move(changed)) {
    watch_ = state_.watch(key_, [this](const StateEvent& event) { see(event); });
    worker_ = std::thread([this] { work(); });
    teller_ = std::thread([this] { tell(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      wake_.notify_all();
    }
    worker_.join();
    teller_.join();
    watch_.reset();
    if (lease_ == 0) return;
    const auto resigned = state_.revoke(lease_);
    if (!resigned) {
      spdlog::warn("election not resigned key={} error={}", key_, resigned.error().message);
    }
  }

  // What the key is.

  void see(const StateEvent& event) {
    const std::lock_guard lock(mutex_);
    if (const auto* relisted = std::get_if<StateRelisted>(&event)) {
      doubt_ = known_ && relisted->revision < revision_;
      if (doubt_) wake_.notify_all();
      const auto& entries = relisted->entries;
      const auto found = std::find_if(entries.begin(), entries.end(),
                                      [&](const StateEntry& entry) { return entry.key == key_; });
      if (found == entries.end()) {
        learn(relisted->revision, std::nullopt);
      } else {
        learn(relisted->revision, *found);
      }
      return;
    }
    for (const auto& change : std::get<StateChanged>(event).changes) {
      if (change.entry.key != key_) continue;
      if (change.erased) {
        learn(change.entry.modified, std::nullopt);
      } else {
        learn(change.entry.modified, change.entry);
      }
    }
  }

  /// Under `mutex_`.
  void learn(Revision revision, std::optional<StateEntry> holder) {
    if (known_ && revision < revision_) return;
    known_ = true;
    revision_ = revision;
    holder_ = std::move(holder);
    wake_.notify_all();
  }

  /// The key as it is now; false when the state did not say.
  bool look() {
    std::unique_lock lock(mutex_);
    const Revision before = revision_;
    lock.unlock();
    const auto listed = state_.list(key_, "", 1);
    if (!listed) return false;
    lock.lock();
    doubt_ = false;
    // A read cannot be older than what was seen before it: the state was restored from a backup.
    if (listed->revision < before) known_ = false;
    // A key that only begins like ours stands behind it.
    const bool found = !listed->entries.empty() && listed->entries.front().key == key_;
    learn(listed->revision, found ? std::optional(listed->entries.front()) : std::nullopt);
    return true;
  }

  // What we do about it.

  void work() {
    std::chrono::milliseconds pause = kRetryMin;
    std::unique_lock lock(mutex_);
    while (!stop_) {
      const bool doubt = doubt_;
      const bool free = known_ && !holder_;
      const bool idle = lease_unused();
      const bool beat = lease_ != 0 && Clock::now() >= next_beat_;
      if (!doubt && !free && !idle && !beat) {
        const auto due = [&] { return stop_ || doubt_ || (known_ && !holder_) || lease_unused(); };
        if (lease_ != 0) {
          wake_.wait_until(lock, next_beat_, due);
        } else {
          wake_.wait(lock, due);
        }
        continue;
      }
      lock.unlock();
      bool done = true;
      if (doubt) {
        done = look();
      } else if (idle) {
        give_up_lease();
      } else {
        done = free ? campaign() : keep();
      }
      lock.lock();
      if (done) {
        pause = kRetryMin;
        continue;
      }
      wake_.wait_for(lock, pause, [&] { return stop_; });
      pause = std::min(pause * 2, kRetryMax);
    }
  }

  /// False when the state is away.
  bool campaign() {
    if (lease_ == 0) {
      const auto asked = Clock::now();  // The lease cannot begin earlier.
      const auto granted = state_.grant(ttl_);
      if (!granted) return false;
      const std::lock_guard lock(mutex_);
      lease_ = *granted;
      kept(asked);
    }
    const auto won = state_.commit({{Condition::absent(key_)}, {{key_, value_, lease_}}});
    if (won) {
      const std::lock_guard lock(mutex_);
      learn(*won, StateEntry{key_, value_, *won, *won, lease_});
      return true;
    }
    if (won.error().code == Errc::lease_lost) {
      lose_lease();
      return true;
    }
    // Another was faster; or it was done, and only the answer was lost: the key says which.
    return look();
  }

  /// Whoever does not lead has no use for a lease, nor for the beats it costs. Under `mutex_`.
  bool lease_unused() const { return lease_ != 0 && holder_ && holder_->lease != lease_; }

  void give_up_lease() {
    static_cast<void>(state_.revoke(lease_));  // If not, its time does.
    lose_lease();
  }

  bool keep() {
    const auto asked = Clock::now();
    const auto result = state_.keep(lease_);
    if (result) {
      // Who was out of time looks again before it leads on.
      if (asked >= leads_until_ && !look()) return false;
      const std::lock_guard lock(mutex_);
      kept(asked);
      return true;
    }
    if (result.error().code != Errc::lease_lost) return false;
    lose_lease();
    return look();
  }

  /// Under `mutex_`.
  void kept(Clock::time_point asked) {
    leads_until_ = asked + leads_for_;
    next_beat_ = asked + Clock::duration(ttl_) / 3;
    wake_.notify_all();
  }

  void lose_lease() {
    const std::lock_guard lock(mutex_);
    lease_ = 0;
    wake_.notify_all();
  }

  // What we say of it.

  /// Under `mutex_`.
  Standing standing_now() const {
    Standing standing;
    if (!holder_) return standing;
    const bool ours = lease_ != 0 && holder_->lease == lease_;
    const bool in_time = Clock::now() < leads_until_;
    if (ours && in_time) standing.epoch = holder_->created;
    // Of ourselves, out of time, nobody knows.
    if (!ours || in_time) standing.leader = holder_->value;
    return standing;
  }

  void tell() {
    Standing told;
    std::unique_lock lock(mutex_);
    while (!stop_) {
      const auto now = standing_now();
      if (now.leader != told.leader || now.epoch != told.epoch) {
        told = now;
        lock.unlock();
        spdlog::info("leader changed key={} leader={} epoch={}", key_, told.leader.value_or("-"),
                     told.epoch ? std::to_string(*told.epoch) : "-");
        changed_(told);
        lock.lock();
        continue;
      }
      if (now.epoch) {
        wake_.wait_until(lock, leads_until_);
      } else {
        wake_.wait(lock);
      }
    }
  }

  State& state_;
  const std::string key_;
  const std::string value_;
  const std::chrono::seconds ttl_;
  const Clock::duration leads_for_;
  const Changed changed_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  bool known_ = false;  // The watch has told.
  bool doubt_ = false;  // It told of a past that we know to be over: late, or restored.
  Revision revision_ = 0;
  std::optional<StateEntry> holder_;
  LeaseId lease_ = 0;  // Ours; written by the worker alone.
  Clock::time_point leads_until_;
  Clock::time_point next_beat_;

  std::unique_ptr<StateWatch> watch_;
  std::thread worker_;
  std::thread teller_;
};

Election::Election(State& state, std::string key, std::string value, std::chrono::seconds ttl,
                   Changed changed)
    : impl_(std::make_unique<Impl>(state, std::move(key), std::move(value), ttl,
                                   std::move(changed))) {}
Election::~Election() = default;

Election::Standing Election::standing() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->standing_now();
}

}  // namespace shoal
