#include "p2p/swarm/settings.h"

#include <string>

#include <libtorrent/alert.hpp>

namespace shoal {

lt::settings_pack swarm_settings(const std::string& listen) {
  using P = lt::settings_pack;
  P pack;
  pack.set_str(P::listen_interfaces, listen);
  pack.set_str(P::user_agent, "shoal");
  pack.set_str(P::peer_fingerprint, kNodePeerId);
  pack.set_int(P::alert_mask, static_cast<int>(static_cast<std::uint32_t>(
                                  lt::alert_category::error | lt::alert_category::status)));

  // Nobody is found but by the cluster's directory.
  for (const auto off : {P::enable_dht, P::enable_lsd, P::enable_upnp, P::enable_natpmp,
                         P::enable_ip_notifier, P::announce_to_all_trackers}) {
    pack.set_bool(off, false);
  }
  // Ten MB/s on a LAN, and sixfold CPU (measured).
  pack.set_bool(P::enable_incoming_utp, false);
  pack.set_bool(P::enable_outgoing_utp, false);
  // RC4 costs more than TLS and protects nothing: what carries the connections encrypts them.
  pack.set_int(P::out_enc_policy, P::pe_disabled);
  pack.set_int(P::in_enc_policy, P::pe_disabled);

  // No tit-for-tat among friends: everybody is served.
  pack.set_int(P::choking_algorithm, P::fixed_slots_choker);
  pack.set_int(P::unchoke_slots_limit, -1);
  pack.set_int(P::allowed_fast_set_size, 0);
  // Two that have it all: their connection is memory for nothing.
  pack.set_bool(P::close_redundant_connections, true);
  // And who has it waits to be asked: libtorrent forgets that the other has it all, too, when it
  // closes such a connection early, and would open it again each second (measured: hundreds of TLS
  // handshakes a second in a swarm of eight that has just had an image).
  pack.set_bool(P::seeding_outgoing_connections, false);
  pack.set_int(P::connections_limit, 20'000);
  for (const auto off :
       {P::active_downloads, P::active_seeds, P::active_limit, P::active_checking}) {
    pack.set_int(off, -1);
  }

  // Peers are known to be there, and near.
  pack.set_int(P::connection_speed, 500);
  pack.set_bool(P::smooth_connects, false);
  pack.set_int(P::torrent_connect_boost, 255);
  pack.set_int(P::min_reconnect_time, 1);
  pack.set_int(P::peer_connect_timeout, 3);
  pack.set_int(P::handshake_timeout, 5);
  pack.set_int(P::request_timeout, 10);
  pack.set_int(P::piece_timeout, 5);
  pack.set_int(P::peer_timeout, 30);
  pack.set_int(P::inactivity_timeout, 600);
  pack.set_int(P::tick_interval, 100);

  pack.set_int(P::send_buffer_low_watermark, 256 << 10);
  pack.set_int(P::send_buffer_watermark, 4 << 20);
  pack.set_int(P::send_buffer_watermark_factor, 150);
  pack.set_int(P::max_queued_disk_bytes, 64 << 20);

  // Rarest first from the first piece on, and no order of its own.
  pack.set_int(P::initial_picker_threshold, 0);
  pack.set_int(P::whole_pieces_threshold, 0);
  pack.set_bool(P::auto_sequential, false);
  pack.set_bool(P::prioritize_partial_pieces, false);
  pack.set_bool(P::piece_extent_affinity, false);
  pack.set_bool(P::send_redundant_have, false);
  return pack;
}

}  // namespace shoal
