#include "orchestrator/state/migrate.h"

// The order of steps is what makes it safe to stop anywhere:
//   1. `migrating` into the empty target: what comes there from now on is our copy.
//   2. Both are listed and the target is made equal, again until little is left to do. Then the
//      target is listed once more and held against the source as it was listed, at revision R:
//      that is the check. (To wait until the source stands still would take for ever.)
//   3. `migrating` is written anew, with R in it. Its own revision T tells apart, in the target,
//      what was copied (up to T) from what members write there once they have moved (above T).
//   4. `moved` into the source.
//   5. What was written in the source after R is brought along where the target still has what was
//      copied.
//   6. `migrating` is erased.

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::size_t kPage = 500;
constexpr int kPassesMax = 50;

struct Listed {
  std::map<std::string, StateEntry> entries;  // Without leased ones and the two marks.
  std::optional<StateEntry> moved;
  std::optional<StateEntry> migrating;
  Revision revision = 0;  // Nothing older than this is missing.
  std::uint64_t leased = 0;
};

Result<Listed> list_all(State& state) {
  Listed listed;
  std::string after;
  for (bool more = true; more;) {
    auto page = state.list("", after, kPage);
    if (!page) return tl::unexpected(page.error());
    if (listed.revision == 0) listed.revision = page->revision;
    more = page->more && !page->entries.empty();
    if (!page->entries.empty()) after = page->entries.back().key;
    for (auto& entry : page->entries) {
      if (entry.lease != 0) {
        ++listed.leased;
      } else if (entry.key == kStateMoved) {
        listed.moved = std::move(entry);
      } else if (entry.key == kStateMigrating) {
        listed.migrating = std::move(entry);
      } else {
        auto key = entry.key;
        listed.entries.emplace(std::move(key), std::move(entry));
      }
    }
  }
  return listed;
}

/// `migrating`'s value: `REVISION SOURCE`; the revision is 0 until step 3.
std::string mark_of(Revision revision, const State& from) {
  return fmt::format("{} {}", revision, from.description());
}
std::optional<Revision> revision_in(const StateEntry& mark, const State& from) {
  const auto space = mark.value.find(' ');
  if (space == std::string::npos || mark.value.substr(space + 1) != from.description()) {
    return std::nullopt;
  }
  return parse_number(std::string_view(mark.value).substr(0, space));
}

/// A change of the target, and what the target must still have for it.
struct Step {
  StateWrite write;
  std::optional<StateEntry> present;
};

class Migration {
 public:
  Migration(State& from, State& to, const std::string& to_url,
            const std::function<void(const MigrateProgress&)>& progress)
      : from_(from), to_(to), to_url_(to_url), progress_(progress) {}

  Result<MigrateReport> run() {
    auto source = list_all(from_);
    if (!source) return tl::unexpected(source.error());
    auto target = list_all(to_);
    if (!target) return tl::unexpected(target.error());
    if (source->migrating) {
      return fail(Errc::conflict, fmt::format("{} is itself an unfinished copy of another state",
                                              from_.description()));
    }
    if (source->moved && source->moved->value != to_url_) {
      return fail(Errc::conflict, fmt::format("{} was moved to {} before", from_.description(),
                                              source->moved->value));
    }
    if (source->moved && !target->migrating) {
      MigrateReport report;
      report.done_before = true;
      return report;
    }
    auto begun = begin(*target);
    if (!begun) return tl::unexpected(begun.error());
    Revision copied = *begun;
    if (!source->moved) {
      const auto equal = copy();
      if (!equal) return tl::unexpected(equal.error());
      copied = *equal;
      if (auto switched = point_members(copied); !switched) {
        return tl::unexpected(switched.error());
      }
    }
    if (auto done = bring_along(copied); !done) return tl::unexpected(done.error());
    return finish();
  }

 private:
  /// Step 1. The revision in the mark of an interrupted run, or 0.
  Result<Revision> begin(const Listed& target) {
    if (target.migrating) {
      const auto revision = revision_in(*target.migrating, from_);
      if (revision) return *revision;
      return fail(Errc::conflict, fmt::format("{} holds an unfinished copy of another state: {}",
                                              to_.description(), target.migrating->value));
    }
    if (!target.entries.empty() || target.moved) {
      return fail(
          Errc::conflict,
          fmt::format("{} is not empty: it has `{}`; choose another prefix", to_.description(),
                      target.moved ? kStateMoved : target.entries.begin()->first));
    }
    const auto marked = to_.commit(
        {{Condition::absent(kStateMigrating)}, {{kStateMigrating, mark_of(0, from_), 0}}});
    if (!marked) return tl::unexpected(marked.error());
    return 0;
  }

  /// Step 2. The source's revision R.
  Result<Revision> copy() {
    for (int pass = 0; pass < kPassesMax; ++pass) {
      const auto source = list_all(from_);
      if (!source) return tl::unexpected(source.error());
      const auto target = list_all(to_);
      if (!target) return tl::unexpected(target.error());
      const auto steps = differences(*source, *target);
      if (auto done = apply(steps, true); !done) return tl::unexpected(done.error());
      if (steps.size() > kStateWritesMax) continue;

      const auto copied = list_all(to_);
      if (!copied) return tl::unexpected(copied.error());
      if (!differences(*source, *copied).empty()) continue;
      report_.keys = source->entries.size();
      report_.leased = source->leased;
      for (const auto& [key, entry] : source->entries) report_.bytes += entry.value.size();
      return source->revision;
    }
    return fail(Errc::unavailable, fmt::format("{} is written to faster than it can be copied: try "
                                               "again when there are fewer pushes",
                                               from_.description()));
  }

