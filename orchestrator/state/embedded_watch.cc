#include "orchestrator/state/embedded_watch.h"

#include <utility>

#include <spdlog/spdlog.h>

namespace shoal {
namespace {

constexpr std::chrono::seconds kRetryPause{1};

StateChange to_change(const RecordedChange& recorded, Revision revision) {
  if (recorded.after) return {recorded.after->entry, false};
  StateChange change;
  change.entry.key = recorded.key;
  change.entry.modified = revision;
  change.erased = true;
  return change;
}

}  // namespace

EmbeddedWatch::EmbeddedWatch(EmbeddedState& state, std::string prefix, State::Sink sink)
    : state_(state),
      prefix_(std::move(prefix)),
      sink_(std::move(sink)),
      thread_([this] { run(); }) {}

EmbeddedWatch::~EmbeddedWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

bool EmbeddedWatch::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void EmbeddedWatch::run() {
  while (!stopping()) {
    follow();
    std::unique_lock lock(mutex_);
    // Only a history that was missed or a disk that fails leads here: either way, not at once.
    wake_.wait_for(lock, kRetryPause, [&] { return stop_; });
  }
}

void EmbeddedWatch::follow() {
  const auto failed = [&](const Error& error) {
    spdlog::warn("state watch lists anew prefix={} error={}", prefix_, error.message);
  };
  const auto range = KeyRange::prefix(prefix_);
  auto listed = state_.range(range, {});
  if (!listed) return failed(listed.error());
  const auto follower = state_.follow(range, listed->revision, [this] {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    wake_.notify_all();
  });

  StateRelisted relisted;
  relisted.revision = listed->revision;
  for (auto& entry : listed->entries) relisted.entries.push_back(std::move(entry.entry));
  if (stopping()) return;
  sink_(std::move(relisted));

  while (!stopping()) {
    const auto batch = follower->next();
    if (!batch) return failed(batch.error());
    if (batch->changes.empty()) {
      wait_for_change();
      continue;
    }
    StateChanged changed;
    for (std::size_t i = 0; i < batch->changes.size(); ++i) {
      changed.changes.push_back(to_change(*batch->changes[i], batch->revisions[i]));
    }
    changed.revision = batch->revisions.back();
    sink_(std::move(changed));
  }
}

void EmbeddedWatch::wait_for_change() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stop_ || changed_; });
  changed_ = false;
}

}  // namespace shoal
