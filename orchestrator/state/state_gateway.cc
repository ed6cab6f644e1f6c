#include "orchestrator/state/state_gateway.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "orchestrator/state/gateway_answers.h"
#include "orchestrator/state/gateway_requests.h"
#include "orchestrator/state/gateway_watch.h"
#include "registry/http/whole_body.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

constexpr std::string_view kRoot = "/v3/";
constexpr std::size_t kBodyBytesMax = 3 << 19;  // 1.5 MiB, etcd's bound of a request.
// A page of a list is cut behind so many bytes and says that there are more; what asks for all at
// once must fit into the second.
constexpr std::size_t kPageBytesMax = 8 << 20;
constexpr std::size_t kRangeBytesMax = 48 << 20;
constexpr std::size_t kErasedMax = 10'000;  // Keys that one request may erase.

Response json_response(std::string body) {
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

Response failure_response(const Error& error) {
  auto failure = failure_answer(error);
  auto response = json_response(std::move(failure.body));
  response.status = failure.status;
  if (failure.status == 503 || failure.status == 429) response.headers.add("Retry-After", "1");
  return response;
}

bool holds(const Comparison& comparison, const std::optional<VersionedEntry>& entry) {
  const auto order = [&]() -> int {
    const auto three_way = [](const auto& a, const auto& b) { return a < b ? -1 : b < a ? 1 : 0; };
    const VersionedEntry none;
    const auto& [facts, version] = entry ? *entry : none;
    switch (comparison.target) {
      case Comparison::Target::version: return three_way(version, comparison.number);
      case Comparison::Target::created: return three_way(facts.created, comparison.number);
      case Comparison::Target::modified: return three_way(facts.modified, comparison.number);
      case Comparison::Target::lease: return three_way(facts.lease, comparison.number);
      case Comparison::Target::value: return three_way(facts.value, comparison.value);
    }
    return 0;
  }();
  // As in etcd, no comparison with the value of a key that is not there holds.
  if (!entry && comparison.target == Comparison::Target::value) return false;
  switch (comparison.result) {
    case Comparison::Result::equal: return order == 0;
    case Comparison::Result::greater: return order > 0;
    case Comparison::Result::less: return order < 0;
    case Comparison::Result::not_equal: return order != 0;
  }
  return false;
}

/// `read` takes RangeOptions; what it gives is held against the bounds, its errors said as etcd
/// does.
template <class Read>
Result<EntryRange> read_range(const RangeRequest& request, const Read& read) {
  auto options = request.options;
  const bool pages = options.limit > 0;
  options.bytes = pages ? kPageBytesMax : kRangeBytesMax;
  Result<EntryRange> found = read(options);
  if (!found && found.error().code == Errc::bad_request) {
    return fail(Errc::events_compacted, "etcdserver: mvcc: required revision is a future revision");
  }
  if (!found && found.error().code == Errc::events_compacted) {
    return fail(Errc::events_compacted, "etcdserver: mvcc: required revision has been compacted");
  }
  if (found && found->more && !pages) {
    return fail(Errc::too_large,
                fmt::format("more than {} bytes: ask with a limit, for pages", kRangeBytesMax));
  }
  return found;
}

/// The operations of a transaction, on a state that stands still: answers, and what is to be
/// written.
class Operations {
 public:
  explicit Operations(const EmbeddedStore::View& newest) : newest_(newest) {}

  Result<void> run(const std::vector<StateOperation>& operations) {
    for (const auto& operation : operations) {
      auto done = std::visit([&](const auto& what) { return run(what); }, operation);
      if (!done) return tl::unexpected(done.error());
      done_.push_back(std::move(*done));
    }
    return {};
  }

  [[nodiscard]] std::vector<OperationDone> take_done() { return std::move(done_); }
  [[nodiscard]] std::vector<StateWrite> take_writes() { return std::move(writes_); }

 private:
  Result<OperationDone> run(const RangeRequest& request) {
    auto options = request.options;
    options.bytes = options.limit > 0 ? kPageBytesMax : kRangeBytesMax;
    auto found = newest_.range(request.keys, options);
    if (!found) return tl::unexpected(found.error());
    if (found->more && options.limit == 0) {
      return fail(Errc::too_large,
                  fmt::format("more than {} bytes: ask with a limit, for pages", kRangeBytesMax));
    }
    return std::move(*found);
  }

  Result<OperationDone> run(const PutRequest& request) {
    PutDone done;
    if (request.previous) {
      auto entry = newest_.get(request.key);
      if (!entry) return tl::unexpected(entry.error());
      done.previous = std::move(*entry);
    }
    writes_.push_back({request.key, request.value, request.lease});
    return done;
  }

  Result<OperationDone> run(const DeleteRequest& request) {
    RangeOptions options;
    options.limit = kErasedMax;
    options.bytes = kRangeBytesMax;
    options.keys_only = !request.previous;
    auto found = newest_.range(request.keys, options);
    if (!found) return tl::unexpected(found.error());
    if (found->more) {
      return fail(Errc::too_large,
                  fmt::format("more than {} keys to erase at once: erase them by smaller ranges",
                              found->entries.size()));
    }
    DeleteDone done;
    for (auto& entry : found->entries) {
      // What an operation before this one erased is no longer there.
      if (!erased_.insert(entry.entry.key).second) continue;
      writes_.push_back({entry.entry.key, std::nullopt, 0});
      ++done.deleted;
      if (request.previous) done.previous.push_back(std::move(entry));
    }
    return done;
  }

  const EmbeddedStore::View& newest_;
  std::vector<OperationDone> done_;
  std::vector<StateWrite> writes_;
  std::set<std::string> erased_;
};

}  // namespace

