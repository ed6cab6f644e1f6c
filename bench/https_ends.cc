#include "bench/https_ends.h"

#include <chrono>
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
  explicit TwoPeers(const std::string& seed_address) {
    PeerSet set;
    set.self = kPeer;
    set.peers.push_back({kPeer, {"https://127.0.0.1:1"}, {}});
    set.peers.push_back({kSeed, {"https://" + seed_address}, {}});
    set_ = std::make_shared<const PeerSet>(std::move(set));
  }
  [[nodiscard]] std::shared_ptr<const PeerSet> now() const override { return set_; }
  std::shared_ptr<void> subscribe(std::function<void()>) override { return nullptr; }

 private:
  std::shared_ptr<const PeerSet> set_;
};

}  // namespace

struct HttpsSeed::Impl {
  Impl(Store& store, const std::filesystem::path& trust) : api(store, disk) {
    std::filesystem::create_directories(trust);
    const auto authority = must(Authority::load_or_create(trust));
    const auto saved = must(NodeIdentity::issue(authority, kPeer, kLifetime)).save(trust);
    if (!saved) fatal(saved.error().message);
    HttpServerConfig config;
    config.listen = {"127.0.0.1:0"};
    config.tls =
        must(TlsContext::server(must(NodeIdentity::issue(authority, kSeed, kLifetime)).tls()));
    config.name = "cluster";
    const auto handler = [this](Request& request) { return serve(request); };
    server = must(HttpServer::bind(config, handler, metrics));
    server->start();
  }
  ~Impl() {
    server->stop(std::chrono::seconds(0));
    blocking.join();
    disk.join();
  }

  asio::awaitable<Response> serve(Request& request) {
    if (DirectoryRoutes::serves(request.path)) co_return co_await routes.handle(request);
    co_return co_await api.serve(request);
  }

  asio::thread_pool disk{kDiskThreads};
  asio::thread_pool blocking{kBlockingThreads};
  prometheus::Registry metrics;
  PeerApi api;
  DirectoryTable table{{}, 1};
  DirectoryRoutes routes{table, blocking};
  std::unique_ptr<HttpServer> server;
};

HttpsSeed::HttpsSeed(Store& store, const std::filesystem::path& trust)
    : impl_(std::make_unique<Impl>(store, trust)) {}
HttpsSeed::~HttpsSeed() = default;

std::string HttpsSeed::address() const { return impl_->server->addresses().front(); }

struct HttpsPeer::Impl {
  Impl(Store& store, const std::filesystem::path& trust, const std::string& address)
      : peers(address),
        clients({must(TlsContext::client(must(NodeIdentity::load(trust)).tls())), kProgressTimeout},
                peers),
        directory({}, peers, clients, table),
        fetch({}, store, directory, clients, nullptr) {}

  TwoPeers peers;
  PeerClients clients;
  DirectoryTable table{{}, 2};
  Directory directory;
  BlobFetch fetch;
};

HttpsPeer::HttpsPeer(Store& store, const std::filesystem::path& trust, const std::string& address)
    : impl_(std::make_unique<Impl>(store, trust, address)) {}
HttpsPeer::~HttpsPeer() = default;

void HttpsPeer::fetch(const Repository& repository, const Digest& digest) {
  const auto fetched = impl_->fetch.fetch(repository, digest);
  if (!fetched) fatal(fetched.error().message);
}

}  // namespace shoal::bench
