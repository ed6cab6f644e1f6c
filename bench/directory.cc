#include "bench/directory.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bench/clock.h"
#include "bench/fatal.h"
#include "p2p/announce_plan.h"
#include "p2p/directory_table.h"

namespace shoal::bench {
namespace {

using Time = AnnouncePlan::Time;
using std::chrono::seconds;

constexpr std::uint64_t kFirstEpoch = 1;
constexpr seconds kGrace{60};

double memory_in_use() { return static_cast<double>(::mallinfo2().uordblks); }

/// What was sent in one phase.
struct Traffic {
  explicit Traffic(Time its_start) : start(its_start), last(its_start) {}

  void count(std::size_t sender, std::size_t receiver, std::size_t bytes, Time now) {
    const auto second = std::chrono::duration_cast<seconds>(now - start).count();
    last = now;
    ++messages[sender];
    bytes_by[sender] += bytes;
    cluster_burst = std::max(cluster_burst, ++cluster[second]);
    node_burst = std::max(node_burst, ++node[{second, receiver}]);
  }

  Time start, last;
  std::map<std::size_t, std::size_t> messages, bytes_by;  // By sender.
  std::map<std::int64_t, std::size_t> cluster;            // By second.
  std::map<std::pair<std::int64_t, std::size_t>, std::size_t> node;
  std::size_t cluster_burst = 0, node_burst = 0;
};

class Simulation {
 public:
  explicit Simulation(const DirectoryOptions& options) {
    std::vector<Digest> shared;
    for (std::size_t i = 0; i < options.shared; ++i) {
      shared.push_back(Digest::of(fmt::format("shared {}", i)));
    }
    for (std::size_t n = 0; n < options.nodes; ++n) {
      auto& node = nodes_.emplace_back();
      node.id = fmt::format("node-{:04}", n);
      node.held = shared;
      for (std::size_t i = options.shared; i < options.blobs; ++i) {
        node.held.push_back(Digest::of(fmt::format("{} blob {}", node.id, i)));
      }
      std::sort(node.held.begin(), node.held.end());
      index_[node.id] = n;
    }
  }

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  /// A new process, with nothing told and nothing known.
  void start(std::size_t n) {
    auto& node = nodes_[n];
    ++node.boot;
    node.lives = true;
    forget(n);
    node.plan = std::make_unique<AnnouncePlan>(AnnounceConfig{}, node.id, node.boot,
                                               kFirstEpoch + node.boot * 1'000'000);
  }
  void leave(std::size_t n) { nodes_[n].lives = false; }
  /// The directory of the node is lost, and nobody is told.
  void forget(std::size_t n) {
    auto& node = nodes_[n];
    ++node.boot;
    node.table =
        std::make_unique<DirectoryTable>(DirectoryTableConfig{10'000'000, kGrace}, node.boot);
  }
  void meet() {
    ids_.clear();
    for (const auto& node : nodes_) {
      if (node.lives) ids_.push_back(node.id);
    }
    for (auto& node : nodes_) {
      if (node.lives) node.plan->members(ids_, now_);
    }
    keep_tables();
  }

  /// Lets so much time pass, or less if everything is told before and that is what is asked for.
  Traffic run(Time::duration duration, bool until_told) {
    Traffic traffic(now_);
    for (auto& node : nodes_) node.next = now_;
    for (const auto end = now_ + duration;;) {
      auto next = end;
      bool told = true;
      for (std::size_t n = 0; n < nodes_.size(); ++n) {
        auto& node = nodes_[n];
        if (!node.lives) continue;
        if (node.next <= now_) {
          step(n, traffic);
          node.told = node.plan->settled();
          node.next = node.plan->next().value_or(end);
        }
        told = told && node.told;
        next = std::min(next, node.next);
      }
      if (now_ >= end || (until_told && told)) break;
      now_ = std::max(next, now_ + std::chrono::milliseconds(1));
    }
    keep_tables();
    return traffic;
  }

  /// Stops if a directory node does not know what it should; else how many entries there are.
  [[nodiscard]] std::size_t check() {
    const Rendezvous rendezvous(ids_);
    std::size_t entries = 0;
    for (const auto& node : nodes_) {
      if (!node.lives) continue;
      std::map<std::string, std::size_t> shares;
      for (const auto& digest : node.held) {
        for (const auto i : rendezvous.top(rendezvous_word(digest), kDirectories)) {
          ++shares[rendezvous.ids()[i]];
          ++entries;
        }
      }
      // Each of the shares is looked up in a sample: all of it would take longer than the rest.
      for (std::size_t i = 0; i < node.held.size(); i += 97) check(node.held[i], node.id);
    }
    std::size_t known = 0;
    for (const auto& node : nodes_) {
      if (node.lives) known += node.table->usage().entries;
    }
    if (known < entries) fatal(fmt::format("the directory knows {} of {} pairs", known, entries));
    return known;
  }

 private:
  struct Node {
    std::string id;
    std::vector<Digest> held;  // Sorted.
    std::uint64_t boot = 0;
    bool lives = false;
    bool told = false;
    Time next;  // Nothing to do before.
    std::unique_ptr<AnnouncePlan> plan;
    std::unique_ptr<DirectoryTable> table;
  };

