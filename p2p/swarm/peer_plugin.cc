#include "p2p/swarm/peer_plugin.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <libtorrent/bdecode.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/operations.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_request.hpp>

#include "p2p/swarm/request_queue.h"
#include "p2p/swarm/settings.h"

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr char kExtended = 20;  // BEP 10's message,
constexpr char kHandshake = 0;  // and its own kind.
constexpr const char* kRequests = "reqq";
constexpr const char* kRoundTrip = "rtt";
constexpr std::size_t kTimedMax = 512;  // Requests whose answers are timed.
constexpr std::chrono::microseconds kRoundTripMax{60'000'000};
constexpr std::chrono::milliseconds kRoundTripMin{1};  // Below, it is not worth a message.

class PeerPlugin final : public lt::peer_plugin {
 public:
  PeerPlugin(lt::peer_connection_handle peer, std::shared_ptr<const AdmitPeer> admits,
             std::shared_ptr<SwarmLedger> ledger)
      : peer_(std::move(peer)),
        admits_(std::move(admits)),
        ledger_(std::move(ledger)),
        tally_(ledger_->of(peer_.remote().address().to_string())) {}

  bool on_handshake(lt::span<const char>) override {
    const auto& remote = peer_.remote();
    const bool stranger = !peer_.is_outgoing() && *admits_ &&
                          !(*admits_)(remote.address().to_string(), remote.port());
    if (stranger) {
      peer_.disconnect(lt::errors::make_error_code(lt::errors::banned_by_ip_filter),
                       lt::operation_t::bittorrent);
    }
    return true;
  }

  void add_handshake(lt::entry& handshake) override {
    // Others do not expect the number to change, and some ask for more but once a second.
    const std::string_view id(peer_.pid().data(), lt::peer_id::size());
    if (!id.starts_with(kNodePeerId)) return;
    handshake[kRequests] = queue_.requests();
    // Where this end listens and what it calls the other are addresses of its own loopback.
    handshake.dict().erase("p");
    handshake.dict().erase("yourip");
    told_ = true;
  }

  bool on_extension_handshake(const lt::bdecode_node& handshake) override {
    const auto time = handshake.dict_find_int_value(kRoundTrip, 0);
    if (time > 0 && time <= kRoundTripMax.count()) {
      queue_.set_round_trip(std::chrono::microseconds(time));
    }
    return true;
  }

  void sent_payload(int bytes) override {
    tally_->sent += static_cast<std::uint64_t>(bytes);
    ledger_->all().sent += static_cast<std::uint64_t>(bytes);
    const auto changed = queue_.sent(static_cast<std::uint64_t>(bytes), Steady::now());
    if (changed && told_) tell();
  }

  void sent_request(const lt::peer_request& request) override {
    if (timed_.size() < kTimedMax) timed_[key(request)] = Steady::now();
  }

  bool on_piece(const lt::peer_request& piece, lt::span<const char> bytes) override {
    tally_->received += static_cast<std::uint64_t>(bytes.size());
    ledger_->all().received += static_cast<std::uint64_t>(bytes.size());
    const auto found = timed_.find(key(piece));
    if (found == timed_.end()) return false;
    const auto now = Steady::now();
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(now - found->second);
    timed_.erase(found);
    // Of all its life: later ones have the queue's own length in them.
    if (shortest_ && *shortest_ <= time) return false;
    shortest_ = time;
    const bool news = !said_ || time * 2 < *said_;
    if (news && time > kRoundTripMin && told_) {
      said_ = time;
      tell();
    }
    return false;
  }

  void on_piece_failed(lt::piece_index_t) override { ++tally_->wrong_pieces; }

  bool on_reject(const lt::peer_request& request) override {
    timed_.erase(key(request));
    return false;
  }
  void sent_cancel(const lt::peer_request& request) override { timed_.erase(key(request)); }

 private:
  static std::pair<int, int> key(const lt::peer_request& request) {
    return {static_cast<int>(request.piece), request.start};
  }

  void tell() {
    std::string body = "d4:reqqi" + std::to_string(queue_.requests()) + 'e';
    if (said_) body += "3:rtti" + std::to_string(said_->count()) + 'e';
    body += 'e';
    std::string message(4, '\0');
    message += kExtended;
    message += kHandshake;
    message += body;
    const auto size = static_cast<std::uint32_t>(message.size() - 4);
    for (int i = 0; i < 4; ++i)
      message[static_cast<std::size_t>(i)] = static_cast<char>(size >> (24 - 8 * i));
    peer_.send_buffer(message.data(), static_cast<int>(message.size()));
  }

  lt::peer_connection_handle peer_;
  const std::shared_ptr<const AdmitPeer> admits_;
  const std::shared_ptr<SwarmLedger> ledger_;
  const std::shared_ptr<SwarmTally> tally_;
  RequestQueue queue_{Steady::now()};
  bool told_ = false;  // The first handshake is on its way; nothing may overtake it.
  std::map<std::pair<int, int>, Steady::time_point> timed_;
  std::optional<std::chrono::microseconds> shortest_;
  std::optional<std::chrono::microseconds> said_;
};

class TorrentPlugin final : public lt::torrent_plugin {
 public:
  TorrentPlugin(AdmitPeer admits, std::shared_ptr<SwarmLedger> ledger)
      : admits_(std::make_shared<const AdmitPeer>(std::move(admits))), ledger_(std::move(ledger)) {}

  std::shared_ptr<lt::peer_plugin> new_connection(const lt::peer_connection_handle& peer) override {
    if (peer.type() != lt::connection_type::bittorrent) return nullptr;
    return std::make_shared<PeerPlugin>(peer, admits_, ledger_);
  }

 private:
  const std::shared_ptr<const AdmitPeer> admits_;
  const std::shared_ptr<SwarmLedger> ledger_;
};

}  // namespace

std::shared_ptr<lt::torrent_plugin> make_peer_plugin(AdmitPeer admits,
                                                     std::shared_ptr<SwarmLedger> ledger) {
  return std::make_shared<TorrentPlugin>(std::move(admits), std::move(ledger));
}

}  // namespace shoal
