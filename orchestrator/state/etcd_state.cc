#include "orchestrator/state/etcd_state.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/state/etcd_client.h"
#include "orchestrator/state/etcd_commit.h"
#include "orchestrator/state/etcd_json.h"
#include "orchestrator/state/etcd_messages.h"
#include "orchestrator/state/etcd_watch.h"

namespace shoal {

struct EtcdState::Impl {
  explicit Impl(EtcdConfig its_config)
      : config(std::move(its_config)), client(config), commits(client, config.prefix) {}

  [[nodiscard]] Result<std::string> call(std::string_view path, const std::string& body) {
    auto answer = client.call(path, body, EtcdClient::Repeat::always, client.deadline());
    if (!answer) return tl::unexpected(std::move(answer.error().error));
    return std::move(*answer);
  }

  const EtcdConfig config;
  EtcdClient client;
  EtcdCommits commits;
};

EtcdState::EtcdState(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EtcdState::~EtcdState() = default;

Result<std::unique_ptr<EtcdState>> EtcdState::to(EtcdConfig config) {
  if (config.endpoints.empty()) return fail(Errc::usage, "an etcd without an endpoint");
  if (config.timeout < std::chrono::seconds(1)) {
    return fail(Errc::usage, "an etcd's timeout is at least a second");
  }
  for (const auto& endpoint : config.endpoints) {
    if (endpoint.starts_with("https://") && !config.tls) {
      auto system = TlsContext::client({});  // Read once, not for each connection.
      if (!system) return tl::unexpected(system.error());
      config.tls = std::move(*system);
    }
    HttpClientConfig http;
    http.tls = config.tls;
    http.peer = config.peer;
    if (auto client = HttpClient::to(endpoint, http); !client) {
      return fail(Errc::usage, fmt::format("`{}` is not an etcd endpoint: write it like "
                                           "http://10.0.0.1:2379 or https://10.0.0.1:2379",
                                           endpoint));
    }
  }
  return std::unique_ptr<EtcdState>(new EtcdState(std::make_unique<Impl>(std::move(config))));
}

Result<std::optional<StateEntry>> EtcdState::get(const std::string& key) {
  const auto body = range_request({impl_->config.prefix + key, "", 0, 0});
  const auto answer = impl_->call("kv/range", body);
  if (!answer) return tl::unexpected(answer.error());
  auto range = parse_range(*answer, impl_->config.prefix);
  if (!range) return tl::unexpected(range.error());
  if (range->entries.empty()) return std::nullopt;
  if (range->entries.front().key != key) {
    return fail(Errc::io, "the answer is not what etcd sends: another key than was asked for");
  }
  return std::move(range->entries.front());
}

Result<StateList> EtcdState::list(const std::string& prefix, const std::string& after,
                                  std::size_t limit) {
  const auto& own = impl_->config.prefix;
  const auto start = std::max(first_key(own, prefix), after.empty() ? own : own + after + '\0');
  const auto end = range_end(own + prefix);
  if (start >= end && end != std::string(1, '\0')) {  // `after` is behind the prefix.
    auto now = list_all(impl_->client, own, first_key(own, prefix), end, 1);
    if (now) *now = StateList{{}, now->revision, false};
    return now;
  }
  auto list = list_all(impl_->client, own, start, end, std::max<std::size_t>(limit, 1));
  if (list && limit == 0) *list = StateList{{}, list->revision, !list->entries.empty()};
  return list;
}

Result<Revision> EtcdState::commit(const Transaction& transaction) {
  return impl_->commits.commit(transaction);
}

std::unique_ptr<StateWatch> EtcdState::watch(const std::string& prefix, Sink sink) {
  return std::make_unique<EtcdWatch>(impl_->client, impl_->config.prefix, prefix, std::move(sink),
                                     impl_->config.relist);
}

Result<LeaseId> EtcdState::grant(std::chrono::seconds ttl) {
  const auto answer = impl_->call("lease/grant", grant_request(ttl.count()));
  if (!answer) return tl::unexpected(answer.error());
  return parse_grant(*answer);
}

Result<void> EtcdState::keep(LeaseId lease) {
  const auto answer = impl_->call("lease/keepalive", lease_request(lease));
  if (!answer) return tl::unexpected(answer.error());
  const auto alive = parse_keepalive(*answer);
  if (!alive) return tl::unexpected(alive.error());
  if (!*alive) return fail(Errc::lease_lost, fmt::format("lease {} has ended", lease));
  return {};
}

Result<void> EtcdState::revoke(LeaseId lease) {
  const auto answer = impl_->call("lease/revoke", lease_request(lease));
  if (answer || answer.error().code == Errc::lease_lost) return {};
  return tl::unexpected(answer.error());
}

std::string EtcdState::description() const {
  return fmt::format("etcd {}", fmt::join(impl_->config.endpoints, ","));
}

}  // namespace shoal