  void check(const Digest& digest, const std::string& holder) {
    const Rendezvous rendezvous(ids_);
    for (const auto i : rendezvous.top(rendezvous_word(digest), kDirectories)) {
      auto& table = *nodes_[index_.at(rendezvous.ids()[i])].table;
      const auto found = table.lookup({digest}).holders[0];
      const bool named = std::find(found.begin(), found.end(), holder) != found.end();
      if (!named && found.size() < kLookupHoldersMax) fatal("a directory node knows too little");
    }
  }

  void step(std::size_t n, Traffic& traffic) {
    auto& node = nodes_[n];
    for (;;) {
      while (const auto wanted = node.plan->wanted()) node.plan->listed(page(node, *wanted), now_);
      const auto message = node.plan->take(now_);
      if (!message) return;
      const auto receiver = index_.at(message->peer);
      auto& other = nodes_[receiver];
      if (!other.lives) {
        node.plan->failed(*message, now_);
        continue;
      }
      const auto answer = other.table->apply(message->announce, now_);
      if (receiver != n) {
        traffic.count(n, receiver, encode(message->announce).size() + encode(answer).size(), now_);
      }
      node.plan->delivered(*message, answer, now_);
    }
  }

  static Page<Digest> page(const Node& node, const AnnouncePlan::Wanted& wanted) {
    const auto first = wanted.after
                           ? std::upper_bound(node.held.begin(), node.held.end(), *wanted.after)
                           : node.held.begin();
    const auto left = static_cast<std::size_t>(node.held.end() - first);
    const auto last = first + static_cast<std::ptrdiff_t>(std::min(left, wanted.limit));
    return {{first, last}, left > wanted.limit};
  }

  void keep_tables() {
    const Rendezvous rendezvous(ids_);
    for (auto& node : nodes_) {
      if (!node.lives) continue;
      for (;;) {
        const auto next = node.table->live(rendezvous, node.id, kDirectories, now_);
        if (!next || *next > now_) break;
      }
    }
  }

  std::vector<Node> nodes_;
  std::map<std::string, std::size_t> index_;
  std::vector<std::string> ids_;
  Time now_{seconds(1'000'000)};
};

void add(Report& report, const std::string& phase, const Traffic& traffic, std::size_t nodes) {
  std::size_t messages = 0, bytes = 0, messages_max = 0, bytes_max = 0;
  for (const auto& [sender, count] : traffic.messages) {
    messages += count;
    messages_max = std::max(messages_max, count);
  }
  for (const auto& [sender, count] : traffic.bytes_by) {
    bytes += count;
    bytes_max = std::max(bytes_max, count);
  }
  const auto number = [&](const std::string& name, double value) {
    report.numbers[phase + "_" + name] = value;
  };
  number("messages_per_node", static_cast<double>(messages) / static_cast<double>(nodes));
  number("messages_max", static_cast<double>(messages_max));
  number("kilobytes_per_node", static_cast<double>(bytes) / static_cast<double>(nodes) / 1000);
  number("kilobytes_max", static_cast<double>(bytes_max) / 1000);
  number("cluster_burst", static_cast<double>(traffic.cluster_burst));
  number("node_burst", static_cast<double>(traffic.node_burst));
  number("seconds", std::chrono::duration<double>(traffic.last - traffic.start).count());
}

/// Bytes of memory for each digest of a table of 100,000 digests with three holders each.
double bytes_per_digest() {
  constexpr std::size_t kDigests = 100'000;
  DirectoryTable table({}, 1);
  const double before = memory_in_use();
  for (const char* const holder : {"a", "b", "c"}) {
    Announce message;
    message.holder = holder;
    for (std::size_t i = 0; i < kDigests; ++i) {
      message.adds.push_back(Digest::of(std::to_string(i)));
      if (message.adds.size() < kAnnounceDigestsMax && i + 1 < kDigests) continue;
      ++message.sequence;
      static_cast<void>(table.apply(message, Time()));
      message.adds.clear();
    }
  }
  return (memory_in_use() - before) / kDigests;
}

}  // namespace

Report directory(const DirectoryOptions& options) {
  if (options.nodes < 4 || options.shared > options.blobs) {
    fatal("at least 4 nodes, and no more shared blobs than blobs, please");
  }
  Report report;
  report.numbers["bytes_per_digest"] = bytes_per_digest();
  Simulation simulation(options);
  const auto nodes = options.nodes;
  const Stopwatch processor(CLOCK_PROCESS_CPUTIME_ID);

  for (std::size_t n = 0; n < nodes; ++n) simulation.start(n);
  simulation.meet();
  add(report, "start", simulation.run(seconds(600), true), nodes);
  report.numbers["entries"] = static_cast<double>(simulation.check());
  report.numbers["cpu_ms_per_node"] = processor.seconds() * 1000 / static_cast<double>(nodes);

  simulation.leave(nodes / 2);
  simulation.meet();
  add(report, "leave", simulation.run(seconds(600), true), nodes);
  std::ignore = simulation.check();
  std::ignore = simulation.run(kGrace, false);  // The grace: it is forgotten.

  simulation.start(nodes / 2);
  simulation.meet();
  add(report, "join", simulation.run(seconds(600), true), nodes);
  std::ignore = simulation.check();
  std::ignore = simulation.run(kGrace, false);

  simulation.forget(nodes / 3);
  simulation.meet();
  add(report, "restart", simulation.run(seconds(100), false), nodes);
  std::ignore = simulation.check();

  const auto idle = std::chrono::minutes(options.idle_minutes);
  add(report, "idle", simulation.run(idle, false), nodes);
  return report;
}

}  // namespace shoal::bench
