#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "orchestrator/state/state.h"
#include "orchestrator/trust/join_token.h"
#include "storage/clock.h"

namespace shoal {

inline constexpr std::chrono::seconds kTokenTtlMax{365L * 24 * 3600};
inline constexpr unsigned kTokenUsesMax = 1000;
inline constexpr std::size_t kTokensMax = 1000;  // In a cluster at once.

/// The join tokens of a cluster, in its state below `tokens/`: the SHA-256 of the secret, when it
/// expires, how often it can still be used, and by whom it was. Thread-safe; calls block as the
/// state's do, and fail as those do besides what they say.
class Tokens {
 public:
  /// `state` and `clock` must outlive it.
  Tokens(State& state, std::string authority_sha256, const Clock& clock = Clock::system());

  struct Created {
    JoinToken token;
    UnixTime expires;
  };
  /// Also forgets tokens that expired more than a day ago. Fails with bad_request (a second up to
  /// kTokenTtlMax, one use up to kTokenUsesMax) or too_many.
  [[nodiscard]] Result<Created> create(std::chrono::seconds ttl, unsigned uses);

  /// A node that wants to come in: whoever joins again with the same id and key, because the answer
  /// was lost, takes no further use.
  struct Joiner {
    std::string node_id;
    std::string key_sha256;
  };
  /// Takes one use, and makes `writes` under `conditions` in the same transaction: all of it or
  /// nothing, and of two that want the last use one gets it. Nothing is written again for one who
  /// joins again.
  /// Fails with denied (unknown, forged, of another cluster, expired, used up: the message says
  /// which) or conflict (`conditions` do not hold, or the id is another key's).
  [[nodiscard]] Result<void> redeem(const JoinToken& token, const Joiner& joiner,
                                    const std::vector<Condition>& conditions,
                                    const std::vector<StateWrite>& writes);

 private:
  [[nodiscard]] Result<void> sweep();

  State& state_;
  const std::string authority_sha256_;
  const Clock& clock_;
};

}  // namespace shoal
