#pragma once

#include <functional>
#include <memory>

#include <libtorrent/fwd.hpp>
#include <libtorrent/io_context.hpp>
#include <libtorrent/sha1_hash.hpp>

#include "p2p/swarm/swarm_blob.h"
#include "p2p/swarm/swarm_store.h"

namespace shoal {

/// The content of a torrent that is added to the session, by its info hash (Torrent::info_hash());
/// null if there is none. Called on the session's network thread: must not block.
using FindSwarmBlob = std::function<std::shared_ptr<SwarmBlob>(const lt::sha1_hash& info_hash)>;

/// libtorrent's disk, on the store: for session_params::disk_io_constructor. Blocks go into the
/// memory of their piece as they come; whole pieces are hashed, and reads done, on threads of the
/// SwarmStore; what is there says the store, not a check of the files. `store` must outlive it.
[[nodiscard]] std::unique_ptr<lt::disk_interface> make_blob_disk(lt::io_context& context,
                                                                 SwarmStore& store,
                                                                 FindSwarmBlob find);

}  // namespace shoal
