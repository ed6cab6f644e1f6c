#include "orchestrator/images/copy_jobs.h"

#include <utility>

namespace shoal {
namespace {

constexpr std::chrono::seconds kRemembered{60};  // How long an end waits for somebody to ask.

}  // namespace

CopyJobs::CopyJobs(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work_off(); });
}

CopyJobs::~CopyJobs() { stop(); }

void CopyJobs::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  queued_.notify_all();
  ended_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::shared_ptr<CopyJobs::Job> CopyJobs::find_or_queue(const std::string& name, Work work) {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(jobs_, [&](const auto& entry) {
    const Job& job = *entry.second;
    return job.ended && job.waiters == 0 && (!job.watched || now - job.end > kRemembered);
  });
  auto& job = jobs_[name];
  if (!job) {
    job = std::make_shared<Job>();
    job->work = std::move(work);
    queue_.push_back(name);
    queued_.notify_one();
  }
  return job;
}

Result<CopyJobs::Standing> CopyJobs::run(const std::string& name, Work work,
                                         std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (stop_) return fail(Errc::unavailable, "the node is stopping");
  const auto job = find_or_queue(name, std::move(work));
  job->watched = true;
  ++job->waiters;
  ended_.wait_for(lock, patience, [&] { return job->ended || stop_; });
  --job->waiters;
  if (!job->ended && stop_) return fail(Errc::unavailable, "the node is stopping");
  if (job->ended && job->waiters == 0) {
    const auto listed = jobs_.find(name);
    if (listed != jobs_.end() && listed->second == job) jobs_.erase(listed);
  }
  return Standing{job->ended, job->error, job->steps};
}

void CopyJobs::start(const std::string& name, Work work) {
  const std::lock_guard lock(mutex_);
  if (!stop_) find_or_queue(name, std::move(work));
}

std::size_t CopyJobs::active() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [name, job] : jobs_) count += job->ended ? 0 : 1;
  return count;
}

void CopyJobs::work_off() {
  std::unique_lock lock(mutex_);
  for (;;) {
    queued_.wait(lock, [&] { return stop_ || !queue_.empty(); });
    if (stop_) return;
    const auto job = jobs_.at(queue_.front());
    queue_.pop_front();
    lock.unlock();
    auto done = job->work(job->steps, stop_);
    job->work = nullptr;  // With what it holds.
    lock.lock();
    job->ended = true;
    job->end = std::chrono::steady_clock::now();
    if (!done) job->error = std::move(done.error());
    ended_.notify_all();
  }
}

}  // namespace shoal
