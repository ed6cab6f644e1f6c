#include "orchestrator/state/etcd_client.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "orchestrator/state/etcd_messages.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kIdleMax = 8;                  // Connections kept for each endpoint.
constexpr std::uint64_t kAnswerBytesMax = 16 << 20;  // Lists of more come in smaller pages.
constexpr std::chrono::seconds kAttemptMin{1};
constexpr std::chrono::milliseconds kLookAgain{100};  // Another call may find a server meanwhile.

enum class Kind { answered, refused, token_refused, away, away_unsure };

/// What a gRPC status means to us (google.golang.org/grpc/codes); the texts are etcd's own, from
/// etcdserver/api/v3rpc/rpctypes.
struct Verdict {
  Kind kind;
  Errc code;
  std::string message;
};

Verdict judge(int status, std::string_view body) {
  auto refusal = parse_refusal(body);
  const auto says = [&](std::string_view text) {
    return refusal.message.find(text) != std::string::npos;
  };
  if (refusal.message.empty()) refusal.message = fmt::format("HTTP status {}", status);
  const auto verdict = [&](Kind kind, Errc code) {
    return Verdict{kind, code, std::move(refusal.message)};
  };
  // A store that was changed between the check of a token and its use refuses it as well.
  if (status == 401 || refusal.code == 16 || says("invalid auth token") ||
      says("revision of auth store is old") || says("user name is empty")) {
    return verdict(Kind::token_refused, Errc::denied);
  }
  if (says("database space exceeded")) {
    return {Kind::refused, Errc::unavailable,
            "its database is full: nothing can be written until it is compacted, defragmented and "
            "its alarm is disarmed (docs/state.md, \"When etcd is full\")"};
  }
  if (says("required revision")) return verdict(Kind::refused, Errc::events_compacted);
  if (says("request is too large")) return verdict(Kind::refused, Errc::too_large);
  if (says("authentication is not enabled")) {
    return {Kind::refused, Errc::denied,
            "a user was given, but its authentication is not enabled: leave the user out, or run "
            "`etcdctl auth enable`"};
  }
  if (says("authentication failed")) return verdict(Kind::refused, Errc::denied);
  switch (refusal.code) {
    case 5: return verdict(Kind::refused, Errc::lease_lost);
    case 7: return verdict(Kind::refused, Errc::denied);
    case 8: return verdict(Kind::away, Errc::unavailable);  // Too many requests: not begun.
    case 3:
    case 9:
    case 11: return verdict(Kind::refused, Errc::io);
    case 12: return verdict(Kind::refused, Errc::unsupported);
    default: break;
  }
  if (status == 403) return verdict(Kind::refused, Errc::denied);
  if (status == 404 || status == 405) {
    refusal.message =
        fmt::format("what answers there is not etcd's v3 gateway (HTTP status {})", status);
    return verdict(Kind::away, Errc::io);
  }
  // No leader, a change of leaders, a timeout inside etcd, a proxy's trouble: a proposal may be on
  // its way all the same.
  return verdict(Kind::away_unsure, Errc::unavailable);
}

}  // namespace

struct EtcdClient::Attempt {
  Kind kind = Kind::answered;
  std::string text;    // answered
  Error error{};       // else
  bool spent = false;  // The connection was interrupted, too late to matter.
};

EtcdClient::EtcdClient(EtcdConfig config)
    : config_(std::move(config)),
      endpoints_(config_.endpoints, std::random_device{}()),
      idle_(config_.endpoints.size()) {}

EtcdClient::~EtcdClient() = default;

HttpClientConfig EtcdClient::http_config() const {
  HttpClientConfig config;
  // EtcdDeadlines ends a call sooner.
  config.progress_timeout = config_.timeout + std::chrono::seconds(1);
  config.tls = config_.tls;
  config.peer = config_.peer;
  return config;
}

std::unique_ptr<HttpClient> EtcdClient::take(std::size_t endpoint) {
  {
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[endpoint];
    if (!idle.empty()) {
      auto connection = std::move(idle.back());
      idle.pop_back();
      return connection;
    }
  }
  return std::make_unique<HttpClient>(*HttpClient::to(endpoints_.url(endpoint), http_config()));
}

void EtcdClient::give_back(std::size_t endpoint, std::unique_ptr<HttpClient> connection) {
  const std::lock_guard lock(mutex_);
  auto& idle = idle_[endpoint];
  if (idle.size() < kIdleMax) idle.push_back(std::move(connection));
}

