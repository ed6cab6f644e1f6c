#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/sim/event_queue.h"
#include "bench/sim/links.h"
#include "bench/sim/piece_picker.h"
#include "p2p/swarm/hand_out.h"
#include "p2p/swarm/piece_plan.h"
#include "p2p/swarm/transfer.h"

namespace shoal::sim {

/// A host's part in the swarm of one blob.
struct Member {
  enum class State { away, joining, fetching, committing, done, failed };

  State state = State::away;
  std::uint32_t host = 0;
  std::uint32_t blob = 0;
  SwarmClass of_class = SwarmClass::demand;
  std::unique_ptr<PiecePicker> picker;  // None where it was from the start.
  std::unique_ptr<PiecePlan> plan;
  std::unique_ptr<HandOut> hand_out;  // Once it has all.
  std::vector<std::uint32_t> flows;   // By which it receives (or would): connection x 2 + end.

  Time wanted{0}, first_byte{0}, half{0}, done{0};
  std::uint32_t in_order = 0;             // Pieces before the first that is missing.
  std::optional<std::uint32_t> blocking;  // The piece that a reader waits for.

  // As SwarmTransfers has it of its transfers.
  std::uint64_t received = 0, sent = 0, duplicate = 0;
  std::uint64_t seen = 0, rate = 0, rate_bytes = 0, limit = 0;
  Time moved{0}, rate_since{0}, next_look{0}, look_pause{0};
  double credit = 0;  // Bytes that the limit lets it ask for.

  [[nodiscard]] bool has_all() const { return !picker || picker->missing() == 0; }
  [[nodiscard]] bool active() const { return state == State::fetching; }
};

struct Host {
  Host(std::string its_id, double up_rate, double down_rate)
      : id(std::move(its_id)), uplink(up_rate), down(down_rate) {}

  std::string id;
  Uplink uplink;
  Link down;
  bool lives = true;
  std::uint64_t sent = 0;  // Bytes of content.
  std::size_t connections = 0, connections_max = 0;
  std::vector<std::uint32_t> unread;  // Blobs that no reader has taken yet.
  std::size_t readers = 0;
};

}  // namespace shoal::sim