  /// What makes the target equal to the source.
  static std::vector<Step> differences(const Listed& source, const Listed& target) {
    std::vector<Step> steps;
    for (const auto& [key, entry] : source.entries) {
      const auto there = target.entries.find(key);
      const bool missing = there == target.entries.end();
      if (!missing && there->second.value == entry.value) continue;
      steps.push_back(
          {{key, entry.value, 0}, missing ? std::nullopt : std::optional(there->second)});
    }
    for (const auto& [key, entry] : target.entries) {
      if (!source.entries.count(key)) steps.push_back({{key, std::nullopt, 0}, entry});
    }
    return steps;
  }

  /// Steps 3 and 4.
  Result<void> point_members(Revision copied) {
    const auto marked = to_.commit({{}, {{kStateMigrating, mark_of(copied, from_), 0}}});
    if (!marked) return tl::unexpected(marked.error());
    const auto moved =
        from_.commit({{Condition::absent(kStateMoved)}, {{kStateMoved, to_url_, 0}}});
    if (!moved) return tl::unexpected(moved.error());
    spdlog::info("state moved from=\"{}\" to=\"{}\" keys={}", from_.description(),
                 to_.description(), report_.keys);
    return {};
  }

  /// Step 5; `copied` is R.
  Result<void> bring_along(Revision copied) {
    for (int pass = 0; pass < kPassesMax; ++pass) {
      const auto source = list_all(from_);
      if (!source) return tl::unexpected(source.error());
      const auto target = list_all(to_);
      if (!target) return tl::unexpected(target.error());
      if (!target->migrating) return {};  // Another run was faster.
      const Revision ours = target->migrating->modified;
      std::vector<Step> steps;
      for (const auto& [key, entry] : source->entries) {
        if (entry.modified <= copied) continue;
        const auto there = target->entries.find(key);
        if (there == target->entries.end()) {
          // A key that was copied and is gone was erased by a member that had moved.
          if (entry.created > copied && !brought_.count(key)) {
            steps.push_back({{key, entry.value, 0}, std::nullopt});
          }
        } else if (is_copy(there->second, ours) && there->second.value != entry.value) {
          steps.push_back({{key, entry.value, 0}, there->second});
        }
      }
      for (const auto& [key, entry] : target->entries) {
        if (!source->entries.count(key) && is_copy(entry, ours)) {
          steps.push_back({{key, std::nullopt, 0}, entry});
        }
      }
      report_.keys = target->entries.size();
      if (steps.empty()) return {};
      report_.late += steps.size();
      if (auto done = apply(steps, false); !done) return tl::unexpected(done.error());
    }
    return fail(Errc::unavailable,
                fmt::format("the members go on writing to {}", from_.description()));
  }

  /// Whether an entry of the target is what we wrote there: before the members, or since.
  bool is_copy(const StateEntry& entry, Revision ours) const {
    if (entry.modified <= ours) return true;
    const auto brought = brought_.find(entry.key);
    return brought != brought_.end() && brought->second == entry.modified;
  }

  /// Makes the changes. If not `alone`, those whose key was written by somebody else are left out.
  Result<void> apply(const std::vector<Step>& steps, bool alone) {
    if (steps.empty()) return {};
    progress_now_.total = progress_now_.keys + steps.size();
    progress_(progress_now_);
    for (std::size_t at = 0; at < steps.size();) {
      Transaction transaction;
      std::size_t bytes = 0;
      const auto first = at;
      for (; at < steps.size() && transaction.writes.size() < kStateWritesMax; ++at) {
        const auto& [write, present] = steps[at];
        const auto size = 2 * write.key.size() + (write.value ? write.value->size() : 0);
        if (at > first && (!alone || bytes + size > kStateBytesMax)) break;
        bytes += size;
        transaction.writes.push_back(write);
        // An entry of the largest size has no room for it.
        if (bytes > kStateBytesMax) continue;
        transaction.conditions.push_back(present ? Condition::unchanged(*present)
                                                 : Condition::absent(write.key));
      }
      const auto written = to_.commit(transaction);
      const bool lost = !written && written.error().code == Errc::conflict;
      if (lost && alone) {
        return fail(Errc::conflict, fmt::format("somebody else writes into {} (`{}` or near it)",
                                                to_.description(), steps[first].write.key));
      }
      // What became of it the next pass sees.
      const bool unknown = !written && written.error().code == Errc::outcome_unknown;
      if (!written && !lost && !unknown) return tl::unexpected(written.error());
      if (written && !alone) brought_[steps[first].write.key] = *written;
      progress_now_.keys += transaction.writes.size();
      progress_(progress_now_);
    }
    return {};
  }

  /// Step 6.
  Result<MigrateReport> finish() {
    const auto erased = to_.commit({{}, {{kStateMigrating, std::nullopt, 0}}});
    if (!erased) return tl::unexpected(erased.error());
    return report_;
  }

  State& from_;
  State& to_;
  const std::string& to_url_;
  const std::function<void(const MigrateProgress&)>& progress_;
  MigrateReport report_;
  MigrateProgress progress_now_;
  std::map<std::string, Revision> brought_;  // Late changes that we wrote into the target.
};

}  // namespace

Result<MigrateReport> migrate(State& from, State& to, const std::string& to_url,
                              const std::function<void(const MigrateProgress&)>& progress) {
  return Migration(from, to, to_url, progress).run();
}

}  // namespace shoal