std::string EtcdClient::token() const {
  const std::lock_guard lock(mutex_);
  return token_;
}

void EtcdClient::forget_token() {
  const std::lock_guard lock(mutex_);
  token_.clear();
}

Error EtcdClient::named(std::size_t endpoint, Error error) {
  std::string_view what = error.message;
  const std::string_view url = endpoints_.url(endpoint);
  const auto authority = url.substr(url.find("//") + 2);
  // HttpClient begins its messages with it too.
  if (what.starts_with(authority)) what.remove_prefix(authority.size());
  if (what.starts_with(": ")) what.remove_prefix(2);
  error.message = fmt::format("etcd {}: {}", url, what);
  return error;
}

EtcdClient::Attempt EtcdClient::exchange(HttpClient& connection, std::string_view path,
                                         const std::string& body, const std::string& token,
                                         Time deadline, EtcdCancel* cancel) {
  Headers headers;
  headers.add("Content-Type", "application/json");
  if (!token.empty()) headers.add("Authorization", token);  // Without "Bearer".
  const auto began = steady_clock::now();
  Result<HttpAnswer> answer;
  bool late = false;
  {
    const EtcdCancel::Guard cancelling(cancel, connection);
    const EtcdDeadlines::Guard limit(deadlines_, connection, deadline);
    answer = connection.send("POST", fmt::format("/v3/{}", path), headers, body, kAnswerBytesMax);
    late = limit.fired();
  }
  Attempt attempt;
  attempt.spent = late || (cancel != nullptr && cancel->cancelled());
  if (!answer && late) {
    const auto waited = std::chrono::round<std::chrono::seconds>(steady_clock::now() - began);
    attempt.kind = Kind::away_unsure;
    attempt.error = {Errc::unavailable, fmt::format("no answer for {} s", waited.count())};
  } else if (!answer) {
    attempt.error = answer.error();
    switch (answer.error().code) {
      case Errc::unavailable:
        attempt.kind = Kind::away;
        break;  // It was never reached.
      // A certificate that was refused, by one side or the other: at most another server helps.
      case Errc::denied: attempt.kind = endpoints_.size() > 1 ? Kind::away : Kind::refused; break;
      case Errc::too_large: attempt.kind = Kind::refused; break;
      default: attempt.kind = Kind::away_unsure; break;
    }
  } else if (answer->status == 200) {
    attempt.text = std::move(answer->body);
  } else {
    auto verdict = judge(answer->status, answer->body);
    attempt.kind = verdict.kind;
    attempt.error = {verdict.code, std::move(verdict.message)};
  }
  return attempt;
}

EtcdClient::Attempt EtcdClient::authenticate(HttpClient& connection, Time deadline,
                                             EtcdCancel* cancel) {
  const auto body = authenticate_request(config_.user, config_.password);
  auto attempt = exchange(connection, "auth/authenticate", body, "", deadline, cancel);
  if (attempt.kind == Kind::answered) {
    auto token = parse_token(attempt.text);
    if (token) {
      const std::lock_guard lock(mutex_);
      token_ = std::move(*token);
      return attempt;
    }
    attempt.kind = Kind::away;
    attempt.error = token.error();
  }
  // Whatever came of it, the call itself was not sent yet.
  if (attempt.kind == Kind::away_unsure) attempt.kind = Kind::away;
  if (attempt.kind == Kind::token_refused) attempt.kind = Kind::refused;
  return attempt;
}

EtcdClient::Attempt EtcdClient::attempt(HttpClient& connection, std::string_view path,
                                        const std::string& body, Time deadline,
                                        EtcdCancel* cancel) {
  bool renewed = config_.user.empty();
  for (;;) {
    auto used = token();
    if (used.empty() && !config_.user.empty()) {
      if (auto login = authenticate(connection, deadline, cancel); login.kind != Kind::answered) {
        return login;
      }
      renewed = true;
      used = token();
    }
    auto result = exchange(connection, path, body, used, deadline, cancel);
    if (result.kind != Kind::token_refused) return result;
    if (renewed) {
      result.kind = Kind::refused;
      if (config_.user.empty()) {
        result.error.message = fmt::format("it asks for a user ({})", result.error.message);
      }
      return result;
    }
    // It expired, or the server that gave it out was restarted; somebody else may have renewed it.
    const std::lock_guard lock(mutex_);
    if (token_ == used) token_.clear();
  }
}

