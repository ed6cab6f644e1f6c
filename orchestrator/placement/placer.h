#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "orchestrator/placement/host_view.h"
#include "orchestrator/placement/placement_image.h"
#include "orchestrator/placement/request.h"
#include "storage/error.h"

namespace shoal {

// Which host each container goes to: a pure function of what is wanted and what the hosts have.
//
// A host must pass all filters. Of those that do, the one with the smallest key wins: a list of
// numbers, compared one after the other, so that each decision can be told in one line ("by seconds
// until ready, 1.25 against 4.5"). There are no weights to tune.
//
//   layers (the default)
//     1  soft expressions that are not met: the first one written weighs most, and each is given
//        up by itself
//     2  for each spread label: replicas above the skew that is allowed; then replicas of this
//        service on the host
//     3  overload: 0 as long as the host's containers, with this one, are at most 1.25 times the
//     mean
//        plus 1, else 1
//     4  seconds until ready, in steps of 250 ms
//     5  containers on the host
//     6  a rendezvous hash of service, slot and host: the same on every leader and every time
//   pack         the fullest host first, before 2
//   locality     2 and 4 change places
//   spread       soft expressions, 2, then classic Swarm's weight (below), containers, 4, 6
//   binpack      soft expressions, spread labels, Swarm's weight downwards, containers downwards,
//   4, 6 random       soft expressions, spread labels, a hash of seed, slot and host round-robin
//   soft expressions, spread labels, the next host by name
//
// Seconds until ready, of a host n and an image I whose layers are known:
//
//   (queue(n) + miss) / fetch(n) + first / upstream(n) + unpack / unpack(n)
//
// where miss is the bytes of I that n lacks and another host has, a layer that is partly here
// counting its missing part; first, those that no live host has; unpack, the unpacked bytes of the
// layers that n's engine lacks (2.5 times the compressed ones where nobody knows better); queue,
// the bytes that are ordered for n already, counted only if n has to wait for anything. A layer in
// flight is part of the queue, and not of miss.
//
// Classic Swarm's weight (scheduler/strategy/weighted_node.go): percent of memory and of cpu in use
// after the placement, 100 each where none is asked for, minus (binpack: plus) ten times the
// health.
//
// Placing is greedy and in sequence: what was just placed counts as a container, takes its ports,
// memory, cpu and disk, and its layers count as being there, so that siblings on the same base
// attract each other, and a hard `affinity:KEY!=` of one keeps away later ones, too, so that the
// order in which two were placed does not matter. First all that stays where it is, then the
// others: those that ask for most memory, then most cpu, then as they were given. Who needs a
// container that is not placed yet (an affinity, `beside`) waits for it.
//
// A replica stays where it is as long as its host passes the filters: it never moves for bytes,
// balance or soft wishes. Placing again is placing nothing, unless `rebalance` is set.
//
// Cost: looking at a host for one slot is a handful of comparisons of numbers that are kept by
// class of request and by image (bytes that each host lacks, verdict of the filters), and that are
// computed anew for those hosts only that were given something since. 10,000 slots on 1,000 nodes
// take 0.1 to 0.8 s (measured, docs/benchmarks.md).

enum class PlacementStrategy : std::uint8_t {
  layers,
  pack,
  locality,
  spread,
  binpack,
  random,
  round_robin
};

[[nodiscard]] std::string_view to_string(PlacementStrategy strategy);
/// Fails with usage; the message names them all.
[[nodiscard]] Result<PlacementStrategy> parse_strategy(std::string_view text);

/// In the order in which they are asked; the first that refuses a host is the one that is named.
enum class PlacementFilter : std::uint8_t {
  alive,
  draining,
  health,
  platform,
  constraint,
  affinity,
  beside,
  slots,  // The host's label `containerslots`, a number.
  port,
  memory,
  cpu,
  disk,
  repelled  // What was placed there keeps it away: a hard `affinity:...!=` holds both ways.
};
inline constexpr std::size_t kFilters = 13;

[[nodiscard]] std::string_view to_string(PlacementFilter filter);

struct PlacementOptions {
  PlacementStrategy strategy = PlacementStrategy::layers;
  std::uint64_t seed = 0;  // Of `random`.
  bool explain = false;
  bool rebalance = false;    // Nothing stays where it is for that reason alone.
  double overcommit = 0;     // Of memory and cpu: 0.05 lets 5 % more be reserved than there is.
  double load_bound = 1.25;  // Of the overload bucket: times the mean.
};

/// One number of a key, as people read it: `seconds until ready`, `1.25`.
struct KeyPart {
  std::string name;
  std::string value;
};

struct Rejection {
  std::string host;
  std::string why;  // `256.0 MiB asked for, 100.0 MiB free`
};

struct Explanation {
  std::vector<KeyPart> keys;  // Of the host that won; empty if none did or the replica stayed.
  /// The second best host, and the key in which it first differs.
  struct RunnerUp {
    std::string host;
    std::string key;
    std::string won;   // That key's value on the host that won,
    std::string lost;  // and on this one.
  };
  std::optional<RunnerUp> runner_up;
  /// Hosts by name; filters that refused none are left out.
  std::vector<std::pair<PlacementFilter, std::vector<Rejection>>> rejected;
};

struct SlotDecision {
  std::string slot;
  std::optional<std::size_t> node;  // Index into the nodes as they were given.
  bool stays = false;               // It was there before.
  /// Soft expressions, as text, that the host does not meet.
  std::vector<std::string> unmet;
  std::uint64_t bytes_from_peers = 0;     // That the host lacks,
  std::uint64_t bytes_from_upstream = 0;  // and that no host has: paid once for the cluster.
  double seconds_until_ready = 0;
  /// Why it has no host: how many hosts each filter refused, and why. Empty if it has one.
  std::string problem;
  std::optional<Explanation> explanation;  // If asked for.
};

struct Placement {
  std::vector<SlotDecision> slots;  // In the order of the requests.

  [[nodiscard]] bool complete() const;  // Every slot has a host.
};

/// Requests whose image is not among `images` are placed as if they lacked nothing. A slot that
/// finds no host is a decision with a problem; the others are placed all the same. Fails with usage
/// if a host's name or a slot occurs twice or is empty, or a limit is exceeded.
[[nodiscard]] Result<Placement> place(const std::vector<PlacementRequest>& requests,
                                      const std::vector<HostView>& nodes,
                                      const std::vector<PlacementImage>& images,
                                      const PlacementOptions& options = {});

}  // namespace shoal
