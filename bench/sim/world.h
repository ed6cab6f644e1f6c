#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/sim/connection.h"
#include "bench/sim/directory.h"
#include "bench/sim/event_queue.h"
#include "bench/sim/happens.h"
#include "bench/sim/host.h"
#include "bench/sim/options.h"
#include "bench/sim/random.h"
#include "p2p/swarm/piece_plan.h"

namespace shoal::sim {

/// Hosts, their links, the swarms of some blobs, and what happens to them in simulated time.
///
/// The product's own are: PiecePlan, RequestQueue, share_rates(), DirectoryTable, AnnouncePlan,
/// Rendezvous, piece_bytes_for() and the messages of the directory. Modelled are libtorrent's
/// picker (piece_picker.h), its connections and messages, SwarmTransfers' choice of neighbours, its
/// looks and its patience, and the links: an uplink serves flows in turn, a downlink takes what
/// comes in order, each byte takes the latency, and messages do not wait for
/// others. Not modelled: CPU, loss, TCP's own start, tunnels,
/// pieces over HTTPS from holders, wrong pieces.
class World {
 public:
  explicit World(const Options& options);

  /// Until all transfers have ended, or the limit of time. Once.
  void run();

  // What became of it.
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const std::vector<BlobPlan>& blobs() const { return blobs_; }
  [[nodiscard]] const BlobShape& shape(std::uint32_t blob) const { return shapes_[blob]; }
  [[nodiscard]] const std::vector<Host>& hosts() const { return hosts_; }  // 0: the seed.
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] const SimDirectory& directory() const { return *directory_; }
  [[nodiscard]] std::uint64_t events() const { return events_.count(); }
  [[nodiscard]] Time now() const { return now_; }
  /// Transfers that have not ended when the world has.
  [[nodiscard]] std::size_t unfinished() const { return unfinished_; }

 private:
  [[nodiscard]] std::uint32_t member_of(std::uint32_t host, std::uint32_t blob) const {
    return host * static_cast<std::uint32_t>(blobs_.size()) + blob;
  }
  Flow& flow(std::uint32_t index) { return connections_[index / 2].flows[index % 2]; }
  Member& receiver(std::uint32_t flow) { return members_[connections_[flow / 2].ends[flow % 2]]; }
  Member& sender(std::uint32_t flow) { return members_[connections_[flow / 2].ends[1 - flow % 2]]; }
  void happen(const Event<Happens>& event);

  // A member's life (world.cc).
  void arrive(std::uint32_t host, Time at);
  void want(std::uint32_t host, std::uint32_t first, std::uint32_t count);
  void begin(std::uint32_t member);
  void commit(std::uint32_t member);
  void fail(Member& member);
  void end(Member& member, Member::State how);
  void die();

  // Connections (world_connections.cc).
  void connect(std::uint32_t member, const SimDirectory::Found& found);
  void ready(std::uint32_t connection);
  void close(std::uint32_t connection);
  void close_all(Member& member);
  void close_redundant(std::uint32_t member);

  // Requests and what comes of them (world_transfer.cc).
  [[nodiscard]] int requests(std::uint32_t flow);
  void ask(std::uint32_t flow);
  void asked(std::uint32_t flow, std::uint32_t count);
  void cancelled(std::uint32_t flow, Unit unit);
  void send_next(std::uint32_t host);
  void arrived(std::uint32_t flow);
  void cancel_elsewhere(const Member& member, Unit unit);
  void time_request(std::uint32_t flow, Time made);
  void verified(std::uint32_t member, std::uint32_t piece);
  void hand_out(std::uint32_t flow);
  void given(std::uint32_t flow);
  void knows(std::uint32_t flow, std::uint32_t piece);
  void told_have(std::uint32_t member, std::uint32_t piece);

  // What SwarmTransfers watches (world_watch.cc).
  void beat(std::uint32_t host);
  void limit(std::uint32_t host);
  void look_at(std::uint32_t member);
  void plan(std::uint32_t member);
  void read_on(std::uint32_t member);
  void next_reader(std::uint32_t host);

  const Options options_;
  const std::vector<BlobPlan> blobs_;
  std::vector<BlobShape> shapes_;
  std::vector<Host> hosts_;
  std::vector<Member> members_;
  std::vector<Connection> connections_;
  std::vector<SimDirectory::Found> found_;  // By member: until it begins.
  std::unique_ptr<SimDirectory> directory_;
  EventQueue<Happens> events_;
  Random random_;
  Time now_{0};
  std::size_t unfinished_ = 0;
  SwarmSpread spread_;  // plan()'s, kept for its memory.
  std::vector<bool> here_;
};

}  // namespace shoal::sim
