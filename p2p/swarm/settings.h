#pragma once

#include <libtorrent/settings_pack.hpp>

namespace shoal {

/// What the peer id of a node begins with (BEP 20).
inline constexpr const char* kNodePeerId = "-SH0001-";

/// libtorrent for a data centre: what nodes of one trust domain need. `listen`: ADDRESS:PORT.
[[nodiscard]] lt::settings_pack swarm_settings(const std::string& listen);

}  // namespace shoal
