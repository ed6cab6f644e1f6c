#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <ostream>

#include <fmt/format.h>
#include <malloc.h>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/config_flags.h"
#include "cli/logging.h"
#include "cli/members.h"
#include "cli/node.h"
#include "cli/systemd.h"
#include "registry/http/listen_address.h"

namespace shoal {
namespace {

/// The signals that end a node, blocked in this thread and in all that it starts, so that only
/// wait() sees them.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }

  /// Waits for a signal; every `interval` it calls `idle`.
  [[nodiscard]] int wait(std::chrono::seconds interval, void (*idle)()) const {
    const timespec timeout{static_cast<std::time_t>(interval.count()), 0};
    for (;;) {
      const int signal = sigtimedwait(&set_, nullptr, &timeout);
      if (signal > 0) return signal;
      if (errno == EAGAIN) idle();
    }
  }

  /// From now on a signal ends the process at once.
  void release() const {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }

 private:
  sigset_t set_{};
};

/// glibc gives each thread a heap of its own, up to eight per core, and keeps what was freed in
/// them; with a pool of disk threads that is most of an idle node's memory.
void limit_heaps() { mallopt(M_ARENA_MAX, 2); }

constexpr std::chrono::seconds kTrimInterval{10};

/// Gives back what the heaps of a busy time still hold.
void trim_heaps() { malloc_trim(0); }

void warn_if_open(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    const auto endpoint = parse_listen_address(address);
    if (endpoint && endpoint->address().is_loopback()) continue;
    spdlog::warn("everyone who reaches this address may push and delete address={}", address);
  }
}

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ","));
}

void print_banner(std::ostream& out, const NodeConfig& config, const std::string& address) {
  const bool is_default = address == "127.0.0.1:5000";
  const std::string node = is_default ? "" : " --node http://" + address;
  const auto line = [&](const std::string& command, std::string_view purpose) {
    out << fmt::format("  {:<48}  {}\n", command, purpose);
  };
  out << fmt::format("\nshoal " SHOAL_VERSION " serves http://{} from {}\n\n", address,
                     config.store.directory.string());
  line(fmt::format("docker tag IMAGE {}/NAME", address), "name an image for this registry");
  line(fmt::format("docker push {}/NAME", address), "push it");
  line("shoal images" + node, "see what is here");
  out << "\nCtrl-C stops it; what was pushed stays.\n\n" << std::flush;
}

ExitCode serve(Terminal& terminal, const LoadedConfig& loaded) {
  const NodeConfig& config = loaded.config;
  const auto variable = terminal.environment.find("NOTIFY_SOCKET");
  const std::string manager = variable == terminal.environment.end() ? "" : variable->second;
  const std::string data = log_value(config.store.directory.string());
  if (loaded.file) {
    spdlog::info("configuration read file={}", log_value(loaded.file->string()));
  }

  const StopSignals signals;
  auto node = Node::start(config);
  if (!node) {
    spdlog::error("node cannot start data={} reason={}", data, log_value(node.error().message));
    return exit_code_of(node.error()) == ExitCode::usage ? ExitCode::usage : ExitCode::failed;
  }
  const auto addresses = (*node)->addresses();
  warn_if_open(addresses);
  const auto cluster_addresses = (*node)->cluster_addresses();
  if (!cluster_addresses.empty()) {
    spdlog::info("cluster served addresses={}", joined(cluster_addresses));
  }
  spdlog::info("node ready version={} data={} addresses={}", SHOAL_VERSION, data,
               joined(addresses));
  notify_service_manager(manager, "READY=1");
  if (terminal.out_is_terminal) print_banner(terminal.out, config, addresses.front());

  const int signal = signals.wait(kTrimInterval, trim_heaps);
  signals.release();
  spdlog::info("node stops signal={} grace={}s", signal == SIGINT ? "SIGINT" : "SIGTERM",
               config.drain_timeout.count());
  notify_service_manager(manager, "STOPPING=1");
  (*node)->stop(config.drain_timeout);
  node->reset();
  spdlog::info("node stopped");
  return ExitCode::ok;
}

ExitCode run(Terminal& terminal, const ConfigSources& sources) {
  const auto loaded = load_config(sources);
  if (!loaded) return report(terminal, loaded.error());
  limit_heaps();
  start_logging(loaded->config.log);
  return serve(terminal, *loaded);
}

}  // namespace

void add_node_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand(
      "node", "Serve a registry on this host; list and manage the cluster's nodes");
  const auto sources = add_config_flags(*command, program);
  command->footer(
      "Each option is also a variable (--store-quota is SHOAL_STORE_QUOTA) and a key in the file\n"
      "(`store: {quota: 200GiB}`). A flag wins over the environment, the environment over the "
      "file;\n"
      "`shoal config` shows what is in force. SIGTERM or Ctrl-C finishes the requests under way "
      "and\n"
      "ends with 0; a second one ends at once.\n\n"
      "Examples:\n"
      "  shoal node\n"
      "  shoal node --cluster-listen 10.0.0.2:5001 --join 10.0.0.1:5001 --token TOKEN\n"
      "  shoal node --data /srv/shoal --listen 127.0.0.1:5001 --store-quota 200GiB\n"
      "  shoal node --config ./shoal.yaml --log-level debug");
  add_member_commands(*command, program);
  command->callback([=, &program] {
    if (command->get_subcommands().empty()) program.exit = run(program.terminal, *sources);
  });
}

}  // namespace shoal