struct StateGateway::Impl {
  Impl(EmbeddedState& state, asio::thread_pool& pool, AdmitPeer admit)
      : state_(state), pool_(pool), watches_(state, pool, std::move(admit)) {}

  [[nodiscard]] GatewayHeader header() const { return {state_.id(), state_.revision()}; }

  // Each gives the text of the answer. Those that block run on the pool.

  Result<std::string> answer(const RangeRequest& request) {
    auto options = request.options;
    options.bytes = options.limit > 0 ? kPageBytesMax : kRangeBytesMax;
    auto found = state_.range(request.keys, options);
    if (!found && found.error().code == Errc::bad_request) {
      return fail(Errc::events_compacted,
                  "etcdserver: mvcc: required revision is a future revision");
    }
    if (!found && found.error().code == Errc::events_compacted) {
      return fail(Errc::events_compacted, "etcdserver: mvcc: required revision has been compacted");
    }
    if (!found) return tl::unexpected(found.error());
    if (found->more && options.limit == 0) {
      return fail(Errc::too_large,
                  fmt::format("more than {} bytes: ask with a limit, for pages", kRangeBytesMax));
    }
    const GatewayHeader header{state_.id(), found->revision};
    return operation_answer(header, std::move(*found));
  }

  Result<std::string> answer(const TxnRequest& request) {
    bool succeeded = true;
    std::vector<OperationDone> done;
    const auto written = transact(request, succeeded, done);
    if (!written) return tl::unexpected(written.error());
    return txn_answer({state_.id(), *written}, succeeded, done);
  }

  Result<std::string> answer(const PutRequest& request) { return answer_alone(request); }
  Result<std::string> answer(const DeleteRequest& request) { return answer_alone(request); }

  Result<std::string> answer_alone(StateOperation operation) {
    bool succeeded = true;
    std::vector<OperationDone> done;
    const auto written = transact({{}, {std::move(operation)}, {}}, succeeded, done);
    if (!written) return tl::unexpected(written.error());
    return operation_answer({state_.id(), *written}, done.front());
  }

  Result<Revision> transact(const TxnRequest& request, bool& succeeded,
                            std::vector<OperationDone>& done) {
    auto written =
        state_.transact([&](const EmbeddedStore::View& newest) -> Result<std::vector<StateWrite>> {
          for (const auto& comparison : request.comparisons) {
            const auto entry = newest.get(comparison.key);
            if (!entry) return tl::unexpected(entry.error());
            succeeded = succeeded && holds(comparison, *entry);
          }
          Operations operations(newest);
          const auto run = operations.run(succeeded ? request.success : request.failure);
          if (!run) return tl::unexpected(run.error());
          done = operations.take_done();
          return operations.take_writes();
        });
    if (!written && written.error().code == Errc::lease_lost) {
      return fail(Errc::lease_lost, "etcdserver: requested lease not found");
    }
    return written;
  }