Result<std::size_t> EtcdClient::choose(Time deadline, EtcdCancel* cancel) {
  for (;;) {
    if (cancel != nullptr && cancel->cancelled()) return fail(Errc::unavailable, "cancelled");
    const auto choice = endpoints_.choose();
    const auto now = steady_clock::now();
    if (choice.not_before <= now && now < deadline) return choice.index;
    // Whoever asks has other means, and should not wait each time.
    const bool long_away = choice.away_since != Time::max() &&
                           now > choice.away_since + config_.timeout && cancel == nullptr;
    if (choice.not_before >= deadline || now >= deadline || long_away) {
      const std::lock_guard lock(mutex_);
      return tl::unexpected(last_error_);
    }
    const auto until = std::min<Time>(choice.not_before, now + kLookAgain);
    if (cancel != nullptr) {
      cancel->wait_until(until);
    } else {
      std::this_thread::sleep_until(until);
    }
  }
}

tl::expected<std::string, EtcdFailure> EtcdClient::call(std::string_view path,
                                                        const std::string& body, Repeat repeat,
                                                        Time deadline, EtcdCancel* cancel) {
  // With several servers, one that swallows what it is sent must not use up the whole time.
  const auto share = endpoints_.size() > 1
                         ? std::max<steady_clock::duration>(config_.timeout / 3, kAttemptMin)
                         : steady_clock::duration(config_.timeout);
  for (;;) {
    const auto endpoint = choose(deadline, cancel);
    if (!endpoint) return tl::unexpected(EtcdFailure{endpoint.error()});
    auto connection = take(*endpoint);
    const auto began = steady_clock::now();
    auto result = attempt(*connection, path, body, std::min(deadline, began + share), cancel);
    if (result.kind == Kind::answered || result.kind == Kind::refused) {
      endpoints_.worked(*endpoint);
      if (!result.spent) give_back(*endpoint, std::move(connection));
      if (result.kind == Kind::answered) return std::move(result.text);
      return tl::unexpected(EtcdFailure{named(*endpoint, std::move(result.error))});
    }
    auto error = named(*endpoint, std::move(result.error));
    if (error.code == Errc::timed_out) error.code = Errc::unavailable;
    endpoints_.failed(*endpoint, began, steady_clock::now());
    {
      const std::lock_guard lock(mutex_);
      last_error_ = error;
      idle_[*endpoint].clear();  // They lead to the same broken place.
    }
    spdlog::debug("etcd call failed path={} reason=\"{}\"", path, error.message);
    if (result.kind == Kind::away_unsure && repeat == Repeat::unless_sent) {
      return tl::unexpected(EtcdFailure{std::move(error), true});
    }
  }
}

Result<void> EtcdClient::stream(const std::string& body,
                                const std::function<bool(std::string_view)>& line,
                                const std::function<bool()>& lived, Time until,
                                EtcdCancel& cancel) {
  const auto endpoint = choose(until, &cancel);
  if (!endpoint) return tl::unexpected(endpoint.error());
  // Its state after the stream is anybody's guess, so it is nobody's before or after.
  HttpClient connection = *HttpClient::to(endpoints_.url(*endpoint), http_config());
  const auto began = steady_clock::now();
  if (!config_.user.empty() && token().empty()) {
    auto login = authenticate(connection, std::min(until, deadline()), &cancel);
    if (login.kind != Kind::answered) {
      endpoints_.failed(*endpoint, began, steady_clock::now());
      return tl::unexpected(named(*endpoint, std::move(login.error)));
    }
  }
  Headers headers;
  headers.add("Content-Type", "application/json");
  // Without it, a watch on a member that lost the others stays silent for ever.
  headers.add("Grpc-Metadata-Hasleader", "true");
  if (const auto used = token(); !used.empty()) headers.add("Authorization", used);

  bool wanted = true;
  bool late = false;
  Result<int> status = 0;
  {
    const EtcdCancel::Guard cancelling(&cancel, connection);
    const EtcdDeadlines::Guard limit(deadlines_, connection, until);
    const auto counted = [&](std::string_view text) { return wanted = line(text); };
    status = connection.stream_lines("POST", "/v3/watch", counted, body, headers, true);
    late = limit.fired();
  }
  if (status && *status == 401) forget_token();
  if (lived()) {
    endpoints_.worked(*endpoint);
  } else if (!late) {
    endpoints_.failed(*endpoint, began, steady_clock::now());
  }
  if (late || (!wanted && lived())) return {};
  auto error = status ? Error{Errc::io, "the watch ended"} : status.error();
  return tl::unexpected(named(*endpoint, std::move(error)));
}

}  // namespace shoal
