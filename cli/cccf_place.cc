#include <chrono>
#include <cmath>
#include <map>
#include <ostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/cccf.h"
#include "cli/human.h"
#include "orchestrator/cccf/scale.h"
#include "orchestrator/placement/cccf_requests.h"
#include "orchestrator/placement/hosts_json.h"
#include "orchestrator/placement/placer.h"

namespace shoal {
namespace {

struct Options {
  std::string nodes;
  std::string images;
  std::string current;
  std::string strategy = std::string(to_string(PlacementStrategy::layers));
  PlacementOptions placement;
};

/// A file's name stands before what is wrong with it.
Error in_file(const std::string& file, const Error& error) {
  return {error.code, file + ": " + error.message};
}

Result<HostsFile> read_hosts(Terminal& terminal, const Options& options) {
  const auto text = read_text(terminal, options.nodes);
  if (!text) return tl::unexpected(text.error());
  auto file = parse_hosts(*text);
  if (!file) return tl::unexpected(in_file(options.nodes, file.error()));
  if (options.images.empty()) return file;
  const auto images_text = read_text(terminal, options.images);
  if (!images_text) return tl::unexpected(images_text.error());
  auto images = parse_images(*images_text);
  if (!images) return tl::unexpected(in_file(options.images, images.error()));
  // Of an image that both have, this file's counts.
  images->insert(images->end(), file->images.begin(), file->images.end());
  file->images = *std::move(images);
  return file;
}

/// Documents of what runs say where: their hosts count for slots whose own documents name none.
bool read_current(Program& program, const Options& options,
                  std::vector<PlacementRequest>& requests) {
  if (options.current.empty()) return true;
  CccfInput input;
  input.files = {options.current};
  const auto document = read_valid_input(program, input);
  if (!document) return false;
  CccfDiagnostics problems;
  std::map<std::string, std::string> hosts;
  for (const auto& service : view(*document, problems)) hosts[service.id] = service.host;
  if (say_diagnostics(program, problems)) return false;
  for (auto& request : requests) {
    const auto current = hosts.find(request.slot);
    if (request.current_host.empty() && current != hosts.end()) {
      request.current_host = current->second;
    }
  }
  return true;
}

std::string seconds_text(double seconds) {
  constexpr double kLongest = 1e9;
  const auto ms = std::llround(std::min(seconds, kLongest) * 1000);
  return human_duration(std::chrono::milliseconds(ms));
}

/// Why a slot goes where it goes, for people.
void explain(std::ostream& out, const SlotDecision& slot, const std::vector<HostView>& hosts) {
  if (!slot.node) {
    out << printable(slot.problem) << '\n';
  } else {
    const auto& host = printable(hosts[*slot.node].name);
    out << fmt::format("{} {} {}: {} to come from other hosts, {} from upstream, ready in {}\n",
                       printable(slot.slot), slot.stays ? "stays on" : "goes to", host,
                       human_bytes(slot.bytes_from_peers), human_bytes(slot.bytes_from_upstream),
                       seconds_text(slot.seconds_until_ready));
  }
  const Explanation& explanation = *slot.explanation;
  if (const auto& second = explanation.runner_up) {
    out << fmt::format("  before {} by {}: {} against {}\n", printable(second->host),
                       printable(second->key), printable(second->won), printable(second->lost));
  }
  if (!explanation.keys.empty()) {
    std::string keys;
    for (const auto& [name, value] : explanation.keys) {
      keys += fmt::format("{}{} {}", keys.empty() ? "" : ", ", name, value);
    }
    out << "  keys: " << printable(keys) << '\n';
  } else if (!slot.unmet.empty()) {
    out << fmt::format("  not met: {}\n", printable(fmt::format("{}", fmt::join(slot.unmet, " "))));
  }
  for (const auto& [filter, rejected] : explanation.rejected) {
    for (const auto& rejection : rejected) {
      out << fmt::format("  not {} ({}): {}\n", printable(rejection.host), to_string(filter),
                         printable(rejection.why));
    }
  }
}

void place_documents(Program& program, const CccfInput& input, const Options& options) {
  Terminal& terminal = program.terminal;
  const auto refuse = [&](const Error& error) { program.exit = report(terminal, error); };
  auto placement_options = options.placement;
  const auto strategy = parse_strategy(options.strategy);
  if (!strategy) return refuse(strategy.error());
  placement_options.strategy = *strategy;

  const auto document = read_valid_input(program, input);
  if (!document) return;
  CccfDiagnostics problems;
  CccfDocument scaled = scale_up(*document, problems);
  auto requests = requests_of(scaled, problems);
  if (say_diagnostics(program, problems)) return;
  const auto file = read_hosts(terminal, options);
  if (!file) return refuse(file.error());
  if (!read_current(program, options, requests)) return;

  const auto placement = place(requests, file->hosts, file->images, placement_options);
  if (!placement) return refuse(placement.error());
  for (const auto& slot : placement->slots) {
    if (placement_options.explain)
      explain(terminal.err, slot, file->hosts);
    else if (!slot.node)
      static_cast<void>(report(terminal, {Errc::unavailable, slot.problem}));
  }
  // A pipe must not go on with half of the containers.
  if (!placement->complete()) {
    program.exit = ExitCode::failed;
    return;
  }
  for (std::size_t i = 0; i < scaled.items.size(); ++i) {
    const HostView& host = file->hosts[*placement->slots[i].node];
    scaled.items[i].fields.set("host", host.address.empty() ? host.name : host.address);
  }
  write_json(terminal, scaled.to_json());
}

}  // namespace

void add_cccf_place(CLI::App& cccf, Program& program) {
  auto* command = cccf.add_subcommand("place", "Say on which host each container goes, as `host`");
  const auto input = add_cccf_input(*command);
  auto options = std::make_shared<Options>();
  command->add_option("--nodes", options->nodes, "The hosts, and what they have (JSON)")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--images", options->images,
                   "Layers of images, if the file of the hosts does not have them")
      ->type_name("FILE");
  command
      ->add_option("--current", options->current,
                   "Documents of what runs, with `host`: that stays where it is")
      ->type_name("FILE");
  command
      ->add_option("--strategy", options->strategy,
                   "layers, pack, locality, spread, binpack, random or round-robin")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--seed", options->placement.seed, "Of the strategy random")
      ->capture_default_str();
  command
      ->add_option("--overcommit", options->placement.overcommit,
                   "How much more memory and cpu is given away than there is: 0.05 is 5 %")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  command->add_flag("--rebalance", options->placement.rebalance,
                    "What runs may move, too: everything is placed anew");
  command->add_flag("--explain", options->placement.explain,
                    "Say on stderr why each goes where it goes, and who could not take it");
  command->footer(
      "What runs stays where it is while its host passes the filters. If one container finds no\n"
      "host, nothing is written, and the exit code is 1. docs/placement.md describes the file of\n"
      "the hosts, the filters and the strategies.\n\n"
      "Example:\n"
      "  shoal cccf scale app.json | shoal cccf place --nodes nodes.json --explain");
  command->callback([=, &program] { place_documents(program, *input, *options); });
}

}  // namespace shoal
