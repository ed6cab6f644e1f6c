#include "bench/sim/directory.h"

#include <algorithm>
#include <set>
#include <utility>

#include "p2p/directory_messages.h"

namespace shoal::sim {
namespace {

constexpr std::uint64_t kBoot = 1;
constexpr std::uint64_t kEpoch = 1;
// A plan is made when its host first has something to tell; what it says when it starts was said
// then, long before.
constexpr Time kKnownFor = std::chrono::minutes(10);

}  // namespace

SimDirectory::SimDirectory(std::vector<std::string> ids, std::vector<Digest> digests,
                           std::uint64_t seed)
    : ids_(std::move(ids)),
      digests_(std::move(digests)),
      lives_(ids_.size(), true),
      traffic_(ids_.size()),
      random_(seed) {
  for (std::uint32_t i = 0; i < ids_.size(); ++i) index_[ids_[i]] = i;
  const Rendezvous rendezvous(ids_);
  std::set<std::string> all;
  for (const auto& digest : digests_) {
    auto& nodes = directories_.emplace_back();
    for (const auto i : rendezvous.top(rendezvous_word(digest), kDirectories)) {
      const auto& id = rendezvous.ids()[i];
      const auto host = index_.at(id);
      nodes.push_back(host);
      all.insert(id);
      auto& table = tables_[host];
      if (!table) table = std::make_unique<DirectoryTable>(DirectoryTableConfig{}, seed + host);
    }
  }
  all_directories_.assign(all.begin(), all.end());
}

void SimDirectory::count(std::uint32_t from, std::uint32_t to, std::size_t bytes) {
  if (from == to) return;
  ++traffic_[from].requests;
  traffic_[from].bytes += bytes;
  ++traffic_[to].served;
  traffic_[to].served_bytes += bytes;
}

std::vector<std::uint32_t> SimDirectory::indexes(const std::vector<std::string>& ids,
                                                 std::uint32_t self) const {
  std::vector<std::uint32_t> hosts;
  for (const auto& id : ids) {
    const auto host = index_.at(id);
    if (host != self) hosts.push_back(host);
  }
  return hosts;
}

std::vector<SimDirectory::Found> SimDirectory::join(std::uint32_t host,
                                                    const std::vector<std::uint32_t>& blobs,
                                                    Time now) {
  std::vector<Found> found(blobs.size());
  std::vector<std::size_t> asked(blobs.size(), 0);
  for (;;) {
    std::map<std::uint32_t, std::vector<std::size_t>> questions;  // Places in `blobs`, by node.
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      const auto& nodes = directories_[blobs[i]];
      while (asked[i] < nodes.size() && !lives_[nodes[asked[i]]]) ++asked[i];
      if (!found[i].holders.empty() || asked[i] == nodes.size()) continue;
      questions[nodes[asked[i]++]].push_back(i);
    }
    if (questions.empty()) break;
    for (const auto& [node, places] : questions) {
      Lookup message;
      message.fetches = true;
      for (const auto i : places) message.digests.push_back(digests_[blobs[i]]);
      const auto answer = tables_.at(node)->lookup(message.digests, ids_[host], steady(now));
      count(host, node, encode(message).size() + encode(answer).size());
      const auto second = std::chrono::duration_cast<std::chrono::seconds>(now).count();
      burst_ = std::max(burst_, ++by_second_[{node, second}]);
      for (std::size_t i = 0; i < places.size(); ++i) {
        auto& of = found[places[i]];
        const auto holders = indexes(answer.holders[i], host);
        const auto fetchers = indexes(answer.fetchers[i], host);
        of.holders.insert(of.holders.end(), holders.begin(), holders.end());
        of.fetchers.insert(of.fetchers.end(), fetchers.begin(), fetchers.end());
      }
    }
  }
  for (auto& of : found) {
    // In the directory's order: it names those first that few know.
    std::set<std::uint32_t> seen;
    std::erase_if(of.fetchers, [&](std::uint32_t node) { return !seen.insert(node).second; });
    std::erase_if(of.fetchers, [&](std::uint32_t node) {
      return std::find(of.holders.begin(), of.holders.end(), node) != of.holders.end();
    });
    random_.shuffle(of.holders);
  }
  return found;
}

AnnouncePlan& SimDirectory::plan_of(std::uint32_t host, Time now) {
  auto& plan = plans_[host];
  if (plan) return *plan;
  plan = std::make_unique<AnnouncePlan>(AnnounceConfig{}, ids_[host], kBoot, kEpoch);
  auto members = all_directories_;
  members.push_back(ids_[host]);
  auto then = steady(now - kKnownFor);
  plan->members(std::move(members), then);
  while (!plan->settled()) {
    while (plan->wanted()) plan->listed({}, then);
    while (const auto message = plan->take(then)) {
      const auto to = tables_.find(index_.at(message->peer));
      const auto answer = to == tables_.end() ? AnnounceAnswer{kBoot, false, false}
                                              : to->second->apply(message->announce, then);
      plan->delivered(*message, answer, then);
    }
    if (const auto next = plan->next()) then = std::max(then, *next);
  }
  return *plan;
}

void SimDirectory::held_before(std::uint32_t host, std::uint32_t blob) {
  auto next = holds(host, blob, -kKnownFor);
  for (auto& plan = plan_of(host, Time(0)); next && !plan.settled();) next = announce(host, *next);
  traffic_.assign(ids_.size(), {});
}

std::optional<Time> SimDirectory::holds(std::uint32_t host, std::uint32_t blob, Time now) {
  auto& plan = plan_of(host, now);
  plan.changed(digests_[blob], true, steady(now));
  const auto next = plan.next();
  if (!next) return std::nullopt;
  return std::max(now, std::chrono::duration_cast<Time>(next->time_since_epoch()));
}

std::optional<Time> SimDirectory::announce(std::uint32_t host, Time now) {
  auto& plan = plan_of(host, now);
  while (const auto message = plan.take(steady(now))) {
    const auto to = index_.at(message->peer);
    const auto table = tables_.find(to);
    if (!lives_[to]) {
      plan.failed(*message, steady(now));
      continue;
    }
    // One that is no directory node here is the host itself, which tells itself nothing.
    const auto answer = table == tables_.end()
                            ? AnnounceAnswer{kBoot, false, false}
                            : table->second->apply(message->announce, steady(now));
    count(host, to, encode(message->announce).size() + encode(answer).size());
    plan.delivered(*message, answer, steady(now));
  }
  if (plan.settled()) return std::nullopt;  // Until there is something new.
  const auto next = plan.next();
  if (!next) return std::nullopt;
  return std::max(now + std::chrono::milliseconds(1),
                  std::chrono::duration_cast<Time>(next->time_since_epoch()));
}

DirectoryTable::Usage SimDirectory::largest_table() const {
  DirectoryTable::Usage largest{};
  for (const auto& [host, table] : tables_) {
    const auto usage = table->usage();
    largest.fetchers = std::max(largest.fetchers, usage.fetchers);
    largest.entries = std::max(largest.entries, usage.entries);
  }
  return largest;
}

}  // namespace shoal::sim
