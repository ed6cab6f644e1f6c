#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/human.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;
using Names = std::map<std::string, std::string>;  // Of nodes, by id.

constexpr std::chrono::seconds kRefresh{1};
constexpr std::size_t kEndedMax = 10;         // That are shown.
constexpr std::size_t kNodesMax = 4;          // That are named in one line.
constexpr std::size_t kDigestShown = 7 + 12;  // "sha256:" and what people compare.
constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
constexpr const char* kHome = "\x1b[H";
constexpr const char* kClearToEndOfLine = "\x1b[K";
constexpr const char* kClearBelow = "\x1b[J";

std::uint64_t number_in(const Json& object, const char* name) {
  return object.at(name).get<std::uint64_t>();
}

std::string text_in(const Json& object, const char* name) {
  return object.at(name).is_string() ? object.at(name).get<std::string>() : std::string();
}

std::string or_dash(std::string text) { return text.empty() ? "-" : std::move(text); }

std::string digest_text(const Json& transfer) {
  return text_in(transfer, "digest").substr(0, kDigestShown);
}

std::string rate_text(std::uint64_t bytes_per_second) {
  return bytes_per_second == 0 ? "-" : human_bytes(bytes_per_second) + "/s";
}

/// Names that two nodes share are left out: they would not tell which one it is.
Names names_in(const Json& document) {
  Names names;
  std::map<std::string, std::set<std::string>> ids;
  const auto add = [&](const Json& nodes) {
    for (const Json& node : nodes) {
      if (!node.contains("name")) continue;
      names[text_in(node, "node")] = text_in(node, "name");
      ids[text_in(node, "name")].insert(text_in(node, "node"));
    }
  };
  for (const Json& transfer : document.at("now")) add(transfer.at("peers"));
  for (const Json& transfer : document.at("ended")) add(transfer.at("sources"));
  std::erase_if(names, [&](const auto& name) { return ids[name.second].size() > 1; });
  return names;
}

/// `host-a 120.0 MiB, host-b 80.0 MiB`: the nodes with such bytes, those with most first.
std::string nodes_text(const Json& nodes, const char* bytes, const Names& names) {
  std::vector<std::pair<std::uint64_t, std::string>> shares;
  for (const Json& node : nodes) {
    const auto share = number_in(node, bytes);
    const auto id = text_in(node, "node");
    const auto name = names.find(id);
    if (share > 0) shares.emplace_back(share, name == names.end() ? id : name->second);
  }
  std::sort(shares.begin(), shares.end(), std::greater<>());
  std::string text;
  for (std::size_t i = 0; i < std::min(shares.size(), kNodesMax); ++i) {
    const auto& [share, name] = shares[i];
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", name, human_bytes(share));
  }
  if (shares.size() > kNodesMax) text += fmt::format(", {} more", shares.size() - kNodesMax);
  return or_dash(std::move(text));
}

std::uint64_t sent_bytes(const Json& transfer) {
  std::uint64_t sum = 0;
  for (const Json& peer : transfer.at("peers")) sum += number_in(peer, "sent_bytes");
  return sum;
}

/// 100 % only when nothing is missing.
std::string done_text(const Json& transfer) {
  const auto bytes = number_in(transfer, "bytes");
  if (bytes == 0) return "-";
  const double share =
      static_cast<double>(number_in(transfer, "arrived_bytes")) / static_cast<double>(bytes);
  return fmt::format("{} %", static_cast<int>(share * 100));
}

/// When it will be here, or why nobody can say.
std::string end_text(const Json& transfer) {
  using std::chrono::milliseconds;
  if (transfer.at("stalled").get<bool>()) {
    return "stalled " + human_duration(milliseconds(number_in(transfer, "still_ms")));
  }
  if (number_in(transfer, "arrived_bytes") == number_in(transfer, "bytes")) return "is checked";
  const Json& eta = transfer.at("eta_s");
  if (!eta.is_number()) return "-";
  constexpr double kLongest = 1e9;
  const double ms = std::min(eta.get<double>(), kLongest) * 1000;
  return human_duration(milliseconds(static_cast<std::int64_t>(ms)));
}

void print_arriving(std::ostream& out, const Json& now, const Names& names) {
  Table table({"ARRIVING", "REPOSITORY", "CLASS", ">SIZE", ">DONE", ">RATE", ">ETA", "FROM"});
  bool any = false;
  for (const Json& transfer : now) {
    if (!transfer.at("arriving").get<bool>()) continue;
    any = true;
    table.add({digest_text(transfer), or_dash(text_in(transfer, "repository")),
               text_in(transfer, "class"), human_bytes(number_in(transfer, "bytes")),
               done_text(transfer), rate_text(number_in(transfer, "receive_rate")),
               end_text(transfer), nodes_text(transfer.at("peers"), "received_bytes", names)});
  }
  if (any)
    table.print(out);
  else
    out << "Nothing arrives.\n";
}

