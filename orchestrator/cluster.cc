#include "orchestrator/cluster.h"

#include <unistd.h>

#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "orchestrator/advertise.h"
#include "orchestrator/enrolment.h"
#include "orchestrator/images/cluster_content.h"
#include "orchestrator/images/name_import.h"
#include "orchestrator/keys.h"
#include "orchestrator/membership/guard.h"
#include "orchestrator/membership/join_service.h"
#include "orchestrator/membership/membership_api.h"
#include "orchestrator/membership/probe.h"
#include "orchestrator/open_swarm.h"
#include "orchestrator/state_home.h"
#include "orchestrator/transfers_json.h"
#include "orchestrator/trust/certificate_keeper.h"
#include "p2p/announcer.h"
#include "p2p/directory_routes.h"
#include "p2p/swarm/swarm.h"
#include "registry/error_response.h"
#include "registry/http/listen_address.h"
#include "registry/node_runs.h"
#include "registry/peer_api.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

constexpr unsigned kBlockingThreads = 32;  // For requests of other nodes that wait for something.
constexpr unsigned kRemoteThreads = 256;   // For this node's clients that wait for other nodes.
constexpr std::chrono::seconds kPeerProgressTimeout{10};
constexpr std::chrono::seconds kLeaderTtl{10};
constexpr std::chrono::seconds kFirstLook{5};  // How long a start waits to hear of the others.
constexpr std::string_view kManifestsPath = "/cluster/v1/manifests";
constexpr std::string_view kBlobsPath = "/cluster/v1/blobs/";
constexpr const char* kMovePath = "/shoal/v1/cluster/state/move";
constexpr const char* kStatusPath = "/shoal/v1/cluster/status";

std::uint64_t random_number() {
  std::random_device source;
  return (std::uint64_t{source()} << 32) | source();
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

Response not_here() {
  return error_response({Errc::name_unknown, "nothing is served here between nodes"});
}

/// This node as it presents itself; its id comes with the enrolment.
Member describe(const ClusterConfig& config, const ClusterParts& parts,
                std::vector<std::string> urls) {
  Member self;
  self.urls = std::move(urls);
  self.labels = config.labels;
  const auto name = config.name.empty() ? host_name() : config.name;
  if (check_label("name", name)) self.labels.emplace("name", name);
  self.capacity = probe_capacity(parts.folder.parent_path());
  self.engine = probe_engine();
  self.version = parts.version;
  self.joined = Clock::system().now();
  return self;
}

}  // namespace

/// Destroyed from the last member to the first: what stands below uses what stands above.
struct Cluster::Impl {
  Impl(const ClusterConfig& cluster_config, ClusterParts cluster_parts, Enrolment enrolment)
      : config(cluster_config), parts(std::move(cluster_parts)), enrolled(std::move(enrolment)) {}

  [[nodiscard]] Result<void> open_tls();
  [[nodiscard]] Result<void> open_state();
  [[nodiscard]] Result<void> bind();
  [[nodiscard]] Result<void> assemble(Member self);
  [[nodiscard]] asio::awaitable<Response> serve_peer(Request& request);
  [[nodiscard]] asio::awaitable<Response> remove_content(const Request& request);
  [[nodiscard]] asio::awaitable<Response> transfers();
  [[nodiscard]] Response move_state(Request& request);
  [[nodiscard]] ClusterStatus status() const;

  const ClusterConfig config;
  const ClusterParts parts;
  Enrolment enrolled;
  const std::uint64_t boot = random_number();
  bool stopped = false;

  asio::thread_pool blocking{kBlockingThreads};
  asio::thread_pool remote{kRemoteThreads};
  std::shared_ptr<TlsContext> server_tls;
  std::shared_ptr<TlsContext> client_tls;

  std::unique_ptr<StateHome> home;
  State* state = nullptr;  // Its own.
  LongRun move{"a move of the state"};

  std::unique_ptr<Membership> membership;
  std::unique_ptr<Tokens> tokens;
  std::unique_ptr<JoinService> joins;
  std::unique_ptr<ClusterGuard> guard;
  std::unique_ptr<MembershipApi> api;
  std::unique_ptr<CertificateKeeper> certificates;
  std::unique_ptr<Election> election;

