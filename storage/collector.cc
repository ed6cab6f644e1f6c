#include "storage/collector.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "storage/core.h"
#include "storage/keys.h"

namespace shoal {
namespace {

constexpr std::size_t kBatch = 256;  // Candidates between two syncs.

struct Candidate {
  std::string key;  // Of the queue.
  UnixTime due;
  Digest digest;
  char kind;  // 'b' or 'm'
  Repository repository;
  Reason reason;
};

Result<Candidate> decode(std::string_view rest, std::string_view value) {
  const auto damaged = fail(Errc::corrupt, "an entry of the collection queue cannot be decoded");
  if (rest.size() < 10 || value.empty()) return damaged;
  const UnixTime due{std::chrono::seconds(static_cast<std::int64_t>(read_big_endian(rest)))};
  const std::size_t digest_bytes = rest[8] == static_cast<char>(Algorithm::sha512) ? 65 : 33;
  if (rest.size() < 8 + digest_bytes + 2) return damaged;
  const auto digest = Digest::from_key(rest.substr(8, digest_bytes));
  const char kind = rest[8 + digest_bytes];
  const auto repository = Repository::parse(rest.substr(9 + digest_bytes));
  if (!digest || !repository) return damaged;
  return Candidate{'q' + std::string(rest),      due, *digest, kind, *repository,
                   static_cast<Reason>(value[0])};
}

/// What the repository holds the content by.
std::string link_key(const Candidate& candidate) {
  return keys::repository(candidate.kind, candidate.repository.text()) + candidate.digest.key();
}

/// Whether anything in the repository still needs this manifest.
Result<bool> manifest_needed(const StoreCore& core, const Repository& repository,
                             const Digest& digest) {
  const std::string& name = repository.text();
  for (const auto& prefix : {keys::tags_of(name, digest), keys::parents(name, digest)}) {
    const auto any = core.db->any(prefix);
    if (!any || *any) return any;
  }
  const auto bytes = core.db->get_pinned(Family::index, keys::manifest(name, digest), Wait::yes);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) return false;
  const auto record = ManifestRecord::decode((*bytes)->view());
  if (!record) return tl::unexpected(record.error());
  const auto links = record->links();
  if (!links) return tl::unexpected(links.error());
  if (!links->subject) return false;
  const auto subject = core.db->get(keys::manifest(name, *links->subject), Wait::yes);
  if (!subject) return tl::unexpected(subject.error());
  return subject->has_value();
}

class Run {
 public:
  Run(StoreCore& core, bool force) : core_(core), force_(force) {}

  /// Looks at one candidate and takes it out of the queue (or puts it back with a later time).
  Result<void> examine(const Candidate& candidate) {
    const auto repository_lock = core_.lock(candidate.repository);
    const auto digest_lock = core_.lock(candidate.digest);
    ++report.examined;
    Change change;
    change.erase(candidate.key);
    const auto linked = core_.db->get(link_key(candidate), Wait::yes);
    if (!linked) return tl::unexpected(linked.error());
    if (*linked) {
      const bool condemned = core_.leases.condemn(candidate.digest, force_);
      const auto decided = decide(candidate, condemned, change);
      const auto applied = decided ? core_.db->apply(std::move(change))
                                   : Result<std::uint64_t>(tl::unexpected(decided.error()));
      if (condemned) core_.leases.absolve(candidate.digest);
      return note(applied);
    }
    return note(core_.db->apply(std::move(change)));
  }

  /// Makes what was decided so far durable and frees the bytes.
  Result<void> settle() {
    const auto durable = core_.db->sync(ticket_);
    if (!durable) return durable;
    const auto freed = free_content(core_, freed_);
    freed_.clear();
    return freed;
  }

  CollectReport report;

 private:
  Result<void> note(const Result<std::uint64_t>& applied) {
    if (!applied) return tl::unexpected(applied.error());
    ticket_ = *applied;
    return {};
  }

  Result<void> decide(const Candidate& candidate, bool condemned, Change& change) {
    const auto needed =
        candidate.kind == 'm'
            ? manifest_needed(core_, candidate.repository, candidate.digest)
            : core_.db->any(keys::parents(candidate.repository.text(), candidate.digest));
    if (!needed) return tl::unexpected(needed.error());
    if (*needed) return {};  // Whoever takes that reference away puts it into the queue again.
    if (!condemned) {
      ++report.kept_by_lease;
      enqueue(change, core_.clock.now() + core_.config.gc_grace, candidate.digest, candidate.kind,
              candidate.repository, candidate.reason);
      return {};
    }
    const Counters before = change.moved;
    if (candidate.kind == 'm') {
      const auto removed =
          remove_manifest(core_, change, candidate.repository, candidate.digest, freed_);
      if (!removed) return removed;
      ++report.manifests_dropped;
    } else {
      const auto unlinked =
          unlink(core_, change, candidate.repository, candidate.digest, 'b', freed_);
      if (!unlinked) return unlinked;
      if (change.moved.blobs != before.blobs) ++report.blobs_dropped;
    }
    report.bytes_freed += before.stored_bytes - change.moved.stored_bytes;
    return {};
  }

  StoreCore& core_;
  const bool force_;
  std::vector<std::uint64_t> freed_;
  std::uint64_t ticket_ = 0;
};

}  // namespace

Result<CollectReport> Collector::collect(bool now,
                                         const std::function<void(const CollectReport&)>& progress,
                                         const std::atomic<bool>* stop) {
  Run run(core_, now);
  const auto stopped = [&] { return stop && *stop; };
  std::string after;
  std::uint64_t dropped_before = 0;  // Manifests, when this pass over the queue began.
  // A pass takes candidates in the order of their time. What a dropped manifest named is queued as
  // due now and may stand before the cursor: passes repeat until one drops no manifest.
  for (bool again = true; again && !stopped();) {
    std::vector<Candidate> batch;
    std::optional<Error> error;
    std::uint64_t waiting = 0;
    const UnixTime time = core_.clock.now();
    const auto scanned =
        core_.db->scan("q", after, [&](std::string_view rest, std::string_view value) {
          auto candidate = decode(rest, value);
          if (!candidate) {
            error = candidate.error();
            return false;
          }
          const bool due = candidate->due <= time;
          bool take = due || (now && candidate->reason == Reason::orphaned);
          if (now && !take) {
            // What it speaks of may be gone already: then nothing waits.
            const auto linked = core_.db->get(link_key(*candidate), Wait::yes);
            if (!linked) {
              error = linked.error();
              return false;
            }
            take = !*linked;
          }
          if (!take) ++waiting;
          if (take) batch.push_back(std::move(*candidate));
          after = rest;
          return batch.size() < kBatch && (due || now);
        });
    if (!scanned) return tl::unexpected(scanned.error());
    if (error) return tl::unexpected(*error);
    for (const auto& candidate : batch) {
      if (stopped()) break;
      const auto examined = run.examine(candidate);
      if (!examined) return tl::unexpected(examined.error());
    }
    const auto settled = run.settle();
    if (!settled) return tl::unexpected(settled.error());
    if (progress) progress(run.report);
    run.report.waiting = waiting;
    if (batch.size() == kBatch) continue;
    again = run.report.manifests_dropped > dropped_before;
    dropped_before = run.report.manifests_dropped;
    after.clear();
  }
  return run.report;
}

}  // namespace shoal