  Result<std::string> answer(const GrantRequest& request) {
    if (request.lease == 0) {
      const auto lease = state_.grant(request.ttl);
      if (!lease) return tl::unexpected(lease.error());
      return grant_answer(header(), *lease, request.ttl);
    }
    const auto granted = state_.grant_as(request.lease, request.ttl);
    if (!granted && granted.error().code == Errc::conflict) {
      return fail(Errc::conflict, "etcdserver: lease already exists");
    }
    if (!granted) return tl::unexpected(granted.error());
    return grant_answer(header(), request.lease, request.ttl);
  }

  Result<std::string> answer(const RevokeRequest& request) {
    const bool there = state_.lease_facts(request.lease).has_value();
    const auto revoked = state_.revoke(request.lease);
    if (!revoked) return tl::unexpected(revoked.error());
    if (!there) return fail(Errc::lease_lost, "etcdserver: requested lease not found");
    return header_answer(header());
  }

  // These never block.

  Result<std::string> answer(const KeepRequest& request) {
    return keep_answer(header(), request.lease, state_.keep_now(request.lease));
  }

  Result<std::string> answer(const LeaseFactsRequest& request) {
    return lease_facts_answer(header(), request.lease, state_.lease_facts(request.lease),
                              request.keys);
  }

  Result<std::string> answer(const StatusRequest&) {
    return status_answer(header(), state_.disk_bytes());
  }

  Result<std::string> answer(const WatchRequest&) {
    return fail(Errc::unsupported, "a watch has an answer without an end");
  }

  asio::awaitable<Response> watch(Request& request, const WatchRequest& wanted) {
    auto body = watches_.open(wanted, request.peer, request.executor);
    if (!body) co_return failure_response(body.error());
    auto response = json_response({});
    response.headers.add("Cache-Control", "no-store");
    response.body = std::move(*body);
    co_return response;
  }

  asio::awaitable<Response> serve(Request& request) {
    if (request.method != Method::post) {
      auto response = failure_response({Errc::unsupported, "Method Not Allowed"});
      response.status = 405;
      response.headers.add("Allow", "POST");
      co_return response;
    }
    auto body = co_await read_whole(*request.body, kBodyBytesMax);
    if (!body && body.error().code == Errc::too_large) {
      body = fail(Errc::too_large, "etcdserver: request is too large; " + body.error().message);
    }
    if (!body) co_return failure_response(body.error());
    const bool root = request.path.rfind(kRoot, 0) == 0;
    const std::string path = root ? request.path.substr(kRoot.size()) : request.path;

    // Beats are many and wait for nothing: they cost no change of threads.
    const bool beat = path == "lease/keepalive";
    if (beat || path == "watch") {
      const auto parsed = parse_gateway_request(path, *body);
      if (!parsed) co_return failure_response(parsed.error());
      if (!beat) co_return co_await watch(request, std::get<WatchRequest>(*parsed));
      co_return respond(answer(std::get<KeepRequest>(*parsed)));
    }
    const auto work = [&]() -> Result<std::string> {
      const auto parsed = parse_gateway_request(path, *body);
      if (!parsed) return tl::unexpected(parsed.error());
      return std::visit([this](const auto& what) { return answer(what); }, *parsed);
    };
    auto answered = co_await run_on(pool_.get_executor(), work);
    co_return respond(std::move(answered));
  }

  static Response respond(Result<std::string> answered) {
    if (!answered) return failure_response(answered.error());
    return json_response(std::move(*answered));
  }

  EmbeddedState& state_;
  asio::thread_pool& pool_;
  GatewayWatches watches_;
};

StateGateway::StateGateway(EmbeddedState& state, asio::thread_pool& pool, AdmitPeer admit)
    : impl_(std::make_unique<Impl>(state, pool, std::move(admit))) {}
StateGateway::~StateGateway() { stop(); }

asio::awaitable<Response> StateGateway::serve(Request& request) { return impl_->serve(request); }

void StateGateway::stop() { impl_->watches_.stop(); }

}  // namespace shoal