  std::unique_ptr<PeerClients> clients;
  std::unique_ptr<DirectoryTable> table;
  std::unique_ptr<Directory> directory;
  std::unique_ptr<DirectoryRoutes> directory_routes;
  std::unique_ptr<Announcer> announcer;
  std::unique_ptr<PeerApi> peer_api;

  std::unique_ptr<ClusterNames> names;
  std::unique_ptr<ManifestFetch> manifests;
  std::unique_ptr<Swarm> swarm;
  std::unique_ptr<OpenSwarm> open_swarm;
  std::unique_ptr<BlobFetch> blobs;
  std::unique_ptr<Replicas> replicas;
  std::unique_ptr<ClusterContent> content;

  std::unique_ptr<HttpServer> server;
};

Result<void> Cluster::Impl::open_tls() {
  auto for_server = TlsContext::server(enrolled.identity.tls());
  if (!for_server) return tl::unexpected(for_server.error());
  auto for_client = TlsContext::client(enrolled.identity.tls());
  if (!for_client) return tl::unexpected(for_client.error());
  server_tls = *std::move(for_server);
  client_tls = *std::move(for_client);
  return {};
}

Result<void> Cluster::Impl::open_state() {
  auto opened = StateHome::open(config, parts.folder, enrolled, client_tls, blocking);
  if (!opened) return tl::unexpected(opened.error());
  home = *std::move(opened);
  state = &home->state();
  return {};
}

Result<void> Cluster::Impl::bind() {
  HttpServerConfig http = parts.http;
  http.listen = config.listen;
  http.tls = server_tls;
  http.name = "cluster";
  const auto handler = [this](Request& request) { return serve_peer(request); };
  auto bound = HttpServer::bind(http, handler, parts.metrics);
  if (!bound) return tl::unexpected(bound.error());
  server = *std::move(bound);
  return {};
}

Result<void> Cluster::Impl::assemble(Member self) {
  self.holds_state = home->holds_state();
  self.authority = enrolled.authority.has_value();
  const auto id = self.id;
  const auto& identity = enrolled.identity;

  membership = std::make_unique<Membership>(
      *state, std::move(self), MembershipConfig{config.liveness, parts.folder / "members.json"});
  tokens = std::make_unique<Tokens>(*state, identity.authority_fingerprint);
  const auto* authority = enrolled.authority ? &*enrolled.authority : nullptr;
  JoinServiceConfig join_config;
  join_config.lifetime = config.certificate_lifetime;
  joins =
      std::make_unique<JoinService>(JoinParts{*state, *membership, *tokens, authority, client_tls,
                                              blocking, [this] { return home->location(); }},
                                    join_config);
  guard = std::make_unique<ClusterGuard>(*membership, blocking);
  api = std::make_unique<MembershipApi>(*state, *membership, *tokens, blocking);
  certificates = std::make_unique<CertificateKeeper>(
      identity, parts.folder, server_tls, client_tls,
      [this](const NodeIdentity& current) -> Result<std::string> {
        if (!enrolled.authority) return renew_certificate(current, *membership, client_tls);
        const auto request = current.make_csr();
        if (!request) return tl::unexpected(request.error());
        return enrolled.authority->sign(*request, current.node_id, config.certificate_lifetime);
      });
  election = std::make_unique<Election>(*state, state_keys::kLeader, id, kLeaderTtl,
                                        [](const Election::Standing&) {});

  clients = std::make_unique<PeerClients>(PeerClientsConfig{client_tls, kPeerProgressTimeout},
                                          *membership);
  table = std::make_unique<DirectoryTable>(DirectoryTableConfig{}, boot);
  directory = std::make_unique<Directory>(DirectoryConfig{}, *membership, *clients, *table);
  directory_routes = std::make_unique<DirectoryRoutes>(*table, blocking);
  announcer = std::make_unique<Announcer>(AnnounceConfig{}, parts.store, *membership, boot,
                                          [this](const std::string& peer, const Announce& message) {
                                            return directory->announce(peer, message);
                                          });
  table->on_restart([this](const std::string& peer, std::uint64_t its_boot) {
    announcer->restarted(peer, its_boot);
  });
  peer_api = std::make_unique<PeerApi>(parts.store, parts.disk);

  names = std::make_unique<ClusterNames>(*state, id);
  manifests = std::make_unique<ManifestFetch>(parts.store, *directory, *clients);
  SwarmConfig swarm_config;
  swarm_config.session.rates = config.swarm_rates;
  if (config.swarm_open) {
    swarm_config.session.open = true;
    swarm_config.session.address = config.swarm_open->address().to_string();
    swarm_config.session.port = config.swarm_open->port();
  }
  auto started =
      Swarm::start(swarm_config, {parts.store, *membership, *directory, *clients, client_tls});
  if (!started) return tl::unexpected(started.error());
  swarm = *std::move(started);
  open_swarm = std::make_unique<OpenSwarm>(parts.store, *swarm, config.swarm_open.has_value());
  if (config.swarm_open) {
    spdlog::warn("BitTorrent is open to every client of this host address={}",
                 to_string(*config.swarm_open));
  }
  blobs = std::make_unique<BlobFetch>(BlobFetchConfig{}, parts.store, *directory, *clients,
                                      swarm.get());
  ReplicasConfig replicas_config;
  replicas_config.policy = config.replicas;
  replicas_config.repair_delay = config.repair_delay;
  replicas = std::make_unique<Replicas>(
      replicas_config, ReplicasParts{parts.store, *names, *membership, *directory, *clients,
                                     *manifests, *blobs, blocking});
  content = std::make_unique<ClusterContent>(
      ClusterContent::Parts{parts.store, *names, *manifests, *blobs, *replicas, *directory,
                            *clients, *membership, config.replicas.durability});
  return {};
}

