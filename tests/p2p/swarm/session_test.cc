#include "p2p/swarm/session.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "storage/store.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

/// A node's store and its end of the swarm.
struct SwarmNode : StoreTest {
  explicit SwarmNode(SwarmStoreConfig store_config = {}) {
    // As nodes see each other: each under one address of its own.
    static int nodes = 1;
    SwarmSessionConfig session_config;
    session_config.address = "127.0.1." + std::to_string(++nodes);
    session_config.store = store_config;
    SwarmSession::Events events;
    events.finished = [this](const Digest& digest) {
      const std::lock_guard lock(mutex);
      finished.push_back(digest);
      changed.notify_all();
    };
    events.piece = [this](const Digest&, std::uint32_t) {
      const std::lock_guard lock(mutex);
      ++pieces;
      if (session) most_waiting = std::max(most_waiting, session->store().waiting_bytes());
      changed.notify_all();
    };
    events.failed = [this](const Digest&, const Error& error) {
      const std::lock_guard lock(mutex);
      failures.push_back(error);
      changed.notify_all();
    };
    auto started = SwarmSession::start(session_config, events);
    REQUIRE(started);
    session = *std::move(started);
  }

  void wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(60), condition));
  }
  std::shared_ptr<Arrival> fetch(const Torrent& torrent, const std::string& peer) {
    auto arrival = store->arrivals().open(
        {torrent.digest, torrent.size, torrent.piece_bytes, torrent.encode()});
    REQUIRE(arrival);
    REQUIRE(session->fetch(torrent, *arrival));
    session->connect(torrent.digest, peer);
    return *arrival;
  }
  void seed(const Torrent& torrent) {
    REQUIRE(session->seed(torrent, *store->blobs().open_any(torrent.digest, Wait::yes)));
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Digest> finished;
  std::vector<Error> failures;
  std::size_t pieces = 0;
  std::uint64_t most_waiting = 0;  // Bytes, for the disk.
  std::unique_ptr<SwarmSession> session;
};

Torrent torrent_of(const std::string& content) {
  TorrentMaker maker(Digest::of(content), content.size());
  maker.update(content);
  return maker.finish();
}

Torrent push_and_seed(SwarmNode& node, const std::string& content) {
  const auto torrent = torrent_of(content);
  REQUIRE(push(*node.store, repo("a"), content, torrent.digest));
  node.seed(torrent);
  return torrent;
}

