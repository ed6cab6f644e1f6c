#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/state/etcd_state.h"
#include "storage/error.h"

namespace shoal {

/// Where the cluster's state is, as people write it: `embedded`, `etcd://h1:2379,h2:2379[/prefix]`,
/// or `etcds://...` for TLS.
struct StateUrl {
  bool embedded = true;
  // Of an etcd:
  bool tls = false;
  std::vector<std::string> hosts;  // `h1:2379`, `[::1]:2379`; the port 2379 if it was left out.
  std::string prefix;              // Ends with a slash; `shoal/v1/` if it was left out.

  /// As one would write it; parse_state_url() takes it.
  [[nodiscard]] std::string text() const;
};
/// Fails with usage: the message says what is wrong and how it is written.
[[nodiscard]] Result<StateUrl> parse_state_url(std::string_view text);

/// What stands beside the URL, in options of their own, since URLs are logged.
struct StateFiles {
  std::filesystem::path ca;             // `state-ca`; empty: the system's authorities.
  std::filesystem::path certificate;    // `state-cert`; empty: none is shown.
  std::filesystem::path key;            // `state-key`
  std::string user;                     // `state-user`; empty: no authentication.
  std::filesystem::path password_file;  // `state-password-file`: its first line.
};
/// What EtcdState needs, with the files read. Fails with usage, or io for a file that cannot be
/// read; the message names the option.
[[nodiscard]] Result<EtcdConfig> etcd_config(const StateUrl& url, const StateFiles& files);

}  // namespace shoal
