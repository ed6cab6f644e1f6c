#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/cluster_config.h"
#include "registry/api.h"
#include "registry/http/server.h"
#include "storage/error.h"
#include "storage/store.h"

namespace shoal {

enum class LogFormat { automatic, text, json };
enum class LogLevel { debug, info, warn, error };

struct LogConfig {
  LogFormat format = LogFormat::automatic;  // Text on a terminal, JSON lines elsewhere.
  LogLevel level = LogLevel::info;
};

/// Everything that can be configured on a node. The defaults are those of its parts.
struct NodeConfig {
  StoreConfig store;
  HttpServerConfig http;
  RegistryConfig registry;
  ClusterConfig cluster;
  LogConfig log;
  unsigned disk_threads = 16;              // Where blocking store calls run.
  std::chrono::seconds drain_timeout{30};  // For requests under way when the node stops.
};

/// One option of the node, and with it a flag, an environment variable and a key in the file.
struct Option {
  std::string key;           // `store.quota`
  std::string type;          // For people: "size", "duration", "on or off" ...
  std::string default_text;  // As a user would write it, or said in words.
  std::string help;          // One sentence.
  /// Puts the value that `text` means into the configuration. Fails with usage.
  std::function<Result<void>(NodeConfig&, std::string_view text)> set;
  /// The value in force, as set() reads it.
  std::function<std::string(const NodeConfig&)> show;
  bool repeats = false;  // A list: the flag may be given several times.
  bool secret = false;   // Whatever shows values must not show this one.

  [[nodiscard]] std::string flag() const;         // `--store-quota`
  [[nodiscard]] std::string environment() const;  // `SHOAL_STORE_QUOTA`
};

/// The one schema, in the order in which people read it.
[[nodiscard]] const std::vector<Option>& node_options();

/// What the options of one value cannot check alone. Fails with usage.
[[nodiscard]] Result<void> check(const NodeConfig& config);

}  // namespace shoal