asio::awaitable<Response> Cluster::Impl::serve_peer(Request& request) {
  auto refusal = co_await guard->refuse(request);
  if (refusal) co_return *std::move(refusal);
  const std::string_view path = request.path;
  if (path == kJoinPath) co_return co_await joins->join(request);
  if (path == kRenewPath) co_return co_await joins->renew(request);
  if (path.starts_with("/v3/")) {
    auto* const gateway = home->gateway();
    if (gateway == nullptr) co_return not_here();
    co_return co_await gateway->serve(request);
  }
  if (DirectoryRoutes::serves(path)) co_return co_await directory_routes->handle(request);
  if (Swarm::serves(path)) co_return co_await swarm->serve(request);
  if (path == "/cluster/v1/replicate") co_return co_await replicas->serve(request);
  if (path == kManifestsPath || path.starts_with(kBlobsPath)) {
    if (request.method == Method::delete_) co_return co_await remove_content(request);
    co_return co_await peer_api->serve(request);
  }
  co_return not_here();
}

/// DELETE /cluster/v1/manifests?repository=&digest= and /cluster/v1/blobs/DIGEST?repository=
asio::awaitable<Response> Cluster::Impl::remove_content(const Request& request) {
  const bool is_blob = request.path != kManifestsPath;
  const auto repository = Repository::parse(request.parameter("repository").value_or(""));
  if (!repository) co_return error_response(repository.error());
  const auto text = is_blob ? std::string_view(request.path).substr(kBlobsPath.size())
                            : request.parameter("digest").value_or("");
  const auto digest = Digest::parse(text);
  if (!digest) co_return error_response(digest.error());
  const auto drop = [&] {
    return is_blob ? parts.store.blobs().remove(*repository, *digest)
                   : parts.store.manifests().remove(*repository, *digest);
  };
  const auto removed = co_await run_on(parts.disk.get_executor(), drop);
  if (!removed) co_return error_response(removed.error());
  Response response;
  response.status = 202;
  co_return response;
}

asio::awaitable<Response> Cluster::Impl::transfers() {
  // Each torrent is asked for on libtorrent's thread.
  const auto look = [this] {
    return to_json(
        TransfersStatus{swarm->view(), swarm->ended(), swarm->totals(), membership->nodes()});
  };
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.body = co_await run_on(parts.disk.get_executor(), look);
  co_return response;
}

Response Cluster::Impl::move_state(Request& request) {
  if (request.method != Method::post) return method_not_allowed("POST");
  const std::string to(request.parameter("to").value_or(""));
  const auto job = [this, to](const LongRun::Report& report,
                              const std::atomic<bool>&) -> Result<std::string> {
    const auto moved =
        home->move_to(to, [&](const MigrateProgress& progress) { report(to_json(progress)); });
    if (!moved) return tl::unexpected(moved.error());
    return to_json(*moved);
  };
  auto run = move.start(job, request.executor);
  if (!run) return error_response(run.error());
  return *std::move(run);
}

