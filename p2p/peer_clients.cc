#include "p2p/peer_clients.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "storage/number.h"

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

/// The address is of no use at the moment. After Errc::io it may be, and only its connection broke.
bool is_silent(Errc code) {
  return code == Errc::unavailable || code == Errc::denied || code == Errc::timed_out;
}

std::optional<std::uint64_t> length_of(const Headers& headers) {
  const auto text = headers.find("Content-Length");
  return text ? parse_number(*text) : std::nullopt;
}

}  // namespace

struct PeerClients::Impl {
  Impl(PeerClientsConfig its_config, Peers& its_peers)
      : config(std::move(its_config)), peers(its_peers) {}

  struct Failure {
    Steady::time_point when;
    Error error;
  };
  /// A client that is in use: interrupt() knows it.
  class Lease;
  class Stream;

  /// The peer's addresses, those that failed lately last. Fails when all of them did.
  [[nodiscard]] Result<std::vector<std::string>> addresses(const std::string& peer);
  [[nodiscard]] Result<std::unique_ptr<Lease>> lease(const std::string& peer,
                                                     const std::string& url);
  /// Asks one address after the other until one answers.
  template <class T, class Request>
  [[nodiscard]] Result<T> ask(const std::string& peer, const Request& request);

  const PeerClientsConfig config;
  Peers& peers;

  std::mutex mutex;
  std::condition_variable interrupted;
  bool stopping = false;
  std::uint64_t connections = 0;
  std::map<std::string, std::vector<std::unique_ptr<HttpClient>>> idle;  // By peer and url.
  std::set<HttpClient*> busy;
  std::map<std::string, Failure> failures;  // By url.
};

class PeerClients::Impl::Lease {
 public:
  Lease(Impl& impl, std::string key, std::unique_ptr<HttpClient> client)
      : impl_(impl), key_(std::move(key)), client_(std::move(client)) {}
  ~Lease() {
    const std::lock_guard lock(impl_.mutex);
    impl_.busy.erase(client_.get());
    auto& kept = impl_.idle[key_];
    const bool keep = usable_ && !impl_.stopping && kept.size() < impl_.config.idle_per_peer_max;
    if (keep) kept.push_back(std::move(client_));
    if (kept.empty()) impl_.idle.erase(key_);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  [[nodiscard]] HttpClient& client() { return *client_; }
  /// The last answer was read to its end.
  void set_usable(bool usable) { usable_ = usable; }

 private:
  Impl& impl_;
  const std::string key_;
  std::unique_ptr<HttpClient> client_;
  bool usable_ = false;
};

class PeerClients::Impl::Stream final : public PeerStream {
 public:
  Stream(std::shared_ptr<Impl> impl, std::unique_ptr<Lease> lease, HttpClient::Head head)
      : impl_(std::move(impl)),
        lease_(std::move(lease)),
        head_(std::move(head)),
        length_(length_of(head_.headers)) {}

  const HttpClient::Head& head() const override { return head_; }

  Result<std::size_t> read(std::span<char> buffer) override {
    auto count = lease_->client().read_body(buffer);
    if (count) read_ += *count;
    lease_->set_usable(count && (*count < buffer.size() || read_ == length_));
    return count;
  }

