#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/cccf/document.h"

namespace shoal {

struct CccfPort {
  enum class Protocol { tcp, udp };
  std::uint16_t host = 0;
  std::uint16_t container = 0;
  Protocol protocol = Protocol::tcp;
  auto operator<=>(const CccfPort&) const = default;
};

struct CccfVolume {
  std::string source;   // A path of the host, or the name of a volume.
  std::string target;   // A path in the container.
  std::string options;  // `ro`, `ro,z`; usually empty.
  auto operator<=>(const CccfVolume&) const = default;
};

/// How to ask a container whether it is well; exactly one of the three ways.
struct CccfHealthCheck {
  enum class Kind { http, tcp, exec };
  Kind kind = Kind::http;
  std::uint16_t port = 0;            // Of the container: http, tcp.
  std::string path;                  // http: begins with `/`.
  std::vector<std::string> command;  // exec: the program and its arguments.
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{3'000};
  std::chrono::milliseconds start_period{0};  // Failures in it do not count.
  unsigned retries = 3;                       // Failures in a row that make it unhealthy.
  bool operator==(const CccfHealthCheck&) const = default;
};

/// What a placer and a reconciler need of one container: a typed view of a CccfItem, which stays as
/// it is. Fields are those of docs/cccf.md.
struct CccfService {
  std::string id;                    // Without a leading `/`.
  std::string image;                 // With its tag or digest: `app` is `app:latest`.
  std::vector<std::string> command;  // `cmd` in words, as a shell splits it; empty: the image's.
  std::vector<CccfPort> ports;
  std::vector<std::string> env;               // `NAME=value`; of a name given twice the last.
  std::vector<CccfVolume> volumes;            // A bare "/path" is "/path:/path".
  std::vector<std::uint16_t> expose;          // TCP ports of the container.
  std::map<std::string, std::string> labels;  // `labels` (map or list) and `label`.
  std::optional<std::uint64_t> memory_bytes;  // `memory`: bytes, or "500MB" (1024-based).
  std::optional<double> cpu;  // `cpu`: a share, compared with what hosts have; MHz in cccf.
  // Classic Swarm's expressions without the prefix: `dc==west`, `container!=~web*`.
  std::vector<std::string>
      constraints;                      // `constraints`, or the label com.docker.swarm.constraints.
  std::vector<std::string> affinities;  // `affinities`, or com.docker.swarm.affinities.
  std::vector<std::string> placement;   // Tags, of which a host must have one.
  std::string host;                     // Where it is placed; empty: nowhere yet.
  unsigned scale = 1;
  std::vector<std::string> depends;  // Ids out of `depends`, `links` and `volumes-from`, no `$`.
  std::optional<CccfHealthCheck> health;
  std::chrono::milliseconds stop_grace{10'000};  // From the signal to the kill.
  std::string spec_hash;                         // `sha256:...`: spec_hash() of the item.
};

/// Reads the view of one item. A field that cannot be read is left at its default, and `problems`
/// gets an error of the check `field` for it; of the fields that cccf's own schema describes,
/// validate_cccf() says what is wrong, and nothing is said here.
[[nodiscard]] CccfService view(const CccfItem& item, CccfDiagnostics& problems);

/// The view of each item, in the document's order.
[[nodiscard]] std::vector<CccfService> view(const CccfDocument& document,
                                            CccfDiagnostics& problems);

/// The address in a `host` field: a text as it is (a path becomes `unix://PATH`), of a whole host
/// object what it is reached by (`tcp://192.0.2.1:4243`), or its name. Empty where there is none.
[[nodiscard]] std::string host_address(const JsonValue& host);

/// The most instances of one service that `scale` may ask for.
inline constexpr std::uint64_t kScaleMax = 10'000;

}  // namespace shoal
