#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/sim/event_queue.h"
#include "bench/sim/piece_picker.h"
#include "p2p/swarm/request_queue.h"

namespace shoal::sim {

/// A request, from when it is made until its unit has come.
struct Request {
  Unit unit;
  Time made;
};

/// One direction of a connection: what one end asks for and the other sends.
struct Flow {
  std::vector<Request> requests;  // Oldest first: on the wire, then waiting, then on their way.
  std::uint32_t on_wire = 0;
  std::uint32_t waiting = 0;              // At the sender.
  bool in_turn = false;                   // In the sender's Uplink::turns.
  Bits has;                               // The sender's pieces, as the receiver knows them.
  std::vector<std::uint32_t> given;       // Pieces that the sender told the receiver to ask for,
  std::vector<std::uint32_t> given_soon;  // and what it has told since, on its way.
  std::vector<std::uint32_t> held;        // Pieces of the sender that it tells a seed later.
  bool as_seed = false;                   // The sender had all when it connected.

  RequestQueue queue{steady(Time(0))};  // The sender's.
  int told = RequestQueue::kFirst;      // What the receiver knows of it: blocks.
  std::optional<Time> shortest, said;   // Times from a request to its unit, as of the receiver.
};

/// A connection of two members of a swarm; flow `e` is what end `e` receives.
struct Connection {
  std::array<std::uint32_t, 2> ends{};  // Members.
  std::array<Flow, 2> flows{};
  bool ready = false;  // Both know what the other has.
  bool open = true;
};

}  // namespace shoal::sim