ClusterStatus Cluster::Impl::status() const {
  ClusterStatus now;
  now.cluster = enrolled.identity.cluster_id;
  now.node = enrolled.identity.node_id;
  now.state = home->description();
  now.state_available = membership->wait_until_live(std::chrono::milliseconds(0));
  if (election) now.standing = election->standing();
  now.replicas = replicas->status();
  now.transfers = blobs->status();
  now.swarm = swarm->totals();
  now.members = membership->nodes();
  return now;
}

Cluster::Cluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Cluster::~Cluster() { stop(std::chrono::seconds(0)); }

Result<std::unique_ptr<Cluster>> Cluster::start(const ClusterConfig& config, ClusterParts parts) {
  auto urls = advertised_urls(config.advertise, config.listen);
  if (!urls) return tl::unexpected(urls.error());
  Member self = describe(config, parts, *std::move(urls));
  auto enrolled = enrol(config, parts.folder, self);
  if (!enrolled) return tl::unexpected(enrolled.error());

  auto impl = std::make_unique<Impl>(config, std::move(parts), *std::move(enrolled));
  if (auto done = impl->open_tls(); !done) return tl::unexpected(done.error());
  if (auto done = impl->bind(); !done) return tl::unexpected(done.error());
  // A port 0 is known by now; what is told to the others is what is true.
  auto bound = advertised_urls(config.advertise, impl->server->addresses());
  if (bound) self.urls = *std::move(bound);
  if (auto done = impl->open_state(); !done) return tl::unexpected(done.error());
  if (auto done = impl->assemble(std::move(self)); !done) return tl::unexpected(done.error());
  impl->server->start();

  std::unique_ptr<Cluster> cluster(new Cluster(std::move(impl)));
  auto& parts_of = *cluster->impl_;
  if (!parts_of.membership->wait_until_live(kFirstLook)) {
    spdlog::warn("the cluster's state does not answer yet state=\"{}\"",
                 parts_of.home->description());
  }
  import_names(parts_of.parts.store, *parts_of.names, parts_of.parts.folder);
  return cluster;
}

void Cluster::leave() {
  impl_->open_swarm->stop();
  impl_->membership->stop();
  impl_->election.reset();
}

void Cluster::interrupt() {
  impl_->clients->interrupt();
  impl_->swarm->interrupt();
}

void Cluster::stop(std::chrono::seconds grace) {
  if (!impl_ || std::exchange(impl_->stopped, true)) return;
  auto& parts = *impl_;
  leave();
  interrupt();
  parts.replicas->stop();
  parts.swarm->stop();
  parts.announcer->stop();
  parts.move.stop();
  parts.home->stop();
  parts.server->stop(grace);
  parts.certificates.reset();
  parts.blocking.join();
  parts.remote.join();
}

Elsewhere& Cluster::elsewhere() { return *impl_->content; }
asio::thread_pool& Cluster::remote() { return impl_->remote; }
bool Cluster::expendable(const Digest& digest) { return impl_->replicas->expendable(digest); }
ClusterStatus Cluster::status() const { return impl_->status(); }
std::vector<std::string> Cluster::addresses() const { return impl_->server->addresses(); }
const std::string& Cluster::node_id() const { return impl_->enrolled.identity.node_id; }

asio::awaitable<Response> Cluster::serve_local(Request& request) {
  if (request.path == kStatusPath || request.path == kTransfersPath) {
    const bool reads = request.method == Method::get || request.method == Method::head;
    if (!reads) co_return method_not_allowed("GET, HEAD");
    if (request.path == kTransfersPath) co_return co_await impl_->transfers();
    Response response;
    response.headers.add("Content-Type", "application/json");
    response.body = to_json(impl_->status());
    co_return response;
  }
  if (request.path == kMovePath) co_return impl_->move_state(request);
  if (request.path.starts_with(kTorrentFilesPath)) {
    co_return co_await impl_->open_swarm->serve(request);
  }
  co_return co_await impl_->api->serve(request);
}

}  // namespace shoal
