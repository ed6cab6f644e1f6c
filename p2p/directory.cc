#include "p2p/directory.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr const char* kAnnounceTarget = "/cluster/v1/directory/announce";
constexpr const char* kLookupTarget = "/cluster/v1/directory/lookup";
constexpr std::size_t kAskedAtOnce = 8;
constexpr std::chrono::seconds kKeepAtLeastEvery{60};

Error refusal(const std::string& peer, const HttpAnswer& answer) {
  return {answer.status == 403 ? Errc::denied : Errc::unavailable,
          fmt::format("node {} answered {} to a directory request", peer, answer.status)};
}

std::minstd_rand& random_numbers() {
  thread_local std::minstd_rand random(std::random_device{}());
  return random;
}

/// Calls `work` for each of the peers, several at a time.
template <class Work>
void for_each_peer(const std::vector<std::string>& peers, const Work& work) {
  std::mutex mutex;
  std::size_t next = 0;
  const auto run = [&] {
    for (;;) {
      std::size_t index = 0;
      {
        const std::lock_guard lock(mutex);
        if (next == peers.size()) return;
        index = next++;
      }
      work(peers[index]);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < std::min(peers.size(), kAskedAtOnce); ++i) threads.emplace_back(run);
  run();
  for (auto& thread : threads) thread.join();
}

}  // namespace

/// One lookup() or join() under way.
struct Directory::Search {
  std::shared_ptr<const PeerSet> peers;
  std::vector<Digest> digests;
  bool fetches = false;                               // It is a join().
  std::vector<Found> found;                           // By digest.
  std::vector<std::vector<std::string>> directories;  // Of each digest that are still to be asked.
  std::vector<char> doubtful;  // A directory node of the digest was young or silent.

  /// Whether a node may be named: it lives, and is another one.
  [[nodiscard]] bool usable(const std::string& node) const {
    return node != peers->self && peers->find(node) != nullptr;
  }
};

Directory::Directory(DirectoryConfig config, Peers& peers, PeerClients& clients,
                     DirectoryTable& table)
    : config_(config),
      peers_(peers),
      clients_(clients),
      table_(table),
      subscription_(peers.subscribe([this] {
        const std::lock_guard lock(mutex_);
        changed_ = true;
        wake_.notify_one();
      })),
      keeper_([this] { keep_table(); }) {
  spdlog::debug("directory started young_s={} small_cluster={}", config_.young.count(),
                config_.small_cluster);
}

Directory::~Directory() {
  subscription_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  keeper_.join();
}

void Directory::keep_table() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_ = false;
    lock.unlock();
    const auto set = peers_.now();
    std::vector<std::string> ids;
    for (const auto& peer : set->peers) ids.push_back(peer.id);
    const auto now = Steady::now();
    const auto again = table_.live(Rendezvous(std::move(ids)), set->self, kDirectories, now);
    lock.lock();
    const auto at_last = now + kKeepAtLeastEvery;
    wake_.wait_until(lock, again ? std::min(*again, at_last) : at_last,
                     [this] { return changed_ || stopping_; });
  }
}

Result<AnnounceAnswer> Directory::announce(const std::string& peer, const Announce& message) {
  if (peer == message.holder) return table_.apply(message, Steady::now());
  Headers headers;
  headers.add("Content-Type", "application/octet-stream");
  const auto answer = clients_.send(peer, "POST", kAnnounceTarget, headers, encode(message),
                                    kDirectoryBodyBytesMax);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status != 200) return tl::unexpected(refusal(peer, *answer));
  return parse_announce_answer(answer->body);
}

Result<LookupAnswer> Directory::ask_directory(const std::string& peer, const Lookup& message) {
  if (peer == peers_.now()->self) {
    return table_.lookup(message.digests, message.fetches ? peer : std::string(), Steady::now());
  }
  Headers headers;
  headers.add("Content-Type", "application/octet-stream");
  const auto answer =
      clients_.send(peer, "POST", kLookupTarget, headers, encode(message), kDirectoryBodyBytesMax);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status != 200) return tl::unexpected(refusal(peer, *answer));
  return parse_lookup_answer(answer->body, message.digests.size());
}

/// Round by round: every digest that has no holder yet goes to the next of its directory nodes, all
/// digests of one node in one request.
void Directory::ask_directories(Search& search) {
  for (;;) {
    std::map<std::string, std::vector<std::size_t>> questions;  // Indexes of digests, by node.
    for (std::size_t i = 0; i < search.digests.size(); ++i) {
      auto& directories = search.directories[i];
      if (!search.found[i].holders.empty() || directories.empty()) continue;
      questions[directories.back()].push_back(i);
      directories.pop_back();
    }
    if (questions.empty()) return;

    std::vector<std::string> nodes;
    for (const auto& question : questions) nodes.push_back(question.first);
    std::mutex mutex;
    for_each_peer(nodes, [&](const std::string& node) {
      const auto& indexes = questions.at(node);
      Lookup message;
      message.fetches = search.fetches;
      for (const auto index : indexes) message.digests.push_back(search.digests[index]);
      const auto answer = ask_directory(node, message);
      if (!answer) {
        spdlog::debug("directory node is silent peer={} error=\"{}\"", node,
                      answer.error().message);
      }
      const std::lock_guard lock(mutex);
      for (std::size_t i = 0; i < indexes.size(); ++i) {
        if (!answer || answer->age < config_.young) search.doubtful[indexes[i]] = 1;
        if (!answer) continue;
        auto& found = search.found[indexes[i]];
        for (const auto& holder : answer->holders[i]) {
          if (search.usable(holder)) found.holders.push_back(holder);
        }
        for (const auto& fetcher : answer->fetchers[i]) {
          if (search.usable(fetcher)) found.fetchers.push_back(fetcher);
        }
      }
    });
  }
}

