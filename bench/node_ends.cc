#include "bench/node_ends.h"

#include <chrono>
#include <functional>
#include <utility>

#include <prometheus/registry.h>
#include <boost/asio/thread_pool.hpp>

#include "bench/fatal.h"
#include "orchestrator/trust/authority.h"
#include "orchestrator/trust/node_identity.h"
#include "p2p/directory_routes.h"
#include "p2p/fetch/blob_fetch.h"
#include "registry/http/server.h"
#include "registry/peer_api.h"

namespace shoal::bench {
namespace {

constexpr const char* kSeed = "n-seedseedse";
constexpr const char* kPeer = "n-peerpeerpe";
constexpr const char* kNobodyCalls = "127.0.0.1:1";  // The peer, and the seed itself.
constexpr std::chrono::hours kLifetime{24};
// As the node has them.
constexpr unsigned kDiskThreads = 16;
constexpr unsigned kBlockingThreads = 32;
constexpr std::chrono::seconds kProgressTimeout{10};

template <class T>
T must(Result<T> result) {
  if (!result) fatal(result.error().message);
  return *std::move(result);
}

/// Two nodes that live for as long as anybody looks.
class TwoPeers final : public Peers {
 public:
  TwoPeers(const std::string& self, const std::string& seed_address) {
    PeerSet set;
    set.self = self;
    set.peers.push_back({kPeer, {std::string("https://") + kNobodyCalls}, {}});
    set.peers.push_back({kSeed, {"https://" + seed_address}, {}});
    set_ = std::make_shared<const PeerSet>(std::move(set));
  }
  [[nodiscard]] std::shared_ptr<const PeerSet> now() const override { return set_; }
  std::shared_ptr<void> subscribe(std::function<void()>) override { return nullptr; }

 private:
  std::shared_ptr<const PeerSet> set_;
};

/// What both ends have. Destroyed from the last member to the first.
struct Node {
  Node(Store& store, const NodeIdentity& identity, const std::string& seed_address, NodeWay way)
      : peers(identity.node_id, seed_address),
        tls(must(TlsContext::client(identity.tls()))),
        clients({tls, kProgressTimeout}, peers),
        directory({}, peers, clients, table) {
    if (way == NodeWay::https) return;
    swarm = must(Swarm::start({}, {store, peers, directory, clients, tls}));
  }
  ~Node() {
    clients.interrupt();
    if (swarm) swarm->stop();
    blocking.join();
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  asio::thread_pool blocking{kBlockingThreads};
  TwoPeers peers;
  std::shared_ptr<TlsContext> tls;
  PeerClients clients;
  DirectoryTable table{{}, 1};
  Directory directory;
  std::unique_ptr<Swarm> swarm;
};

/// The seed's identity; the peer's is in the folder then.
NodeIdentity make_identities(const std::filesystem::path& trust) {
  std::filesystem::create_directories(trust);
  const auto authority = must(Authority::load_or_create(trust));
  const auto saved = must(NodeIdentity::issue(authority, kPeer, kLifetime)).save(trust);
  if (!saved) fatal(saved.error().message);
  return must(NodeIdentity::issue(authority, kSeed, kLifetime));
}

}  // namespace

struct NodeSeed::Impl {
  Impl(Store& store, const NodeIdentity& identity, NodeWay way)
      : node(store, identity, kNobodyCalls, way), api(store, disk) {
    HttpServerConfig config;
    config.listen = {"127.0.0.1:0"};
    config.tls = must(TlsContext::server(identity.tls()));
    config.name = "cluster";
    const auto handler = [this](Request& request) { return serve(request); };
    server = must(HttpServer::bind(config, handler, metrics));
    server->start();
  }
  ~Impl() {
    if (node.swarm) node.swarm->stop();
    server->stop(std::chrono::seconds(0));
    disk.join();
  }

  asio::awaitable<Response> serve(Request& request) {
    const std::string_view path = request.path;
    if (DirectoryRoutes::serves(path)) co_return co_await routes.handle(request);
    if (node.swarm && Swarm::serves(path)) co_return co_await node.swarm->serve(request);
    co_return co_await api.serve(request);
  }

  asio::thread_pool disk{kDiskThreads};
  Node node;
  prometheus::Registry metrics;
  PeerApi api;
  DirectoryRoutes routes{node.table, node.blocking};
  std::unique_ptr<HttpServer> server;
};

NodeSeed::NodeSeed(Store& store, const std::filesystem::path& trust, NodeWay way)
    : impl_(std::make_unique<Impl>(store, make_identities(trust), way)) {}
NodeSeed::~NodeSeed() = default;

std::string NodeSeed::address() const { return impl_->server->addresses().front(); }

struct NodePeer::Impl {
  Impl(Store& store, const NodeIdentity& identity, const std::string& address, NodeWay way)
      : node(store, identity, address, way),
        fetch({}, store, node.directory, node.clients, node.swarm.get()) {}

  Node node;
  BlobFetch fetch;
};

NodePeer::NodePeer(Store& store, const std::filesystem::path& trust, const std::string& address,
                   NodeWay way)
    : impl_(std::make_unique<Impl>(store, must(NodeIdentity::load(trust)), address, way)) {}
NodePeer::~NodePeer() = default;

void NodePeer::fetch(const Repository& repository, const Digest& digest) {
  const auto fetched = impl_->fetch.fetch(repository, digest);
  if (!fetched) fatal(fetched.error().message);
  const auto& swarm = impl_->node.swarm;
  const bool by_swarm = swarm == nullptr || swarm->totals().transfers.finished == 1;
  expect(by_swarm, "the content came, and not by the swarm");
}

}  // namespace shoal::bench
