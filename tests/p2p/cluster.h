#pragma once

// A few nodes on loopback: real stores, real servers with TLS, real directories and announcers. The
// test says who lives, and what a server does wrong.

#include <prometheus/registry.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "p2p/announcer.h"
#include "p2p/directory_routes.h"
#include "p2p/fetch/blob_fetch.h"
#include "registry/http/server.h"
#include "tests/registry/http/test_certificates.h"
#include "tests/storage/fixture.h"

namespace shoal {

/// Waits for something that other threads bring about; false if it does not come.
inline bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// The live set as one node sees it.
class TestPeers : public Peers {
 public:
  std::shared_ptr<const PeerSet> now() const override {
    const std::lock_guard lock(mutex_);
    return set_;
  }
  std::shared_ptr<void> subscribe(std::function<void()> changed) override {
    const std::lock_guard lock(subscribers_mutex_);
    const auto id = ++next_;
    subscribers_.emplace(id, std::move(changed));
    return std::shared_ptr<void>(nullptr, [this, id](void*) {
      const std::lock_guard unsubscribe(subscribers_mutex_);
      subscribers_.erase(id);
    });
  }
  void set(PeerSet set) {
    {
      const std::lock_guard lock(mutex_);
      set_ = std::make_shared<const PeerSet>(std::move(set));
    }
    const std::lock_guard lock(subscribers_mutex_);
    for (const auto& entry : subscribers_) entry.second();
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const PeerSet> set_ = std::make_shared<const PeerSet>();
  std::mutex subscribers_mutex_;
  std::map<std::uint64_t, std::function<void()>> subscribers_;
  std::uint64_t next_ = 0;
};

/// What a server does wrong with blobs.
struct Faults {
  enum Kind { none, missing, refuses, closes, stalls, lies, wrong_length };
  std::atomic<Kind> kind{none};
  std::atomic<std::uint64_t> after{0};  // Closes and stalls: at this byte of the blob.
  std::atomic<bool> over{false};        // Ends all stalls.
  std::atomic<std::uint64_t> gets{0};
  std::atomic<std::uint64_t> heads{0};
  std::atomic<std::uint64_t> bytes{0};  // Of bodies.
};

/// A stretch of a blob, with the server's faults in it.
class TestBlobBody final : public ResponseBody {
 public:
  TestBlobBody(Faults& faults, std::shared_ptr<BlobReader> reader, std::uint64_t from,
               std::uint64_t end, asio::any_io_executor executor)
      : faults_(faults),
        reader_(std::move(reader)),
        at_(from),
        end_(end),
        executor_(std::move(executor)) {}

  asio::awaitable<Result<std::vector<std::string_view>>> next() override {
    std::vector<std::string_view> views;
    if (at_ == end_) co_return views;
    auto count = std::min<std::uint64_t>(end_ - at_, 32 << 10);
    const auto kind = faults_.kind.load();
    if (kind == Faults::closes || kind == Faults::stalls) {
      const auto after = faults_.after.load();
      if (at_ >= after && kind == Faults::stalls) co_await stall();
      if (at_ >= after) co_return fail(Errc::io, "the test ends it here");
      count = std::min(count, after - at_);
    }
    const auto bytes = reader_->read(at_, static_cast<std::size_t>(count), Wait::yes);
    if (!bytes) co_return tl::unexpected(bytes.error());
    text_ = bytes->view();
    at_ += text_.size();
    faults_.bytes += text_.size();
    if (kind == Faults::lies) text_[0] = static_cast<char>(text_[0] + 1);
    views.push_back(text_);
    co_return views;
  }

 private:
  asio::awaitable<void> stall() {
    asio::steady_timer timer(executor_);
    while (!faults_.over) {
      timer.expires_after(std::chrono::milliseconds(5));
      co_await timer.async_wait(asio::use_awaitable);
    }
  }

