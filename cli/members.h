#pragma once

#include <iosfwd>
#include <string_view>

#include "cli/commands.h"

namespace shoal {

/// `ls`, `show`, `label`, `drain` and `rm` below `shoal node`.
void add_member_commands(CLI::App& node_command, Program& program);

/// The members of a cluster, the JSON array of `GET /shoal/v1/cluster/nodes`, as a table.
void print_members(std::ostream& out, std::string_view members);

}  // namespace shoal
