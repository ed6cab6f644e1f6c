#pragma once

#include <iosfwd>

#include <nlohmann/json_fwd.hpp>

#include "cli/commands.h"

namespace shoal {

/// `ls`, `show`, `label`, `drain` and `rm` below `shoal node`.
void add_member_commands(CLI::App& node_command, Program& program);

/// The members of a cluster, as `GET /shoal/v1/cluster/nodes` gives them, as a table.
void print_members(std::ostream& out, const nlohmann::ordered_json& members);

}  // namespace shoal