 private:
  const std::shared_ptr<Impl> impl_;
  const std::unique_ptr<Lease> lease_;
  const HttpClient::Head head_;
  const std::optional<std::uint64_t> length_;
  std::uint64_t read_ = 0;
};

Result<std::vector<std::string>> PeerClients::Impl::addresses(const std::string& peer) {
  const auto set = peers.now();
  const auto* found = set->find(peer);
  const std::lock_guard lock(mutex);
  if (found == nullptr) {
    std::erase_if(idle, [&](const auto& entry) { return entry.first.starts_with(peer + ' '); });
    return fail(Errc::member_unknown, "node " + peer + " does not live");
  }
  if (found->urls.empty()) return fail(Errc::unavailable, "node " + peer + " has no address");
  if (stopping) return fail(Errc::unavailable, "this node is shutting down");
  const auto now = Steady::now();
  std::erase_if(failures,
                [&](const auto& entry) { return now - entry.second.when > config.failure_memory; });
  auto urls = found->urls;
  const auto failed = std::stable_partition(
      urls.begin(), urls.end(), [this](const std::string& url) { return !failures.contains(url); });
  if (failed != urls.begin()) return urls;
  const auto& error = failures.at(urls.front()).error;
  return fail(error.code, "a moment ago: " + error.message);
}

Result<std::unique_ptr<PeerClients::Impl::Lease>> PeerClients::Impl::lease(const std::string& peer,
                                                                           const std::string& url) {
  const std::string key = peer + ' ' + url;
  const auto take =
      [&](std::unique_ptr<HttpClient> client) -> Result<std::unique_ptr<PeerClients::Impl::Lease>> {
    if (stopping) return fail(Errc::unavailable, "this node is shutting down");
    busy.insert(client.get());
    return std::make_unique<Lease>(*this, key, std::move(client));
  };
  {
    const std::lock_guard lock(mutex);
    const auto found = idle.find(key);
    if (found != idle.end() && !found->second.empty()) {
      auto client = std::move(found->second.back());
      found->second.pop_back();
      return take(std::move(client));
    }
  }
  HttpClientConfig settings;
  settings.progress_timeout = config.progress_timeout;
  settings.tls = config.tls;
  settings.peer = peer;
  auto client = HttpClient::to(url, std::move(settings));
  if (!client) return tl::unexpected(client.error());
  const std::lock_guard lock(mutex);
  ++connections;
  return take(std::make_unique<HttpClient>(std::move(*client)));
}

template <class T, class Request>
Result<T> PeerClients::Impl::ask(const std::string& peer, const Request& request) {
  const auto urls = addresses(peer);
  if (!urls) return tl::unexpected(urls.error());
  std::optional<Error> error;
  for (const auto& url : *urls) {
    auto leased = lease(peer, url);
    Result<T> answer = leased ? request(*leased) : Result<T>(tl::unexpected(leased.error()));
    if (answer) return answer;
    error = answer.error();
    error->message = fmt::format("node {}: {}", peer, error->message);
    const std::lock_guard lock(mutex);
    if (stopping) break;
    if (!is_silent(error->code) && error->code != Errc::io) break;
    if (error->code == Errc::io) continue;
    failures.insert_or_assign(url, Failure{Steady::now(), *error});
    idle.erase(peer + ' ' + url);
  }
  return tl::unexpected(*error);
}

PeerClients::PeerClients(PeerClientsConfig config, Peers& peers)
    : impl_(std::make_shared<Impl>(std::move(config), peers)) {}

PeerClients::~PeerClients() = default;

Result<HttpAnswer> PeerClients::send(const std::string& peer, std::string_view method,
                                     std::string_view target, const Headers& headers,
                                     std::string_view body, std::uint64_t body_bytes_max) {
  return impl_->ask<HttpAnswer>(peer, [&](std::unique_ptr<Impl::Lease>& lease) {
    auto answer = lease->client().send(method, target, headers, body, body_bytes_max);
    lease->set_usable(answer.has_value());
    return answer;
  });
}

Result<std::unique_ptr<PeerStream>> PeerClients::open(const std::string& peer,
                                                      std::string_view method,
                                                      std::string_view target,
                                                      const Headers& headers) {
  using Opened = std::unique_ptr<PeerStream>;
  return impl_->ask<Opened>(peer, [&](std::unique_ptr<Impl::Lease>& lease) -> Result<Opened> {
    auto head = lease->client().open(method, target, headers);
    if (!head) return tl::unexpected(head.error());
    return std::make_unique<Impl::Stream>(impl_, std::move(lease), std::move(*head));
  });
}

void PeerClients::interrupt() {
  const std::lock_guard lock(impl_->mutex);
  impl_->stopping = true;
  impl_->idle.clear();
  for (auto* client : impl_->busy) client->interrupt();
  impl_->interrupted.notify_all();
}

std::uint64_t PeerClients::connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->connections;
}

bool PeerClients::pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(impl_->mutex);
  return !impl_->interrupted.wait_for(lock, duration, [this] { return impl_->stopping; });
}

}  // namespace shoal
