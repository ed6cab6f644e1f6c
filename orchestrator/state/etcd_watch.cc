#include "orchestrator/state/etcd_watch.h"

#include <algorithm>
#include <random>
#include <set>

#include <spdlog/spdlog.h>

#include "orchestrator/state/etcd_json.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kPageMax = 500;
constexpr int kRestartsMax = 5;  // Of a list whose revision was compacted under its pages.
constexpr std::chrono::milliseconds kPause{1000};
constexpr std::chrono::milliseconds kPauseShort{100};

/// One pinned list; fails with events_compacted when its revision went away under it.
Result<StateList> list_pages(EtcdClient& client, std::string_view prefix, std::string start,
                             const std::string& end, std::size_t limit, EtcdCancel* cancel) {
  StateList list;
  std::size_t page = kPageMax;
  const auto deadline = client.deadline();
  for (;;) {
    const auto wanted = limit == 0 ? page : std::min(page, limit - list.entries.size());
    const auto body = range_request({start, end, wanted, list.revision});
    const auto answer = client.call("kv/range", body, EtcdClient::Repeat::always, deadline, cancel);
    if (!answer && answer.error().error.code == Errc::too_large && wanted > 1) {
      page = (wanted + 3) / 4;  // Large values.
      continue;
    }
    if (!answer) return tl::unexpected(answer.error().error);
    auto range = parse_range(*answer, prefix);
    if (!range) return tl::unexpected(range.error());
    if (list.revision == 0) list.revision = range->revision;
    for (auto& entry : range->entries) {
      const bool fits = list.entries.empty() || list.entries.back().key < entry.key;
      if (!fits || (limit != 0 && list.entries.size() == limit)) {
        return fail(Errc::io, "the answer is not what etcd sends: keys that were not asked for");
      }
      list.entries.push_back(std::move(entry));
    }
    list.more = range->more;
    if (!range->more || list.entries.size() == limit) return list;
    start = std::string(prefix) + list.entries.back().key + '\0';
  }
}

}  // namespace

std::string first_key(std::string_view prefix, std::string_view inner) {
  auto key = std::string(prefix);
  if (inner.empty()) return key + '\1';
  key += inner;
  return key;
}

Result<StateList> list_all(EtcdClient& client, std::string_view prefix, std::string start,
                           const std::string& end, std::size_t limit, EtcdCancel* cancel) {
  for (int restarts = 0;; ++restarts) {
    auto list = list_pages(client, prefix, start, end, limit, cancel);
    if (list || list.error().code != Errc::events_compacted) return list;
    if (restarts == kRestartsMax) {
      return fail(Errc::unavailable, "etcd's history is compacted faster than it can be listed: " +
                                         list.error().message);
    }
  }
}

EtcdWatch::EtcdWatch(EtcdClient& client, std::string prefix, std::string inner, State::Sink sink,
                     std::chrono::seconds relist)
    : client_(client),
      prefix_(std::move(prefix)),
      inner_(std::move(inner)),
      sink_(std::move(sink)),
      relist_(relist),
      thread_([this] { run(); }) {}

EtcdWatch::~EtcdWatch() {
  cancel_.cancel();
  thread_.join();
}

EtcdWatch::Time EtcdWatch::next_list() {
  // So that the watches of a cluster that started together do not all list at the same time.
  static thread_local std::minstd_rand random{std::random_device{}()};
  const auto whole = std::chrono::milliseconds(relist_);
  std::uniform_int_distribution<std::int64_t> more(0, whole.count() / 5);
  return steady_clock::now() + whole + std::chrono::milliseconds(more(random));
}

void EtcdWatch::tell(const StateEvent& event) {
  if (!cancel_.cancelled()) sink_(event);
}

void EtcdWatch::run() {
  auto until = next_list();
  while (!cancel_.cancelled()) {
    if (lost_ || steady_clock::now() >= until) {
      if (!list()) {
        cancel_.wait_until(steady_clock::now() + kPause);
        continue;
      }
      until = next_list();
    }
    follow(until);
  }
}

bool EtcdWatch::list() {
  auto list = list_all(client_, prefix_, first_key(prefix_, inner_), range_end(prefix_ + inner_), 0,
                       &cancel_);
  if (!list) {
    if (!cancel_.cancelled()) {
      spdlog::debug("watch cannot list prefix={} reason=\"{}\"", inner_, list.error().message);
    }
    return false;
  }
  std::map<std::string, Revision> present;
  for (const auto& entry : list->entries) present.emplace(entry.key, entry.modified);
  // A revision below the one seen: the store went back to a backup.
  const bool same = seen_ != 0 && !lost_ && present == known_ && list->revision >= seen_;
  known_ = std::move(present);
  seen_ = list->revision;
  lost_ = false;
  if (!same) tell(StateRelisted{std::move(list->entries), list->revision});
  return true;
}

void EtcdWatch::follow(Time until) {
  lived_ = false;
  const auto body =
      watch_request(first_key(prefix_, inner_), range_end(prefix_ + inner_), seen_ + 1);
  const auto result = client_.stream(
      body, [this](std::string_view line) { return hear(line); }, [this] { return lived_; }, until,
      cancel_);
  if (result || cancel_.cancelled()) return;
  spdlog::debug("watch broke prefix={} reason=\"{}\"", inner_, result.error().message);
  // A server that takes the watch and then drops it is asked once a second; one that did not take
  // it is left alone by the client, which chooses another.
  cancel_.wait_until(steady_clock::now() + (lived_ ? kPause : kPauseShort));
}

bool EtcdWatch::hear(std::string_view line) {
  if (cancel_.cancelled()) return false;
  if (line.empty()) return true;
  auto parsed = parse_watch_line(line, prefix_);
  if (!parsed || parsed->error) {
    spdlog::debug("watch ends prefix={} reason=\"{}\"", inner_,
                  parsed ? parsed->reason : parsed.error().message);
    lived_ = false;
    lost_ = lost_ || !parsed;  // What could not be read may have been a change.
    return false;
  }
  if (parsed->canceled) {
    spdlog::debug("watch cancelled prefix={} compacted={} reason=\"{}\"", inner_, parsed->compacted,
                  parsed->reason);
    lost_ = true;
    // Compaction is no fault of the server's; else a token that it no longer takes is the likely
    // reason (it answers 200 all the same).
    lived_ = parsed->compacted > 0;
    if (!lived_) client_.forget_token();
    return false;
  }
  lived_ = true;
  if (!parsed->changes.empty()) changed(std::move(parsed->changes));
  return true;
}

void EtcdWatch::changed(std::vector<StateChange> changes) {
  std::set<std::pair<Revision, std::string>> met;
  std::erase_if(changes, [&](const StateChange& change) {
    const auto& entry = change.entry;
    return entry.modified <= seen_ || !entry.key.starts_with(inner_) ||
           !met.emplace(entry.modified, entry.key).second;
  });
  if (changes.empty()) return;
  std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
    return a.entry.modified < b.entry.modified;
  });
  for (const auto& change : changes) {
    if (change.erased) {
      known_.erase(change.entry.key);
    } else {
      known_[change.entry.key] = change.entry.modified;
    }
  }
  seen_ = changes.back().entry.modified;
  tell(StateChanged{std::move(changes), seen_});
}

}  // namespace shoal