/// What arrives is given, too, as far as it is here.
void print_given(std::ostream& out, const Json& now, const Names& names) {
  Table table({"GIVEN", ">SENT", ">RATE", "TO"});
  bool any = false;
  for (const Json& transfer : now) {
    const auto sent = sent_bytes(transfer);
    if (sent == 0 && transfer.at("arriving").get<bool>()) continue;
    any = true;
    table.add({digest_text(transfer), human_bytes(sent),
               rate_text(number_in(transfer, "send_rate")),
               nodes_text(transfer.at("peers"), "sent_bytes", names)});
  }
  if (!any) return;
  out << '\n';
  table.print(out);
}

std::string over_best_text(const Json& transfer) {
  const Json& value = transfer.at("over_best");
  return value.is_number() ? fmt::format("{:.2f}x", value.get<double>()) : "-";
}

void print_ended(std::ostream& out, const Json& ended, const Names& names) {
  if (ended.empty()) return;
  Table table({"ENDED", "REPOSITORY", "CLASS", ">SIZE", ">TIME", ">RATE", ">OVER BEST", "FROM"});
  for (std::size_t i = 0; i < std::min(ended.size(), kEndedMax); ++i) {
    const Json& transfer = ended[i];
    const auto ms = std::max<std::uint64_t>(number_in(transfer, "ms"), 1);
    const std::string error = text_in(transfer, "error");
    table.add(
        {digest_text(transfer), or_dash(text_in(transfer, "repository")),
         text_in(transfer, "class"), human_bytes(number_in(transfer, "bytes")),
         fmt::format("{} ms", ms), rate_text(number_in(transfer, "arrived_bytes") * 1000 / ms),
         over_best_text(transfer),
         error.empty() ? nodes_text(transfer.at("sources"), "bytes", names) : "failed: " + error});
  }
  out << '\n';
  table.print(out);
}

void print(std::ostream& out, const Json& document) {
  const auto names = names_in(document);
  print_arriving(out, document.at("now"), names);
  print_given(out, document.at("now"), names);
  print_ended(out, document.at("ended"), names);
}

/// Draws over what is on the screen, which does not flicker as it would if it were cleared first.
void redraw(std::ostream& out, const std::string& text) {
  out << kHome;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out << line << kClearToEndOfLine << '\n';
  out << kClearBelow;
}

void show(Terminal& terminal, const std::string& body, bool watch, bool first) {
  std::ostringstream text;
  print(text, Json::parse(body));
  if (watch && terminal.out_is_terminal) {
    if (first) terminal.out << kClearScreen;
    redraw(terminal.out, text.str());
  } else {
    terminal.out << (first ? "" : "\n") << text.str();
  }
}

ExitCode run(Terminal& terminal, const ClientOptions& client, bool watch) {
  auto node = NodeClient::to(client.node);
  if (!node) return report(terminal, node.error());
  for (bool first = true;; first = false) {
    const auto body = node->send("GET", "transfers");
    if (!body) return report(terminal, body.error());
    if (client.json)
      terminal.out << *body << '\n';
    else
      show(terminal, *body, watch, first);
    terminal.out.flush();
    if (!watch || !terminal.out.good()) return ExitCode::ok;
    std::this_thread::sleep_for(kRefresh);
  }
}

}  // namespace

void add_transfers_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand("transfers", "Show what moves between this node and others");
  const auto client = add_client_options(*command, program);
  auto watch = std::make_shared<bool>(false);
  command->add_flag("-w,--watch", *watch, "Show it again every second, until interrupted");
  command->footer(
      "What arrives, from whom, and when it will be here; what is given to others; and how the\n"
      "last transfers ended. `https` is what came over HTTPS because nothing came by BitTorrent.\n"
      "OVER BEST is the time that a transfer took, as a multiple of what it would have been at\n"
      "the rate of its fastest second. With --json --watch there is one document in each line.\n\n"
      "Examples:\n"
      "  shoal transfers\n"
      "  shoal transfers -w\n"
      "  shoal transfers --json | jq '.now[] | select(.stalled)'");
  command->callback([=, &program] { program.exit = run(program.terminal, *client, *watch); });
}

}  // namespace shoal
