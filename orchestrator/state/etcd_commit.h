#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/state/etcd_client.h"

namespace shoal {

/// Transactions that happen once, whatever the network does.
///
/// A connection that breaks after a transaction was sent leaves open whether it took place. To look
/// at the written keys is not enough to tell: that a counter went from 5 to 6 may be our doing or
/// somebody else's, and a request that was swallowed on its way may still arrive later. So each
/// transaction also writes a *receipt*: a key of this client's own, with a random number as its
/// value, under the condition that the receipt is still at the revision of its last writing. Then
///   - the receipt holds our number exactly if our transaction took place, at its revision;
///   - two copies of one request cannot both take place, the second finds the receipt moved;
///   - writing the receipt once more, under the same condition, ends every copy that is still on
///     its way: afterwards it cannot take place, and a fresh attempt is safe.
/// No receipt is ever written without that condition, so none is overwritten before it was read.
/// So the answer is outcome_unknown only when etcd stays away until the call's time is up.
///
/// A receipt serves one transaction at a time, so there are as many as transactions run at once.
/// Their keys begin with a byte of zero, which keeps them out of lists and watches of the state,
/// and hang on a lease which ends some minutes after the client's last transaction. Thread-safe.
class EtcdCommits {
 public:
  /// `prefix` stands before every key. `client` must outlive it.
  EtcdCommits(EtcdClient& client, std::string prefix);

  /// State::commit().
  [[nodiscard]] Result<Revision> commit(const Transaction& transaction);

 private:
  using Time = EtcdClient::Time;
  struct Receipt {
    std::string key;
    std::optional<Revision> revision;  // When it was last written, 0: never. Nothing: not known.
    std::uint64_t lease_round = 0;     // Of the lease it was written under.
  };

  [[nodiscard]] Receipt take();
  void give_back(Receipt receipt);
  [[nodiscard]] Result<Revision> commit(const Transaction& transaction, Receipt& receipt);
  [[nodiscard]] Result<Revision> look(const Transaction& transaction);
  /// The lease of the receipts, alive for long enough.
  [[nodiscard]] Result<LeaseId> lease(Receipt& receipt, Time deadline);
  /// Learns the receipt's revision. A copy of an old request that is still on its way is stopped by
  /// the next transaction, or stops that one, which then begins again.
  [[nodiscard]] Result<void> read(Receipt& receipt, Time deadline);
  /// After a broken call: the revision of the transaction, or 0 when it did not and will not
  /// happen.
  [[nodiscard]] Result<Revision> settle(Receipt& receipt, const std::string& number, LeaseId lease,
                                        Time deadline);

  EtcdClient& client_;
  const std::string prefix_;
  std::mutex mutex_;
  std::vector<Receipt> idle_;
  std::uint64_t created_ = 0;
  const std::string name_;  // Of this client among all.
  LeaseId lease_ = 0;
  std::uint64_t lease_round_ = 0;  // Counts leases.
  Time lease_kept_{};
};

}  // namespace shoal
