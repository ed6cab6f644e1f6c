#pragma once

#include <cstdint>

namespace shoal::sim {

enum class Happens : std::uint32_t {
  want,         // a host wants blobs from b on, c of them.
  begin,        // a member has found its torrent; it connects to what it found.
  ready,        // a connection: both ends know what the other has.
  retry,        // a member connects to host b, which was not there before.
  asked,        // a flow: b further requests have come to the sender.
  cancelled,    // a flow: unit c of piece b is not wanted any more.
  uplink_free,  // a host.
  arrived,      // a flow: its oldest request is answered.
  verified,     // a member: piece b is right.
  told_have,    // a member: its peers learn that it has piece b, but for those that it has much to
                // send.
  told_queue,   // a flow: the receiver learns that it may have b requests waiting.
  given,        // a flow: the receiver learns which pieces the sender gives it.
  told_time,    // a flow: the sender learns that its round trip is b microseconds.
  beat,         // a host looks at its transfers.
  committed,    // a member: the whole is verified and on disk.
  announce,     // a host tells the directory.
  death,        // of the seed and some others.
};

}  // namespace shoal::sim
