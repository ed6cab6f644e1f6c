#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "orchestrator/state/state.h"
#include "registry/http/tls.h"

namespace shoal {

struct EtcdConfig {
  std::vector<std::string> endpoints;  // `http://10.0.0.1:2379`, `https://...`; at least one.
  std::shared_ptr<TlsContext> tls;     // For https.
  std::string peer;  // The name that the servers' certificates must carry; "": each URL's host.
  std::string user;  // "": without authentication.
  std::string password;
  std::string prefix = "shoal/v1/";  // Before every key; other programs may share the etcd.
  std::chrono::seconds timeout{10};  // Of one call, over all its attempts.
  std::chrono::seconds relist{300};  // How often a watch lists anew, whatever its stream says.
};

/// A State in an etcd cluster, through its v3 JSON gateway (etcd 3.4 and later), or in the embedded
/// state of another node, which speaks the same dialect. Keeps a few connections; an endpoint that
/// fails is left for another. A watch has a thread and a connection of its own: it lists, follows,
/// lists again after a cancellation and every five minutes, and never trusts a single stream.
class EtcdState : public State {
 public:
  /// Nothing is sent yet. Fails with usage on a bad endpoint.
  [[nodiscard]] static Result<std::unique_ptr<EtcdState>> to(EtcdConfig config);
  ~EtcdState() override;  // Its watches must be gone.

  [[nodiscard]] Result<std::optional<StateEntry>> get(const std::string& key) override;
  [[nodiscard]] Result<StateList> list(const std::string& prefix, const std::string& after,
                                       std::size_t limit) override;
  [[nodiscard]] Result<Revision> commit(const Transaction& transaction) override;
  [[nodiscard]] std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override;
  [[nodiscard]] Result<LeaseId> grant(std::chrono::seconds ttl) override;
  [[nodiscard]] Result<void> keep(LeaseId lease) override;
  [[nodiscard]] Result<void> revoke(LeaseId lease) override;
  [[nodiscard]] std::string description() const override;

 private:
  struct Impl;
  explicit EtcdState(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