/// No directory node knows it: asks the peers themselves.
void Directory::ask_peers(Search& search) {
  std::vector<std::string> others;
  for (const auto& peer : search.peers->peers) {
    if (peer.id != search.peers->self) others.push_back(peer.id);
  }
  const bool small = others.size() <= config_.small_cluster;
  std::shuffle(others.begin(), others.end(), random_numbers());
  const bool everybody = others.size() <= config_.ask_peers_max;
  if (!everybody) others.resize(config_.ask_peers_max);

  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < search.digests.size(); ++i) {
    if (!search.found[i].holders.empty()) continue;
    const bool asks = small || search.doubtful[i] != 0;
    const bool fits = unknown.size() < config_.ask_digests_max;
    if (asks && fits) unknown.push_back(i);
    search.found[i].sure = !asks || (fits && everybody);
  }
  if (unknown.empty()) return;
  std::mutex mutex;
  for_each_peer(others, [&](const std::string& peer) {
    for (const auto index : unknown) {
      const auto target = "/cluster/v1/blobs/" + search.digests[index].to_string();
      const auto answer = clients_.send(peer, "HEAD", target);
      const std::lock_guard lock(mutex);
      auto& found = search.found[index];
      if (answer && answer->status == 200) found.holders.push_back(peer);
      if (!answer || (answer->status != 200 && answer->status != 404)) found.sure = false;
      // One that does not answer is not asked again for each digest.
      if (!answer) {
        for (const auto other : unknown) search.found[other].sure = false;
        return;
      }
    }
  });
}

std::vector<Directory::Found> Directory::search_some(std::span<const Digest> digests,
                                                     bool fetches) {
  Search search;
  search.peers = peers_.now();
  search.fetches = fetches;
  search.digests.assign(digests.begin(), digests.end());
  search.found.resize(digests.size());
  search.doubtful.resize(digests.size(), 0);
  std::vector<std::string> ids;
  for (const auto& peer : search.peers->peers) ids.push_back(peer.id);
  const Rendezvous rendezvous(std::move(ids));
  for (const auto& digest : digests) {
    auto& directories = search.directories.emplace_back();
    for (const auto index : rendezvous.top(rendezvous_word(digest), kDirectories)) {
      directories.push_back(rendezvous.ids()[index]);
    }
    // Taken from the back.
    if (fetches) {  // In the order that all have in common: who fetches the same is to meet.
      std::reverse(directories.begin(), directories.end());
      continue;
    }
    // This node itself costs nothing; of the others each gets its turn.
    std::shuffle(directories.begin(), directories.end(), random_numbers());
    const auto self = std::find(directories.begin(), directories.end(), search.peers->self);
    if (self != directories.end()) std::iter_swap(self, directories.end() - 1);
  }
  ask_directories(search);
  ask_peers(search);
  // Last: a hint names one that may be gone by now, and must not keep from asking the others.
  for (std::size_t i = 0; i < search.digests.size(); ++i) {
    auto& holders = search.found[i].holders;
    for (const auto& peer : hints_.of(search.digests[i])) {
      const bool known = std::find(holders.begin(), holders.end(), peer) != holders.end();
      if (search.usable(peer) && !known) holders.push_back(peer);
    }
  }
  for (auto& found : search.found) {
    // Several directory nodes may have named the same fetcher, and a later one, a peer or a hint
    // called it a holder.
    auto& holders = found.holders;
    auto& fetchers = found.fetchers;
    std::set<std::string> named;
    std::erase_if(fetchers, [&](const std::string& node) {
      return !named.insert(node).second ||
             std::find(holders.begin(), holders.end(), node) != holders.end();
    });
    std::shuffle(holders.begin(), holders.end(), random_numbers());
  }
  return std::move(search.found);
}

std::vector<Directory::Found> Directory::search(const std::vector<Digest>& digests, bool fetches) {
  std::vector<Found> all;
  for (std::span<const Digest> rest = digests; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), kLookupDigestsMax));
    auto found = search_some(some, fetches);
    std::move(found.begin(), found.end(), std::back_inserter(all));
    rest = rest.subspan(some.size());
  }
  return all;
}

std::vector<Directory::Found> Directory::lookup(const std::vector<Digest>& digests) {
  return search(digests, false);
}

Directory::Found Directory::lookup(const Digest& digest) {
  return search_some(std::span(&digest, 1), false).front();
}

std::vector<Directory::Found> Directory::join(const std::vector<Digest>& digests) {
  return search(digests, true);
}

}  // namespace shoal