  Faults& faults_;
  const std::shared_ptr<BlobReader> reader_;
  std::uint64_t at_;
  const std::uint64_t end_;
  const asio::any_io_executor executor_;
  std::string text_;
};

/// GET and HEAD /cluster/v1/blobs/<digest>, with at most one range, as the node's own API does it.
inline asio::awaitable<Response> serve_test_blob(Store& store, Faults& faults, Request& request) {
  Response response;
  const auto kind = faults.kind.load();
  ++(request.method == Method::head ? faults.heads : faults.gets);
  if (request.peer.empty() || kind == Faults::refuses) {
    response.status = 403;
    co_return response;
  }
  const auto digest = Digest::parse(request.path.substr(request.path.rfind('/') + 1));
  auto reader = store.blobs().open_any(*digest, Wait::yes);
  if (!reader || kind == Faults::missing) {
    response.status = 404;
    co_return response;
  }
  const auto size = (*reader)->info().size;
  std::uint64_t from = 0;
  std::uint64_t end = size;
  if (const auto range = request.headers.find("Range")) {
    unsigned long long first = 0, last = 0;
    if (std::sscanf(std::string(*range).c_str(), "bytes=%llu-%llu", &first, &last) == 2) {
      from = first;
      end = std::min<std::uint64_t>(last + 1, size);
      response.status = 206;
      response.headers.add("Content-Range", "bytes " + std::to_string(from) + "-" +
                                                std::to_string(end - 1) + "/" +
                                                std::to_string(size));
    }
  }
  response.headers.add("Docker-Content-Digest", digest->to_string());
  response.length = end - from;
  if (kind == Faults::wrong_length && request.method == Method::get) {
    response.headers.set("Content-Range", "bytes 0-1/" + std::to_string(size));
  }
  if (request.method == Method::get) {
    response.body =
        std::make_unique<TestBlobBody>(faults, std::move(*reader), from, end, request.executor);
  }
  co_return response;
}

struct TestNodeConfig {
  StoreConfig store;
  AnnounceConfig announce;
  DirectoryConfig directory;
  BlobFetchConfig fetch;
  std::optional<SwarmConfig> swarm;  // Nothing: HTTPS alone.
  bool announces = true;
};

/// One node; can be stopped and started again, with the same store and address.
class TestNode {
 public:
  TestNode(const TestAuthority& authority, std::string its_id, TestNodeConfig its_config)
      : id(std::move(its_id)), config(std::move(its_config)) {
    const auto identity = authority.issue(id);
    tls.certificate_pem = identity.certificate_pem;
    tls.key_pem = identity.key_pem;
    tls.authorities_pem = authority.certificate_pem();
    config.store.directory = folder.path();
    config.store.scrub_bytes_per_second = 0;
    peers.set({id, {}});
    start();
  }
  ~TestNode() { stop(); }

  void start() {
    static std::atomic<std::uint64_t> boots{0};
    const auto boot = ++boots;
    faults.over = false;
    auto opened = Store::open(config.store);
    REQUIRE(opened);
    store = std::move(*opened);
    table.emplace(config.directory.table, boot);
    routes.emplace(*table, pool);
    PeerClientsConfig clients_config;
    clients_config.tls = *TlsContext::client(tls);
    clients_config.progress_timeout = std::chrono::seconds(1);
    clients_config.failure_memory = std::chrono::milliseconds(200);
    clients.emplace(clients_config, peers);
    directory.emplace(config.directory, peers, *clients, *table);
    HttpServerConfig server_config;
    server_config.listen = {address.empty() ? "127.0.0.1:0" : address};
    server_config.threads = 2;
    server_config.tls = *TlsContext::server(tls);
    auto bound = HttpServer::bind(
        server_config, [this](Request& request) { return handle(request); }, metrics);
    INFO((bound ? std::string() : bound.error().message));
    REQUIRE(bound);
    server = std::move(*bound);
    address = server->addresses().front();
    server->start();
    if (config.announces) {
      announcer.emplace(config.announce, *store, peers, boot,
                        [this](const std::string& peer, const Announce& message) {
                          return directory->announce(peer, message);
                        });
      table->on_restart([this](const std::string& holder, std::uint64_t its_boot) {
        announcer->restarted(holder, its_boot);
      });
    }
    if (config.swarm) {
      auto begun = Swarm::start(
          *config.swarm, {*store, peers, *directory, *clients, clients_config.tls});
      REQUIRE(begun);
      swarm = std::move(*begun);
    }
    fetch.emplace(config.fetch, *store, *directory, *clients, swarm.get());
  }

  /// The server first, as after a kill: others see broken connections.
  void stop() {
    if (!store) return;
    faults.over = true;
    server->stop(std::chrono::seconds(0));
    table->on_restart(nullptr);
    clients->interrupt();
    if (swarm) swarm->stop();
    announcer.reset();
    fetch.reset();
    swarm.reset();
    directory.reset();
    clients.reset();
    server.reset();
    routes.reset();
    table.reset();
    store.reset();
  }

