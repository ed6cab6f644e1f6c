#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "orchestrator/state/etcd_endpoints.h"
#include "orchestrator/state/etcd_interrupt.h"
#include "orchestrator/state/etcd_state.h"

namespace shoal {

/// A call that failed, and whether the server may have done what was asked all the same.
struct EtcdFailure {
  Error error;
  bool unsure = false;
};

/// Calls on the servers of an etcd: which of them, over which connection, with which token. Knows
/// paths and statuses, and nothing of what the texts say. Thread-safe.
class EtcdClient {
 public:
  using Time = EtcdEndpoints::Time;

  /// The endpoints must be ones that HttpClient accepts.
  explicit EtcdClient(EtcdConfig config);
  ~EtcdClient();

  [[nodiscard]] Time deadline() const { return std::chrono::steady_clock::now() + config_.timeout; }

  /// `unless_sent`: another attempt is made only when the server cannot have begun.
  enum class Repeat { always, unless_sent };

  /// The body of a 200 to `POST /v3/<path>`, at the latest at `deadline`. When servers fail it goes
  /// on trying until then; but once all have been away for longer than a call's timeout, it fails
  /// at once where none is due to be asked, unless it can be cancelled. Fails with the errors of
  /// State; also with lease_lost (a lease that is not there) and events_compacted (a revision that
  /// is not there).
  [[nodiscard]] tl::expected<std::string, EtcdFailure> call(std::string_view path,
                                                            const std::string& body, Repeat repeat,
                                                            Time deadline,
                                                            EtcdCancel* cancel = nullptr);

  /// One attempt at `POST /v3/watch` on a connection of its own: hands each line to `line` until it
  /// returns false, or until `until`; both are successes. A server whose stream brought `lived()`
  /// nothing good is left alone for a while.
  [[nodiscard]] Result<void> stream(const std::string& body,
                                    const std::function<bool(std::string_view)>& line,
                                    const std::function<bool()>& lived, Time until,
                                    EtcdCancel& cancel);

  /// The next call authenticates anew.
  void forget_token();

 private:
  struct Attempt;

  [[nodiscard]] HttpClientConfig http_config() const;
  [[nodiscard]] Result<std::size_t> choose(Time deadline, EtcdCancel* cancel);
  [[nodiscard]] std::unique_ptr<HttpClient> take(std::size_t endpoint);
  void give_back(std::size_t endpoint, std::unique_ptr<HttpClient> connection);
  [[nodiscard]] Attempt exchange(HttpClient& connection, std::string_view path,
                                 const std::string& body, const std::string& token, Time deadline,
                                 EtcdCancel* cancel);
  [[nodiscard]] Attempt attempt(HttpClient& connection, std::string_view path,
                                const std::string& body, Time deadline, EtcdCancel* cancel);
  [[nodiscard]] Attempt authenticate(HttpClient& connection, Time deadline, EtcdCancel* cancel);
  [[nodiscard]] std::string token() const;
  [[nodiscard]] Error named(std::size_t endpoint, Error error);

  const EtcdConfig config_;
  EtcdEndpoints endpoints_;
  EtcdDeadlines deadlines_;
  mutable std::mutex mutex_;
  std::string token_;                                           // Empty: none yet.
  std::vector<std::vector<std::unique_ptr<HttpClient>>> idle_;  // By endpoint.
  Error last_error_{Errc::unavailable, "etcd: no answer"};      // Why a server was last away.
};

}  // namespace shoal
