#pragma once

#include <memory>
#include <string>

#include "cli/node_client.h"
#include "cli/terminal.h"
#include "storage/error.h"

namespace CLI {
class App;
}

namespace shoal {

/// What the subcommands share while the command line is worked off.
struct Program {
  Terminal& terminal;
  ExitCode exit = ExitCode::ok;  // Set by the subcommand that ran.
};

/// Each adds one subcommand, which runs when it is parsed. `program` must outlive `app`. One file
/// each: cli/node_command.cc, cli/images.cc ...
void add_node_command(CLI::App& app, Program& program);
void add_images_command(CLI::App& app, Program& program);
void add_inspect_command(CLI::App& app, Program& program);
void add_rm_command(CLI::App& app, Program& program);
void add_gc_command(CLI::App& app, Program& program);
void add_scrub_command(CLI::App& app, Program& program);
void add_du_command(CLI::App& app, Program& program);
void add_events_command(CLI::App& app, Program& program);
void add_status_command(CLI::App& app, Program& program);
void add_transfers_command(CLI::App& app, Program& program);
void add_torrent_command(CLI::App& app, Program& program);
void add_token_command(CLI::App& app, Program& program);
void add_state_command(CLI::App& app, Program& program);
void add_cccf_command(CLI::App& app, Program& program);
void add_config_command(CLI::App& app, Program& program);
void add_completion_command(CLI::App& app, Program& program);
void add_version_command(CLI::App& app, Program& program);

/// What every command takes that talks to a node.
struct ClientOptions {
  std::string node;   // --node, else SHOAL_NODE, else http://127.0.0.1:5000.
  bool json = false;  // --json
};
[[nodiscard]] std::shared_ptr<ClientOptions> add_client_options(CLI::App& command,
                                                                const Program& program);

/// Says on stderr what went wrong; gives the code to end with.
[[nodiscard]] ExitCode report(Terminal& terminal, const Error& error);

}  // namespace shoal