TEST_CASE("A blob moves from one store into another, piece by piece", "[p2p][swarm]") {
  const auto size = GENERATE(as<std::size_t>(), 2 << 20, (5 << 20) + 1, (40 << 20) - 7);
  CAPTURE(size);
  SwarmNode seed;
  SwarmNode peer;
  const auto content = random_bytes(size, size);
  const auto torrent = push_and_seed(seed, content);
  const auto arrival = peer.fetch(torrent, seed.session->listen_address());
  peer.wait([&] { return !peer.finished.empty(); });
  CHECK(peer.finished == std::vector<Digest>{torrent.digest});
  CHECK(peer.failures.empty());
  CHECK(peer.pieces == torrent.pieces.size());
  REQUIRE(arrival->commit(repo("b")));
  CHECK(read_blob(*peer.store, repo("b"), torrent.digest) == content);
  const auto counts = peer.session->counts(torrent.digest);
  REQUIRE(counts);
  // libtorrent moves whole blocks of torrents of version 2.
  CHECK(counts->received_bytes == (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  CHECK(counts->wrong_bytes == 0);
  REQUIRE(counts->peers.size() == 1);
  CHECK(seed.session->listen_address().starts_with(counts->peers[0].address + ":"));

  peer.session->remove(torrent.digest);
  CHECK_FALSE(peer.session->has(torrent.digest));
  CHECK(peer.session->store().waiting_bytes() == 0);
}

TEST_CASE("A peer gives on what it got, before it has all", "[p2p][swarm]") {
  SwarmNode seed;
  SwarmNode first;
  SwarmNode second;
  const auto content = random_bytes(8 << 20, 5);
  const auto torrent = push_and_seed(seed, content);
  const auto one = first.fetch(torrent, seed.session->listen_address());
  const auto two = second.fetch(torrent, first.session->listen_address());
  second.wait([&] { return !second.finished.empty(); });
  first.wait([&] { return !first.finished.empty(); });
  REQUIRE(one->commit(repo("b")));
  REQUIRE(two->commit(repo("b")));
  CHECK(read_blob(*second.store, repo("b"), torrent.digest) == content);
  CHECK(seed.session->counts(torrent.digest)->sent_bytes == content.size());
}

TEST_CASE("What was stored before is not asked for again", "[p2p][swarm]") {
  SwarmNode seed;
  const auto content = random_bytes(8 << 20, 5);
  const auto torrent = push_and_seed(seed, content);
  SwarmNode peer;
  {
    const auto arrival = peer.store->arrivals().open(
        {torrent.digest, torrent.size, torrent.piece_bytes, torrent.encode()});
    for (std::uint32_t piece = 0; piece < torrent.pieces.size(); piece += 2) {
      const auto bytes = std::make_shared<const std::string>(
          content.substr(piece * torrent.piece_bytes, torrent.piece_bytes));
      (*arrival)->add(piece, *bytes, bytes);
    }
    REQUIRE((*arrival)->store());
  }
  peer.reopen();
  const auto arrival = peer.fetch(torrent, seed.session->listen_address());
  peer.wait([&] { return !peer.finished.empty(); });
  CHECK(peer.session->counts(torrent.digest)->received_bytes == content.size() / 2);
  REQUIRE(arrival->commit(repo("b")));
  CHECK(read_blob(*peer.store, repo("b"), torrent.digest) == content);
}

TEST_CASE("A peer that sends wrong bytes is left, and another one serves", "[p2p][swarm]") {
  const auto content = random_bytes(4 << 20, 5);
  const auto torrent = torrent_of(content);
  // The liar holds other bytes of the same length and says that they are these.
  SwarmNode liar;
  const auto lie = random_bytes(content.size(), 6);
  const auto lie_digest = Digest::of(lie);
  REQUIRE(push(*liar.store, repo("a"), lie, lie_digest));
  REQUIRE(liar.session->seed(torrent, *liar.store->blobs().open_any(lie_digest, Wait::yes)));

  SwarmNode peer;
  const auto arrival = peer.fetch(torrent, liar.session->listen_address());
  SwarmNode seed;
  push_and_seed(seed, content);
  peer.session->connect(torrent.digest, seed.session->listen_address());
  peer.wait([&] { return !peer.finished.empty(); });
  REQUIRE(arrival->commit(repo("b")));
  CHECK(read_blob(*peer.store, repo("b"), torrent.digest) == content);
}

TEST_CASE("A disk that is slower than the net holds the peers up, and all arrives",
          "[p2p][swarm]") {
  SwarmStoreConfig slow;
  slow.waiting_bytes_max = 256 << 10;
  slow.segment_bytes = 128 << 10;
  SwarmNode seed;
  SwarmNode peer(slow);
  const auto content = random_bytes(80 << 20, 5);
  const auto torrent = push_and_seed(seed, content);
  const auto arrival = peer.fetch(torrent, seed.session->listen_address());
  peer.wait([&] { return !peer.finished.empty(); });
  REQUIRE(arrival->commit(repo("b")));
  CHECK(read_blob(*peer.store, repo("b"), torrent.digest) == content);
  CHECK(peer.session->store().waits() > 0);
  // Beyond the limit there is what libtorrent had read already when the store was full: up to 2 MiB
  // (max_peer_recv_buffer_size), and as much again before its next look.
  CHECK(peer.most_waiting <= slow.waiting_bytes_max + (8 << 20));
}

TEST_CASE("A transfer that is removed in the middle keeps what came", "[p2p][swarm]") {
  SwarmNode seed;
  const auto content = random_bytes(32 << 20, 5);
  const auto torrent = push_and_seed(seed, content);
  SwarmNode peer;
  {
    const auto arrival = peer.fetch(torrent, seed.session->listen_address());
    peer.wait([&] { return peer.pieces > 20; });
    peer.session->remove(torrent.digest);
    CHECK(arrival->waiting_bytes() == 0);
  }
  peer.reopen();
  const auto arrival = peer.fetch(torrent, seed.session->listen_address());
  CHECK(arrival->arrived_bytes() >= 20 * torrent.piece_bytes);
  peer.wait([&] { return !peer.finished.empty(); });
  REQUIRE(arrival->commit(repo("b")));
  CHECK(read_blob(*peer.store, repo("b"), torrent.digest) == content);
}

TEST_CASE("One torrent of a digest at a time is shared", "[p2p][swarm]") {
  SwarmNode seed;
  const auto torrent = push_and_seed(seed, random_bytes(2 << 20, 5));
  const auto again =
      seed.session->seed(torrent, *seed.store->blobs().open_any(torrent.digest, Wait::yes));
  CHECK(again.error().code == Errc::conflict);
  seed.session->remove(torrent.digest);
  CHECK_FALSE(seed.session->counts(torrent.digest));
  seed.seed(torrent);
}

}  // namespace
}  // namespace shoal
