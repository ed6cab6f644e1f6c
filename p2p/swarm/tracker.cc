#include "p2p/swarm/tracker.h"

#include <algorithm>
#include <limits>

#include <boost/asio/ip/address_v4.hpp>

#include "p2p/bencode.h"
#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::size_t kInfoHashBytes = 20;
constexpr std::size_t kTorrentsMax = 1000;
constexpr std::size_t kClientsMax = 200;  // Of one torrent.

/// Address and port, six bytes (BEP 23); nothing for what is no address.
std::string compact(const Tracker::Client& client) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address_v4(client.address, error);
  if (error) return {};
  std::string text;
  for (const auto byte : address.to_bytes()) text += static_cast<char>(byte);
  text += static_cast<char>(client.port >> 8);
  text += static_cast<char>(client.port & 0xFF);
  return text;
}

}  // namespace

Result<TrackerAnnounce> TrackerAnnounce::parse(const Request& request) {
  TrackerAnnounce announce;
  announce.info_hash = request.parameter("info_hash").value_or("");
  if (announce.info_hash.size() != kInfoHashBytes) {
    return fail(Errc::bad_request, "`info_hash` is not 20 bytes");
  }
  const auto port = parse_number(request.parameter("port").value_or(""));
  if (!port || *port == 0 || *port > std::numeric_limits<std::uint16_t>::max()) {
    return fail(Errc::bad_request, "`port` is not a number from 1 to 65535");
  }
  announce.port = static_cast<std::uint16_t>(*port);
  announce.stopped = request.parameter("event") == "stopped";
  if (const auto wanted = parse_number(request.parameter("numwant").value_or(""))) {
    announce.wanted = std::min<std::size_t>(announce.wanted, *wanted);
  }
  return announce;
}

std::string Tracker::announce(const TrackerAnnounce& announce, const Client& client,
                              const std::optional<Client>& self) {
  const auto now = Steady::now();
  std::string peers;
  {
    const std::lock_guard lock(mutex_);
    if (now >= next_forget_) {
      forget(now - 2 * interval_);
      next_forget_ = now + interval_ / 2;
    }
    const auto known = torrents_.find(announce.info_hash);
    const bool more = known == torrents_.end()
                          ? torrents_.size() >= kTorrentsMax
                          : known->second.size() >= kClientsMax && !known->second.contains(client);
    if (more) return failure("too many clients announce themselves here");
    auto& clients = torrents_[announce.info_hash];
    clients[client] = now;
    std::size_t room = announce.wanted;
    const auto add = [&](const Client& other) {
      if (other == client || room == 0) return;
      peers += compact(other);
      --room;
    };
    if (self) add(*self);
    for (const auto& [other, seen] : clients) {
      if (other != self) add(other);
    }
    if (announce.stopped) clients.erase(client);
    if (clients.empty()) torrents_.erase(announce.info_hash);
  }
  return "d8:interval" + bencoded(static_cast<std::uint64_t>(interval_.count())) + "5:peers" +
         bencoded(peers) + "e";
}

std::string Tracker::failure(std::string_view reason) {
  return "d14:failure reason" + bencoded(reason) + "e";
}

void Tracker::forget(Steady::time_point before) {
  for (auto torrent = torrents_.begin(); torrent != torrents_.end();) {
    std::erase_if(torrent->second, [&](const auto& client) { return client.second < before; });
    torrent = torrent->second.empty() ? torrents_.erase(torrent) : std::next(torrent);
  }
}

}  // namespace shoal
