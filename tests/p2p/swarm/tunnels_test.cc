// Tunnels between two nodes with real servers and certificates. What listens in place of
// BitTorrent's session, and what connects in its place, are sockets of the test.

#include "p2p/swarm/tunnels.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <catch2/catch.hpp>

#include "registry/http/client.h"
#include "registry/http/server.h"
#include "tests/p2p/cluster.h"
#include "tests/registry/http/test_certificates.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuick{100};

/// A blocking TCP socket. Throws when nothing moves for 30 s.
class Wire {
 public:
  explicit Wire(int descriptor) : descriptor_(descriptor) {
    const timeval patience{30, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  ~Wire() { close(); }
  Wire(Wire&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// To `127.64.0.1:PORT`.
  static Wire to(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
    Wire wire(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // NOLINTNEXTLINE: the sockets API wants it so.
    if (::connect(wire.descriptor_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) {
      throw std::runtime_error("cannot connect to " + address);
    }
    return wire;
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const auto count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count < 0) throw std::runtime_error("no more bytes were taken");
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  std::string receive(std::size_t count) {
    std::string text(count, '\0');
    for (std::size_t at = 0; at < count;) {
      const auto got = ::recv(descriptor_, text.data() + at, count - at, 0);
      if (got <= 0) throw std::runtime_error("the connection ended early");
      at += static_cast<std::size_t>(got);
    }
    return text;
  }
  /// Reads to the end, in order or not; how many bytes that were.
  std::size_t drain() {
    std::string text(65'536, '\0');
    std::size_t bytes = 0;
    for (;;) {
      const auto got = ::recv(descriptor_, text.data(), text.size(), 0);
      if (got < 0 && errno == EAGAIN) throw std::runtime_error("the connection does not end");
      if (got <= 0) return bytes;
      bytes += static_cast<std::size_t>(got);
    }
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

/// In place of BitTorrent's session.
class FakeSession {
 public:
  FakeSession() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof own;
    auto* const address = reinterpret_cast<sockaddr*>(&own);  // NOLINT: as above.
    REQUIRE(::bind(listening_.descriptor(), address, size) == 0);
    REQUIRE(::listen(listening_.descriptor(), 64) == 0);
    REQUIRE(::getsockname(listening_.descriptor(), address, &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
  }

  [[nodiscard]] const std::string& address() const { return address_; }
  /// The next connection; where it comes from is in `from` and `port` then.
  Wire accept() {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    // NOLINTNEXTLINE: as above.
    Wire wire(::accept(listening_.descriptor(), reinterpret_cast<sockaddr*>(&peer), &size));
    REQUIRE(wire.descriptor() >= 0);
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
    from = text;
    port = ntohs(peer.sin_port);
    return wire;
  }
  void close() { listening_.close(); }

  std::string from;
  std::uint16_t port = 0;

 private:
  Wire listening_;
  std::string address_;
};

const Digest kContent = Digest::of("layer");
const std::string kHash(20, 'h');

std::string handshake(const std::string& info_hash = kHash) {
  return "\x13"
         "BitTorrent protocol" +
         std::string(8, '\0') + info_hash + "-sh0001-abcdefghijkl";
}

struct Node {
  Node(const TestAuthority& authority, std::string its_id, SwarmTunnelsConfig config = {})
      : id(std::move(its_id)) {
    const auto identity = authority.issue(id);
    const TlsConfig tls{
        identity.certificate_pem, identity.key_pem, authority.certificate_pem(), {}};
    client_tls = *TlsContext::client(tls);
    config.session_address = session.address();
    SwarmTunnels::Calls calls;
    calls.digest_of = [](std::span<const char> hash) -> std::optional<Digest> {
      if (std::string_view(hash.data(), hash.size()) != kHash) return std::nullopt;
      return kContent;
    };
    calls.prepare = [this](const Digest& digest) -> Result<void> {
      ++prepared;
      const std::lock_guard lock(mutex);
      if (refusal) return tl::unexpected(*refusal);
      return digest == kContent ? Result<void>() : fail(Errc::blob_unknown, "no such content");
    };
    tunnels = std::make_unique<SwarmTunnels>(config, peers, client_tls, pool, std::move(calls));
    HttpServerConfig http;
    http.listen = {"127.0.0.1:0"};
    http.threads = 2;
    http.tls = *TlsContext::server(tls);
    server = *HttpServer::bind(
        http, [this](Request& request) { return tunnels->serve(request); }, metrics);
    server->start();
  }
  ~Node() {
    server->stop(std::chrono::seconds(0));
    tunnels.reset();
  }
  /// What prepare() fails with from now on.
  void refuse(std::optional<Error> error) {
    const std::lock_guard lock(mutex);
    refusal = std::move(error);
  }
  [[nodiscard]] std::string url() const { return "https://" + server->addresses().front(); }
  [[nodiscard]] Errc failure(const std::string& peer) const {
    REQUIRE(eventually([&] { return tunnels->last_failure(peer).has_value(); }));
    const auto error = *tunnels->last_failure(peer);
    UNSCOPED_INFO(error.message);
    return error.code;
  }

  const std::string id;
  FakeSession session;
  TestPeers peers;
  asio::thread_pool pool{2};
  std::shared_ptr<TlsContext> client_tls;
  std::atomic<int> prepared{0};
  std::mutex mutex;
  std::optional<Error> refusal;
  prometheus::Registry metrics;
  std::unique_ptr<SwarmTunnels> tunnels;
  std::unique_ptr<HttpServer> server;
};

/// `a`, whose session connects, and `b`, whose session is connected to.
struct Pair {
  explicit Pair(SwarmTunnelsConfig config = {})
      : a(authority, "a", config), b(authority, "b", config) {
    meet({b.url()});
  }
  void meet(std::vector<std::string> urls_of_b) {
    const std::vector<Peer> all = {Peer{"a", {a.url()}, {}}, Peer{"b", std::move(urls_of_b), {}}};
    a.peers.set({"a", all});
    b.peers.set({"b", all});
  }
  [[nodiscard]] Wire connect() { return Wire::to(*a.tunnels->address_of("b")); }
  /// An open tunnel: a's end and b's.
  [[nodiscard]] std::pair<Wire, Wire> open() {
    auto near = connect();
    near.send(handshake());
    auto far = b.session.accept();
    REQUIRE(far.receive(handshake().size()) == handshake());
    return {std::move(near), std::move(far)};
  }
  [[nodiscard]] bool idle() {
    return eventually([&] { return a.tunnels->count() == 0 && b.tunnels->count() == 0; });
  }

  TestAuthority authority;
  Node a;
  Node b;
};

std::string noise(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(count, '\0');
  for (auto& c : text) c = static_cast<char>(random());
  return text;
}

void send_in_pieces(Wire& wire, std::string_view text, unsigned seed) {
  std::mt19937 random(seed);
  while (!text.empty()) {
    const auto count = std::min<std::size_t>(text.size(), 1 + random() % 200'000);
    wire.send(text.substr(0, count));
    text.remove_prefix(count);
  }
}

TEST_CASE("A tunnel carries bytes whole, both ways at once", "[p2p][swarm][tunnel]") {
  SwarmTunnelsConfig config;
  config.threads = 2;
  Pair nodes(config);
  const auto there = noise(24 << 20, 1);
  const auto back = noise(17'000'001, 2);
  auto near = nodes.connect();
  near.send(handshake() + there.substr(0, 1'000));
  auto far = nodes.b.session.accept();
  std::string got_there;
  std::string got_back;
  std::thread sends([&] { send_in_pieces(near, std::string_view(there).substr(1'000), 3); });
  std::thread answers([&] { send_in_pieces(far, back, 4); });
  std::thread reads([&] { got_back = near.receive(back.size()); });
  const auto begin = far.receive(handshake().size());
  got_there = far.receive(there.size());
  sends.join();
  answers.join();
  reads.join();
  CHECK(begin == handshake());
  const bool same = got_there == there && got_back == back;
  CHECK(same);
  CHECK(nodes.b.prepared == 1);
  CHECK_FALSE(nodes.a.tunnels->last_failure("b"));
}

TEST_CASE("A handshake may come in pieces", "[p2p][swarm][tunnel]") {
  Pair nodes;
  auto near = nodes.connect();
  near.send(handshake().substr(0, 10));
  near.send(handshake().substr(10, 38));
  auto far = nodes.b.session.accept();
  CHECK(far.receive(48) == handshake().substr(0, 48));
  near.send(handshake().substr(48));
  CHECK(far.receive(20) == handshake().substr(48));
}

TEST_CASE("Each peer has one address, to it and from it", "[p2p][swarm][tunnel]") {
  Pair nodes;
  const auto address = nodes.a.tunnels->address_of("b");
  REQUIRE(address);
  CHECK(address->starts_with("127.64."));
  CHECK(*nodes.a.tunnels->address_of("b") == *address);
  CHECK(*nodes.a.tunnels->address_of("c") != *address);
  CHECK(nodes.a.tunnels->peer_at(address->substr(0, address->find(':'))) == "b");
  CHECK_FALSE(nodes.a.tunnels->peer_at("127.0.0.1"));
  CHECK_FALSE(nodes.a.tunnels->peer_at("127.127.0.1"));
  CHECK_FALSE(nodes.a.tunnels->peer_at("::1"));

  auto [near, far] = nodes.open();
  const auto from = nodes.b.session.from;
  const auto port = nodes.b.session.port;
  CHECK(nodes.b.tunnels->peer_at(from) == "a");
  CHECK(nodes.b.tunnels->address_of("a")->starts_with(from + ":"));
  CHECK(nodes.b.tunnels->admits(from, port));
  CHECK_FALSE(nodes.b.tunnels->admits("127.0.0.1", port));
  CHECK_FALSE(nodes.b.tunnels->admits(from, static_cast<std::uint16_t>(port + 1)));
  CHECK_FALSE(nodes.a.tunnels->admits(from, port));
  near.close();
  CHECK(far.drain() == 0);
  far.close();
  CHECK(eventually([&] { return !nodes.b.tunnels->admits(from, port); }));
}

TEST_CASE("The end of one side ends the other, behind all that was sent", "[p2p][swarm][tunnel]") {
  Pair nodes;
  auto [near, far] = nodes.open();
  const bool from_near = GENERATE(true, false);
  auto& leaves = from_near ? near : far;
  auto& stays = from_near ? far : near;
  leaves.send(std::string(3'000'000, 'x'));
  leaves.close();
  CHECK(stays.drain() == 3'000'000);
  stays.close();
  CHECK(nodes.idle());
}

TEST_CASE("What is not about a torrent of this node goes nowhere", "[p2p][swarm][tunnel]") {
  Pair nodes;
  auto near = nodes.connect();
  SECTION("an info hash that nobody knows") {
    near.send(handshake(std::string(20, 'x')));
    CHECK(near.drain() == 0);
    CHECK(nodes.a.failure("b") == Errc::blob_unknown);
  }
  SECTION("another protocol") {
    near.send("GET / HTTP/1.1\r\n");
    CHECK(near.drain() == 0);
    CHECK(nodes.a.failure("b") == Errc::bad_request);
  }
  CHECK(nodes.b.prepared == 0);
}

TEST_CASE("A handshake that does not come to its end is given up", "[p2p][swarm][tunnel]") {
  SwarmTunnelsConfig config;
  config.progress_timeout = kQuick;
  Pair nodes(config);
  auto near = nodes.connect();
  near.send(handshake().substr(0, 47));
  CHECK(near.drain() == 0);
  CHECK(nodes.a.failure("b") == Errc::timed_out);
}

TEST_CASE("A tunnel that cannot be opened is closed, and the cause is kept",
          "[p2p][swarm][tunnel]") {
  Pair nodes;
  const auto closed = [&] {
    auto near = nodes.connect();
    near.send(handshake());
    return near.drain() == 0;
  };
  SECTION("the peer does not live") {
    nodes.a.peers.set({"a", {}});
    CHECK(closed());
    CHECK(nodes.a.failure("b") == Errc::member_unknown);
  }
  SECTION("nothing listens there") {
    nodes.meet({"https://127.0.0.1:1"});
    CHECK(closed());
    CHECK(nodes.a.failure("b") == Errc::unavailable);
  }
  SECTION("another node is there") {
    nodes.meet({nodes.a.url()});
    CHECK(closed());
    CHECK(nodes.a.failure("b") == Errc::denied);
  }
  SECTION("this node's certificate is not accepted") {
    const TestAuthority other;
    Node stranger(other, "s");
    nodes.b.peers.set({"b", {Peer{"s", {stranger.url()}, {}}}});
    auto near = Wire::to(*nodes.b.tunnels->address_of("s"));
    near.send(handshake());
    CHECK(near.drain() == 0);
    CHECK(nodes.b.failure("s") == Errc::denied);
  }
  SECTION("the peer has no such content") {
    nodes.b.refuse(Error{Errc::blob_unknown, "gone"});
    CHECK(closed());
    CHECK(nodes.a.failure("b") == Errc::blob_unknown);
    CHECK(nodes.a.tunnels->last_failure("b")->message == "node b: it answered 404: gone");
  }
  SECTION("the peer cannot share it now") {
    nodes.b.refuse(Error{Errc::io, "busy"});
    CHECK(closed());
    CHECK(nodes.a.failure("b") == Errc::unavailable);
    nodes.b.refuse({});
    const auto ends = nodes.open();
    CHECK_FALSE(nodes.a.tunnels->last_failure("b"));
  }
  SECTION("the peer's session is not there") {
    nodes.b.session.close();
    CHECK(closed());
  }
  CHECK(nodes.idle());
}

TEST_CASE("There are as many tunnels as are allowed, each way", "[p2p][swarm][tunnel]") {
  SwarmTunnelsConfig config;
  bool outgoing = false;
  SECTION("out of a node") {
    config.outgoing_max = 1;
    outgoing = true;
  }
  SECTION("into a node") { config.incoming_max = 1; }
  Pair nodes(config);
  {
    const auto ends = nodes.open();
    auto near = nodes.connect();
    near.send(handshake());
    CHECK(near.drain() == 0);
    CHECK(nodes.a.failure("b") == (outgoing ? Errc::too_many : Errc::unavailable));
  }
  CHECK(nodes.idle());
  (void)nodes.open();
}

TEST_CASE("The addresses of a peer are tried in order", "[p2p][swarm][tunnel]") {
  Pair nodes;
  nodes.meet({"https://127.0.0.1:1", "nonsense", nodes.b.url()});
  const auto ends = nodes.open();
  CHECK(nodes.b.prepared == 1);
  // A refusal is the peer's, and not the address's.
  nodes.meet({nodes.b.url(), nodes.b.url()});
  nodes.b.refuse(Error{Errc::io, "busy"});
  auto near = nodes.connect();
  near.send(handshake());
  CHECK(near.drain() == 0);
  CHECK(nodes.a.failure("b") == Errc::unavailable);
  CHECK(nodes.b.prepared == 2);
}

TEST_CASE("A tunnel without a byte is closed after a while", "[p2p][swarm][tunnel]") {
  SwarmTunnelsConfig config;
  config.idle_timeout = kQuick;
  Pair nodes(config);
  auto [near, far] = nodes.open();
  CHECK(near.drain() == 0);
  CHECK(far.drain() == 0);
}

TEST_CASE("Whoever stops ends tunnels in mid-stream", "[p2p][swarm][tunnel]") {
  Pair nodes;
  auto [near, far] = nodes.open();
  std::atomic<std::size_t> received{0};
  auto sender = std::thread([&wire = near] {
    const std::string text(100'000, 'x');
    try {
      for (;;) wire.send(text);
    } catch (const std::exception&) {
    }
  });
  received += far.receive(1'000'000).size();
  SECTION("the server") { nodes.b.server->stop(std::chrono::seconds(1'000)); }
  SECTION("the tunnels that go out") { nodes.a.tunnels->stop(); }
  SECTION("the tunnels that come in") { nodes.b.tunnels->stop(); }
  SECTION("all of them, one after the other") {
    nodes.a.tunnels->stop();
    nodes.b.tunnels->stop();
    nodes.b.server->stop(std::chrono::seconds(1'000));
    CHECK_FALSE(nodes.a.tunnels->address_of("b"));
    CHECK(nodes.a.tunnels->count() == 0);
  }
  far.drain();
  sender.join();
  far.close();
  CHECK(nodes.idle());
}

TEST_CASE("A tunnel is asked for by GET with an upgrade, for content, by a node",
          "[p2p][swarm][tunnel]") {
  Pair nodes;
  HttpClientConfig config;
  config.tls = nodes.a.client_tls;
  config.peer = "b";
  auto client = *HttpClient::to(nodes.b.url(), config);
  const auto path = std::string(kSwarmPath) + kContent.to_string();
  Headers upgrade;
  upgrade.add("Connection", "keep-alive, Upgrade");
  upgrade.add("Upgrade", "BitTorrent");

  const auto plain = client.send("GET", path);
  REQUIRE(plain);
  CHECK(plain->status == 426);
  CHECK(plain->headers.find("Upgrade") == "bittorrent");
  Headers other;
  other.add("Connection", "Upgrade");
  other.add("Upgrade", "websocket");
  CHECK(client.send("GET", path, other)->status == 426);
  CHECK(client.send("POST", path, upgrade)->status == 400);
  CHECK(client.send("GET", std::string(kSwarmPath) + "sha256:abc", upgrade)->status == 400);
  const auto unknown = std::string(kSwarmPath) + Digest::of("other").to_string();
  CHECK(client.send("GET", unknown, upgrade)->status == 404);
  nodes.b.tunnels->stop();
  CHECK(client.send("GET", path, upgrade)->status == 503);
  CHECK(nodes.b.prepared == 1);

  Request anonymous;
  asio::io_context context;
  int status = 0;
  asio::co_spawn(context, nodes.b.tunnels->serve(anonymous),
                 [&](std::exception_ptr, Response response) { status = response.status; });
  context.run();
  CHECK(status == 403);
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

const std::string kAlive(4, '\0');  // The shortest message.

TEST_CASE("Tunnels leave nothing open behind them", "[p2p][swarm][tunnel]") {
  Pair nodes;
  { const auto first = nodes.open(); }
  REQUIRE(nodes.idle());
  const auto settled = [&](std::size_t count) {
    return eventually([&] { return open_descriptors() <= count; });
  };
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    auto [near, far] = nodes.open();
    (i % 2 == 0 ? near : far).send(kAlive);
    (i % 2 == 0 ? far : near).receive(kAlive.size());
    if (i % 3 == 0) near.close();
  }
  REQUIRE(nodes.idle());
  CHECK(settled(before));
}

}  // namespace
}  // namespace shoal
