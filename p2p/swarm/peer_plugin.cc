#include "p2p/swarm/peer_plugin.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <libtorrent/bdecode.hpp>
#include <libtorrent/bitfield.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/operations.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_request.hpp>
#include <libtorrent/torrent_status.hpp>

#include "p2p/swarm/hand_out.h"
#include "p2p/swarm/request_queue.h"
#include "p2p/swarm/settings.h"

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr char kExtended = 20;  // BEP 10's message,
constexpr char kHandshake = 0;  // and its own kind.
constexpr const char* kRequests = "reqq";
constexpr const char* kRoundTrip = "rtt";
constexpr const char* kOwn = "own";
constexpr char kHave = 4;               // BEP 3's message.
constexpr std::size_t kTimedMax = 512;  // Requests whose answers are timed.
constexpr std::chrono::microseconds kRoundTripMax{60'000'000};
constexpr std::chrono::milliseconds kRoundTripMin{1};  // Below, it is not worth a message.

std::string big_endian(std::uint32_t number) {
  std::string bytes(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(number >> (24 - 8 * i));
  return bytes;
}

std::uint32_t from_big_endian(const char* bytes) {
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

class PeerPlugin;

/// One torrent, shared by its plugin and those of its connections, on the network thread.
struct Sharing {
  Sharing(AdmitPeer its_admits, SharedTorrent its_torrent)
      : admits(std::move(its_admits)),
        torrent(std::move(its_torrent)),
        hand_out(torrent.pieces, torrent.salt),
        complete(torrent.complete) {}

  const AdmitPeer admits;
  const SharedTorrent torrent;
  HandOut hand_out;
  bool complete;
  std::set<PeerPlugin*> peers;
  std::uint64_t next_number = 0;
};

class PeerPlugin final : public lt::peer_plugin {
 public:
  PeerPlugin(lt::peer_connection_handle peer, std::shared_ptr<Sharing> sharing)
      : peer_(std::move(peer)),
        sharing_(std::move(sharing)),
        number_(sharing_->next_number++),
        tally_(ledger().of(peer_.remote().address().to_string())) {
    sharing_->peers.insert(this);
  }
  ~PeerPlugin() override { leave(); }

  bool on_handshake(lt::span<const char>) override {
    const auto& remote = peer_.remote();
    const auto& admits = sharing_->admits;
    const bool stranger =
        !peer_.is_outgoing() && admits && !admits(remote.address().to_string(), remote.port());
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
    sharing_->hand_out.join(number_);
    handshake[kRequests] = queue_.requests();
    if (const auto own = handed_out()) handshake[kOwn] = *own;
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
    if (const auto own = handshake.dict_find_string(kOwn)) {
      const auto text = own.string_value();
      take({text.data(), text.size()});
    }
    return true;
  }

  void on_disconnect(const lt::error_code&) override { leave(); }

  // What the peer has, and asks for.

  bool on_bitfield(const lt::bitfield& bits) override {
    std::vector<bool> pieces(sharing_->torrent.pieces, false);
    for (std::size_t i = 0; i < pieces.size() && static_cast<int>(i) < bits.size(); ++i) {
      pieces[i] = bits[static_cast<int>(i)];
    }
    if (bits.all_set()) seed_ = true;
    sharing_->hand_out.has(number_, pieces, Steady::now());
    hand_out();
    return false;
  }
  bool on_have_all() override {
    seed_ = true;
    sharing_->hand_out.leave(number_);
    return false;
  }
  bool on_have(lt::piece_index_t piece) override {
    sharing_->hand_out.got(number_, static_cast<std::uint32_t>(static_cast<int>(piece)),
                           Steady::now());
    hand_out();
    return false;
  }
  bool on_request(const lt::peer_request& request) override {
    sharing_->hand_out.asked(number_, static_cast<std::uint32_t>(static_cast<int>(request.piece)));
    return false;
  }

  /// Tells the peer what it should ask for, if that is news.
  void hand_out() {
    if (!told_) return;
    if (const auto own = handed_out()) tell(own);
  }

  /// A piece has arrived here.
  void arrived(std::uint32_t piece) {
    if (!seed_ || !told_) return;
    const auto have = big_endian(5) + kHave + big_endian(piece);
    peer_.send_buffer(have.data(), static_cast<int>(have.size()));
  }

  // What moves.

  void sent_payload(int bytes) override {
    tally_->sent += static_cast<std::uint64_t>(bytes);
    ledger().all().sent += static_cast<std::uint64_t>(bytes);
    const auto changed = queue_.sent(static_cast<std::uint64_t>(bytes), Steady::now());
    if (changed && told_) tell(handed_out());
  }

  void sent_request(const lt::peer_request& request) override {
    if (timed_.size() < kTimedMax) timed_[key(request)] = Steady::now();
  }

  bool on_piece(const lt::peer_request& piece, lt::span<const char> bytes) override {
    tally_->received += static_cast<std::uint64_t>(bytes.size());
    ledger().all().received += static_cast<std::uint64_t>(bytes.size());
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
      tell(handed_out());
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

  [[nodiscard]] SwarmLedger& ledger() const { return *sharing_->torrent.ledger; }

  /// The value of `own`, if the peer has not got it yet.
  [[nodiscard]] std::optional<std::string> handed_out() {
    if (!sharing_->complete) return std::nullopt;
    const auto ahead = HandOut::ahead(queue_.requests(), sharing_->torrent.piece_blocks);
    const auto pieces = sharing_->hand_out.next(number_, ahead, Steady::now());
    if (!pieces) return std::nullopt;
    std::string own;
    for (const auto piece : *pieces) own += big_endian(piece);
    return own;
  }

  void take(std::string_view own) {
    std::vector<std::uint32_t> pieces;
    for (; own.size() >= 4; own.remove_prefix(4)) {
      const auto piece = from_big_endian(own.data());
      if (piece < sharing_->torrent.pieces) pieces.push_back(piece);
    }
    const auto& torrent = sharing_->torrent;
    torrent.given->set(number_, std::move(pieces));
    if (torrent.on_given) torrent.on_given(torrent.given->all());
  }

  void leave() {
    if (sharing_->peers.erase(this) == 0) return;
    sharing_->hand_out.leave(number_);
    sharing_->torrent.given->set(number_, {});
  }

  void tell(const std::optional<std::string>& own) {
    std::string body = "d";
    if (own) body += "3:own" + std::to_string(own->size()) + ':' + *own;
    body += "4:reqqi" + std::to_string(queue_.requests()) + 'e';
    if (said_) body += "3:rtti" + std::to_string(said_->count()) + 'e';
    body += 'e';
    const auto message =
        big_endian(static_cast<std::uint32_t>(body.size() + 2)) + kExtended + kHandshake + body;
    peer_.send_buffer(message.data(), static_cast<int>(message.size()));
  }

  lt::peer_connection_handle peer_;
  const std::shared_ptr<Sharing> sharing_;
  const std::uint64_t number_;
  const std::shared_ptr<SwarmTally> tally_;
  RequestQueue queue_{Steady::now()};
  bool told_ = false;  // The first handshake is on its way; nothing may overtake it.
  bool seed_ = false;  // The peer has all.
  std::map<std::pair<int, int>, Steady::time_point> timed_;
  std::optional<std::chrono::microseconds> shortest_;
  std::optional<std::chrono::microseconds> said_;
};

class TorrentPlugin final : public lt::torrent_plugin {
 public:
  explicit TorrentPlugin(std::shared_ptr<Sharing> sharing) : sharing_(std::move(sharing)) {}

  std::shared_ptr<lt::peer_plugin> new_connection(const lt::peer_connection_handle& peer) override {
    if (peer.type() != lt::connection_type::bittorrent) return nullptr;
    return std::make_shared<PeerPlugin>(peer, sharing_);
  }

  void on_piece_pass(lt::piece_index_t piece) override {
    for (auto* const peer : sharing_->peers) {
      peer->arrived(static_cast<std::uint32_t>(static_cast<int>(piece)));
    }
  }

  void on_state(lt::torrent_status::state_t state) override {
    if (state != lt::torrent_status::finished && state != lt::torrent_status::seeding) return;
    if (std::exchange(sharing_->complete, true)) return;
    for (auto* const peer : sharing_->peers) peer->hand_out();
  }

 private:
  const std::shared_ptr<Sharing> sharing_;
};

}  // namespace

std::shared_ptr<lt::torrent_plugin> make_peer_plugin(AdmitPeer admits, SharedTorrent torrent) {
  return std::make_shared<TorrentPlugin>(
      std::make_shared<Sharing>(std::move(admits), std::move(torrent)));
}

}  // namespace shoal