  [[nodiscard]] Peer peer() const { return {id, {"https://" + address}, {}}; }
  Digest push(const std::string& content, const std::string& repository = "team/app") {
    const auto digest = Digest::of(content);
    REQUIRE(shoal::push(*store, repo(repository), content, digest));
    return digest;
  }
  [[nodiscard]] bool holds(const Digest& digest) const {
    return store->blobs().stat_any(digest, Wait::yes).has_value();
  }
  [[nodiscard]] std::vector<std::string> holders(const Digest& digest) {
    auto found = directory->lookup(digest).holders;
    std::sort(found.begin(), found.end());
    return found;
  }
  void flush() {
    const auto flushed = announcer->flush(std::chrono::seconds(30));
    INFO((flushed ? std::string() : flushed.error().message));
    REQUIRE(flushed);
  }

  const std::string id;
  TestNodeConfig config;
  TlsConfig tls;
  TempFolder folder;
  prometheus::Registry metrics;
  asio::thread_pool pool{2};
  TestPeers peers;
  Faults faults;
  std::atomic<std::uint64_t> lookups{0};  // Requests that came to its directory.
  std::string address;
  std::unique_ptr<Store> store;
  std::optional<DirectoryTable> table;
  std::optional<DirectoryRoutes> routes;
  std::unique_ptr<HttpServer> server;
  std::optional<PeerClients> clients;
  std::optional<Directory> directory;
  std::optional<Announcer> announcer;
  std::unique_ptr<Swarm> swarm;
  std::optional<BlobFetch> fetch;
  /// What the node says of a torrent in place of the truth; "": the truth.
  std::string torrent_lie;
  std::atomic<bool> no_tunnels{false};  // BitTorrent from other nodes is refused.

 private:
  asio::awaitable<Response> handle(Request& request) {
    if (DirectoryRoutes::serves(request.path)) {
      if (request.path.ends_with("/lookup")) ++lookups;
      co_return co_await routes->handle(request);
    }
    if (!torrent_lie.empty() && request.path.starts_with("/cluster/v1/torrents/")) {
      Response response;
      response.body = torrent_lie;
      co_return response;
    }
    if (no_tunnels && request.path.starts_with("/cluster/v1/swarm/")) {
      Response response;
      response.status = 503;
      co_return response;
    }
    if (swarm && Swarm::serves(request.path)) co_return co_await swarm->serve(request);
    co_return co_await serve_test_blob(*store, faults, request);
  }
};

/// Brings the content to the node.
inline void fetch_blob(TestNode& node, const Repository& name, const Digest& digest) {
  const auto fetched = node.fetch->fetch(name, digest);
  INFO((fetched ? std::string() : fetched.error().message));
  REQUIRE(fetched);
}

/// As a client of the node reads it.
inline std::shared_ptr<BlobReader> open_blob(TestNode& node, const Repository& name,
                                             const Digest& digest) {
  auto reader = node.fetch->open(name, digest);
  INFO((reader ? std::string() : reader.error().message));
  REQUIRE(reader);
  return std::move(*reader);
}

/// Nodes `n0`, `n1`, ... that know each other from the start.
struct TestCluster {
  explicit TestCluster(std::size_t count, TestNodeConfig its_config = quick())
      : config(std::move(its_config)) {
    for (std::size_t i = 0; i < count; ++i) add();
    meet();
  }

  /// Pauses that suit a test.
  static TestNodeConfig quick() {
    using std::chrono::milliseconds;
    TestNodeConfig config;
    config.announce.interval = milliseconds(20);
    config.announce.linger = milliseconds(2);
    config.announce.messages_per_second = 1000;
    config.announce.retry_first = milliseconds(20);
    config.announce.retry_max = milliseconds(200);
    return config;
  }
  /// Directory nodes alone are asked: they are never young, and the cluster never small.
  static TestNodeConfig directory_alone() {
    auto config = quick();
    config.directory.young = std::chrono::seconds(0);
    config.directory.small_cluster = 0;
    return config;
  }

  TestNode& add() {
    nodes.push_back(
        std::make_unique<TestNode>(authority, "n" + std::to_string(nodes.size()), config));
    return *nodes.back();
  }
  /// All nodes but these live, and everybody knows.
  void meet(const std::vector<std::string>& without = {}) {
    PeerSet set;
    for (const auto& node : nodes) {
      const bool lives = std::find(without.begin(), without.end(), node->id) == without.end();
      if (lives) set.peers.push_back(node->peer());
    }
    std::sort(set.peers.begin(), set.peers.end(),
              [](const Peer& a, const Peer& b) { return a.id < b.id; });
    for (const auto& node : nodes) {
      set.self = node->id;
      node->peers.set(set);
    }
  }
  TestNode& operator[](std::size_t index) { return *nodes[index]; }

  TestAuthority authority;
  TestNodeConfig config;
  std::vector<std::unique_ptr<TestNode>> nodes;
};

}  // namespace shoal
