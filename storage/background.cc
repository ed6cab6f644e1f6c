#include "storage/background.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kRound = std::chrono::minutes(1);
constexpr std::chrono::seconds kScrubEvery = std::chrono::hours(24 * 7);

}  // namespace

Background::Background(StoreCore& core, Uploads& uploads, Arrivals& arrivals)
    : core_(core), uploads_(uploads), arrivals_(arrivals), tender_([this] { tend(); }) {
  if (core_.config.scrub_bytes_per_second > 0) scrubber_ = std::thread([this] { scrub(); });
}

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  tender_.join();
  if (scrubber_.joinable()) scrubber_.join();
}

void Background::poke() {
  {
    const std::lock_guard lock(mutex_);
    poked_ = true;
  }
  wake_.notify_all();
}

bool Background::wait(std::chrono::seconds at_most, bool until_poked) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, at_most, [&] { return stop_ || (until_poked && poked_); });
  if (until_poked) poked_ = false;
  return !stop_;
}

void Background::tend() {
  Collector collector(core_);
  while (wait(kRound, true)) {
    std::ignore = free_content(core_, core_.content->unpinned());
    std::ignore = collector.collect(false, {}, &stop_);
    std::ignore = flush_uses(core_);
    std::ignore = collector.evict();
    uploads_.expire_idle();
    arrivals_.expire_idle();
  }
}

void Background::scrub() {
  Scrubber scrubber(core_);
  while (wait(std::chrono::minutes(1), false)) {
    const auto report = scrubber.run(core_.config.scrub_bytes_per_second, {}, &stop_);
    if (report && report->complete && !wait(kScrubEvery, false)) return;
  }
}

}  // namespace shoal
