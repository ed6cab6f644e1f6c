#include "cli/node.h"

#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <prometheus/registry.h>

#include "cli/metrics.h"
#include "orchestrator/open_swarm.h"
#include "orchestrator/transfers_json.h"
#include "registry/error_response.h"
#include "registry/http/text_response.h"

namespace shoal {
namespace {

constexpr const char* kGreeting =
    "This is a shoal node: a registry for container images.\n"
    "\n"
    "  docker push HOST:PORT/NAME:TAG    with this address as HOST:PORT\n"
    "  shoal images --node URL           what is here\n"
    "\n"
    "/v2/         Docker Registry v2 and OCI distribution API\n"
    "/shoal/v1/   the node's own API: version, status, images, usage, events, transfers\n"
    "/healthz /readyz /metrics\n";

bool is_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

/// What the store asks before it evicts: it is opened before there is a cluster that could answer,
/// and closed after that is gone. Then, nothing may go.
class EvictionGate {
 public:
  void answer_by(Cluster* cluster) {
    const std::lock_guard lock(mutex_);
    cluster_ = cluster;
  }
  [[nodiscard]] bool expendable(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    return cluster_ != nullptr && cluster_->expendable(digest);
  }

 private:
  std::mutex mutex_;  // Held over the question, so that the cluster lives as long.
  Cluster* cluster_ = nullptr;
};

Node::Node(const NodeConfig& config, std::shared_ptr<EvictionGate> gate,
           std::unique_ptr<Store> store)
    : metrics_(std::make_unique<prometheus::Registry>()),
      gate_(std::move(gate)),
      store_(std::move(store)),
      disk_(config.disk_threads) {}

Result<std::unique_ptr<Node>> Node::start(const NodeConfig& config) {
  StoreConfig store_config = config.store;
  const auto gate = std::make_shared<EvictionGate>();
  if (!config.cluster.listen.empty()) {
    store_config.expendable = [gate](const Digest& digest) { return gate->expendable(digest); };
  }
  auto store = Store::open(store_config);
  if (!store) return tl::unexpected(store.error());
  std::unique_ptr<Node> node(new Node(config, gate, *std::move(store)));
  // First the own address: a node that cannot serve shall not join.
  const auto handler = [self = node.get()](Request& request) { return self->serve(request); };
  auto server = HttpServer::bind(config.http, handler, *node->metrics_);
  if (!server) return tl::unexpected(server.error());
  node->server_ = *std::move(server);
  if (auto joined = node->join_cluster(config); !joined) return tl::unexpected(joined.error());

  auto* elsewhere = node->cluster_ ? &node->cluster_->elsewhere() : nullptr;
  auto& remote = node->cluster_ ? node->cluster_->remote() : node->disk_;
  node->registry_ =
      std::make_unique<RegistryApi>(*node->store_, node->disk_, config.registry, elsewhere, remote);
  node->api_ =
      std::make_unique<NodeApi>(*node->store_, node->disk_, SHOAL_VERSION, elsewhere, remote);
  node->server_->start();
  return node;
}

Result<void> Node::join_cluster(const NodeConfig& config) {
  if (config.cluster.listen.empty()) return {};
  auto cluster = Cluster::start(
      config.cluster, ClusterParts{*store_, disk_, *metrics_, config.store.directory / "cluster",
                                   SHOAL_VERSION, config.http});
  if (!cluster) return tl::unexpected(cluster.error());
  cluster_ = *std::move(cluster);
  gate_->answer_by(cluster_.get());
  return {};
}

Node::~Node() { stop(std::chrono::seconds(0)); }

std::vector<std::string> Node::addresses() const { return server_->addresses(); }

std::vector<std::string> Node::cluster_addresses() const {
  return cluster_ ? cluster_->addresses() : std::vector<std::string>();
}

void Node::stop(std::chrono::seconds grace) {
  stopping_ = true;
  if (cluster_) cluster_->leave();
  if (api_) api_->stop();
  if (server_) {
    // Requests that wait for other nodes have the same grace as all others, and not more.
    std::promise<void> stopped;
    std::thread interrupter;
    if (cluster_) {
      interrupter = std::thread([&, end = stopped.get_future()] {
        if (end.wait_for(grace) == std::future_status::timeout) cluster_->interrupt();
      });
    }
    server_->stop(grace);
    stopped.set_value();
    if (interrupter.joinable()) interrupter.join();
  }
  gate_->answer_by(nullptr);
  if (cluster_) cluster_->stop(grace);
  disk_.join();
}

asio::awaitable<Response> Node::serve(Request& request) {
  if (is_below(request.path, "/v2")) co_return co_await registry_->serve(request);
  const bool of_cluster = is_below(request.path, "/shoal/v1/cluster") ||
                          request.path == kTransfersPath ||
                          is_below(request.path, kTorrentFilesPath);
  if (of_cluster) co_return co_await serve_cluster(request);
  if (is_below(request.path, "/shoal/v1")) co_return co_await api_->serve(request);
  co_return serve_own(request);
}

asio::awaitable<Response> Node::serve_cluster(Request& request) {
  if (cluster_) co_return co_await cluster_->serve_local(request);
  const bool transfers = request.path == kTransfersPath;
  if (!transfers && request.path != "/shoal/v1/cluster/status") {
    co_return error_response({Errc::member_unknown,
                              "this node stands alone: start it with --cluster-listen to make or "
                              "join a cluster"});
  }
  const bool reads = request.method == Method::get || request.method == Method::head;
  if (!reads) co_return method_not_allowed("GET, HEAD");
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.body = transfers ? to_json(TransfersStatus{}) : R"({"alone":true})";
  co_return response;
}

Response Node::serve_own(const Request& request) const {
  const bool reads = request.method == Method::get || request.method == Method::head;
  const std::string& path = request.path;
  const bool known = path == "/" || path == "/healthz" || path == "/readyz" || path == "/metrics";
  if (!known) return text_response(404, "There is nothing here; / says what is where.");
  if (!reads) return method_not_allowed("GET, HEAD");

  if (path == "/healthz") return text_response(200, "ok");
  if (path == "/readyz") {
    return stopping_ ? text_response(503, "stopping") : text_response(200, "ready");
  }
  if (path == "/metrics") {
    const auto cluster = cluster_ ? std::optional(cluster_->status()) : std::nullopt;
    Response response =
        text_response(200, metrics_text(*metrics_, *store_, cluster ? &*cluster : nullptr));
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return response;
  }
  return text_response(200, kGreeting);
}

}  // namespace shoal
