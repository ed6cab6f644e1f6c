#include "cli/options.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "cli/units.h"
#include "registry/http/listen_address.h"
#include "storage/number.h"

namespace shoal {
namespace {

// A kind of value: its name for people, how text becomes it, and how it becomes text.
struct Kind {
  std::string type;
  std::function<Result<void>(NodeConfig&, std::string_view)> set;
  std::function<std::string(const NodeConfig&)> show;
  bool repeats = false;
};

tl::unexpected<Error> refuse(std::string_view text, std::string_view reason) {
  return fail(Errc::usage, fmt::format("\"{}\" {}", text, reason));
}

// `parse` gives a Result of the member's type (or what converts to it), `print` the text again.
// `in` is a generic lambda that returns the member of a const or mutable NodeConfig.
template <class In, class Parse, class Print>
Kind kind(std::string type, In in, Parse parse, Print print) {
  return {std::move(type),
          [in, parse](NodeConfig& config, std::string_view text) -> Result<void> {
            auto value = parse(text);
            if (!value) return tl::unexpected(std::move(value.error()));
            using Member = std::remove_reference_t<decltype(in(config))>;
            in(config) = static_cast<Member>(*std::move(value));
            return {};
          },
          [in, print](const NodeConfig& config) { return print(in(config)); }};
}

template <class In>
Kind size(In in, std::uint64_t min, std::uint64_t max = std::numeric_limits<std::int64_t>::max()) {
  const auto parse = [min, max](std::string_view text) -> Result<std::uint64_t> {
    auto bytes = parse_bytes(text);
    if (bytes && (*bytes < min || *bytes > max)) {
      const auto limit =
          *bytes < min ? "smaller than " + show_bytes(min) : "larger than " + show_bytes(max);
      return refuse(text, "is " + limit);
    }
    return bytes;
  };
  return kind("size", in, parse, [](std::uint64_t bytes) { return show_bytes(bytes); });
}

template <class Duration>
Result<Duration> parse_whole(std::string_view text, Duration min) {
  const auto duration = parse_duration(text);
  if (!duration) return tl::unexpected(duration.error());
  const auto whole = std::chrono::duration_cast<Duration>(*duration);
  if (whole != *duration) return refuse(text, "is not a whole number of seconds");
  if (whole < min) return refuse(text, "is shorter than " + show_duration(min));
  return whole;
}

template <class In>
Kind duration(In in, std::chrono::seconds min) {
  const auto parse = [min](std::string_view text) { return parse_whole(text, min); };
  return kind("duration", in, parse,
              [](std::chrono::seconds value) { return show_duration(value); });
}

template <class In>
Kind duration_or_never(In in, std::chrono::seconds min) {
  using Value = std::optional<std::chrono::seconds>;
  const auto parse = [min](std::string_view text) -> Result<Value> {
    if (text == "never") return Value();
    const auto value = parse_whole(text, min);
    if (!value) return tl::unexpected(value.error());
    return Value(*value);
  };
  const auto print = [](const Value& value) { return value ? show_duration(*value) : "never"; };
  return kind("duration or `never`", in, parse, print);
}

template <class In>
Kind number(In in, std::uint64_t min, std::uint64_t max) {
  const auto parse = [min, max](std::string_view text) -> Result<std::uint64_t> {
    const auto value = parse_number(text);
    if (!value || *value < min || *value > max) {
      return refuse(text, fmt::format("is not a whole number from {} to {}", min, max));
    }
    return *value;
  };
  return kind("number", in, parse, [](std::uint64_t value) { return std::to_string(value); });
}

template <class In>
Kind percent(In in) {
  const auto parse = [](std::string_view text) -> Result<double> {
    const auto value =
        text.ends_with('%') ? parse_number(text.substr(0, text.size() - 1)) : std::nullopt;
    if (!value || *value > 100) {
      return refuse(text, "is not a percentage from 0% to 100%, such as 90%");
    }
    return static_cast<double>(*value) / 100;
  };
  return kind("percentage", in, parse,
              [](double value) { return fmt::format("{:.0f}%", value * 100); });
}

template <class In>
Kind on_off(In in) {
  const auto parse = [](std::string_view text) -> Result<bool> {
    if (text == "true" || text == "on" || text == "yes") return true;
    if (text == "false" || text == "off" || text == "no") return false;
    return refuse(text, "is neither `true` nor `false`");
  };
  return kind("`true`, `false`", in, parse, [](bool value) { return value ? "true" : "false"; });
}

template <class Enum, class In>
Kind choice(In in, std::vector<std::pair<std::string, Enum>> names) {
  std::string list;
  for (const auto& [name, value] : names) list += (list.empty() ? "`" : ", `") + name + "`";
  const auto parse = [names, list](std::string_view text) -> Result<Enum> {
    for (const auto& [name, value] : names) {
      if (name == text) return value;
    }
    return refuse(text, "is none of " + list);
  };
  const auto print = [names](Enum wanted) {
    const auto has_it = [&](const auto& entry) { return entry.second == wanted; };
    return std::find_if(names.begin(), names.end(), has_it)->first;
  };
  return kind(list, in, parse, print);
}

template <class In>
Kind path(In in) {
  const auto parse = [](std::string_view text) -> Result<std::filesystem::path> {
    if (text.empty()) return refuse(text, "is no path");
    return std::filesystem::path(text);
  };
  return kind("path", in, parse, [](const std::filesystem::path& value) { return value.string(); });
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto comma = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

/// A list whose entries `parse_entry` makes, and `print_entry` the texts again; "" is the empty
/// one.
template <class In, class ParseEntry, class PrintEntry>
Kind list(std::string type, In in, ParseEntry parse_entry, PrintEntry print_entry) {
  using Member = std::remove_cvref_t<decltype(in(std::declval<NodeConfig&>()))>;
  const auto parse = [parse_entry](std::string_view text) -> Result<Member> {
    Member entries;
    if (text.empty()) return entries;
    for (const auto part : split(text)) {
      auto entry = parse_entry(part);
      if (!entry) return tl::unexpected(entry.error());
      entries.insert(entries.end(), *std::move(entry));
    }
    return entries;
  };
  const auto print = [print_entry](const Member& entries) {
    std::string text;
    for (const auto& entry : entries) text += (text.empty() ? "" : ",") + print_entry(entry);
    return text;
  };
  Kind made = kind(std::move(type), in, parse, print);
  made.repeats = true;
  return made;
}

/// Addresses to listen on.
template <class In>
Kind addresses(In in) {
  const auto parse = [](std::string_view text) -> Result<std::string> {
    const auto endpoint = parse_listen_address(text);
    if (!endpoint) return tl::unexpected(endpoint.error());
    return std::string(text);
  };
  return list("list of HOST:PORT", in, parse, [](const std::string& text) { return text; });
}

/// An address that nobody outside of this host can reach, or none.
template <class In>
Kind own_address(In in) {
  using Address = std::optional<boost::asio::ip::tcp::endpoint>;
  const auto parse = [](std::string_view text) -> Result<Address> {
    if (text.empty()) return Address();
    const auto endpoint = parse_listen_address(text);
    if (!endpoint) return tl::unexpected(endpoint.error());
    if (!endpoint->address().is_v4() || !endpoint->address().is_loopback()) {
      return refuse(text,
                    "is not on the loopback, as 127.0.0.1:6881 is: there is no "
                    "authentication");
    }
    return Address(*endpoint);
  };
  const auto print = [](const Address& address) { return address ? to_string(*address) : ""; };
  return kind("HOST:PORT", in, parse, print);
}

/// Addresses to connect to: names are allowed.
template <class In>
Kind hosts(In in) {
  const auto parse = [](std::string_view text) -> Result<std::string> {
    const auto colon = text.rfind(':');
    const std::uint64_t port =
        colon == text.npos ? 0 : parse_number(text.substr(colon + 1)).value_or(0);
    const bool plain = text.find_first_of("/?#@ ") == text.npos;
    if (!plain || colon == 0 || port == 0 || port > 65535) {
      return refuse(text, "is not HOST:PORT, such as 10.0.0.7:5001 or [fd00::7]:5001");
    }
    return std::string(text);
  };
  return list("list of HOST:PORT", in, parse, [](const std::string& text) { return text; });
}

template <class In>
Kind labels(In in) {
  using Label = std::pair<const std::string, std::string>;
  const auto parse = [](std::string_view text) -> Result<Label> {
    const auto equals = text.find('=');
    const bool sound = equals != text.npos && equals > 0 && text.size() <= 128 &&
                       text.find_first_of(" \t\"'") == text.npos;
    if (!sound) return refuse(text, "is not NAME=VALUE, such as dc=west");
    return Label(text.substr(0, equals), text.substr(equals + 1));
  };
  return list("list of NAME=VALUE", in, parse,
              [](const Label& label) { return label.first + "=" + label.second; });
}

template <class In>
Kind replica_patterns(In in) {
  using Pattern = std::pair<std::string, unsigned>;
  return list("list of PATTERN=COUNT", in, parse_replica_pattern, [](const Pattern& pattern) {
    return fmt::format("{}={}", pattern.first, pattern.second);
  });
}

/// A file that need not be given.
template <class In>
Kind file(In in) {
  const auto parse = [](std::string_view text) -> Result<std::filesystem::path> {
    return std::filesystem::path(text);
  };
  return kind("path", in, parse, [](const std::filesystem::path& value) { return value.string(); });
}

template <class In>
Kind text(In in) {
  const auto parse = [](std::string_view value) -> Result<std::string> {
    return std::string(value);
  };
  return kind("text", in, parse, [](const std::string& value) { return value; });
}

Option option(std::string key, Kind kind, std::string help) {
  const std::string default_text = kind.show(NodeConfig{});
  return {std::move(key),      std::move(kind.type), default_text, std::move(help),
          std::move(kind.set), std::move(kind.show), kind.repeats};
}

Option secret(Option option) {
  option.secret = true;
  return option;
}

Option with_default(std::string words, Option option) {
  option.default_text = std::move(words);
  return option;
}

std::string spelled(std::string_view prefix, std::string_view key, char separator, bool upper) {
  std::string text(prefix);
  for (const char c : key) {
    const bool separates = c == '.' || c == '-';
    const char letter = upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    text += separates ? separator : letter;
  }
  return text;
}

std::vector<Option> make_options() {
  using std::chrono::seconds;
  constexpr std::uint64_t kKi = 1024;
  constexpr std::uint64_t kMi = 1024 * kKi;
  constexpr std::uint64_t kMany = 1'000'000'000;
#define IN(member) \
  [](auto& config) -> auto& { return config.member; }
  return {
      with_default(
          "`/var/lib/shoal` as root, else `$XDG_DATA_HOME/shoal` or `~/.local/share/shoal`",
          option("data", path(IN(store.directory)), "The folder of the store.")),
      option("listen", addresses(IN(http.listen)), "Where to serve; port 0 takes any free port."),
      with_default(
          "none: the node stands alone",
          option("cluster.listen", addresses(IN(cluster.listen)),
                 "Where to serve the other nodes of a cluster, by TLS with certificates.")),
      with_default("what `cluster.listen` says", option("advertise", hosts(IN(cluster.advertise)),
                                                        "How other nodes reach this one.")),
      with_default("none: the first start creates a cluster",
                   option("join", hosts(IN(cluster.join)), "Nodes of the cluster to join.")),
      with_default("none", secret(option("token", text(IN(cluster.token)),
                                         "What `shoal token create` printed on a member."))),
      with_default("none", option("label", labels(IN(cluster.labels)),
                                  "What to say of this node, for placing content.")),
      with_default("the host's name",
                   option("cluster.name", text(IN(cluster.name)), "What people call this node.")),
      option("drain-timeout", duration(IN(drain_timeout), seconds(0)),
             "How long requests under way may go on when the node stops."),
      option("store.quota", size(IN(store.quota_bytes), 0),
             "Bytes on disk at most; 0 is no quota."),
      option("store.eviction",
             choice<Eviction>(IN(store.eviction), {{"none", Eviction::none},
                                                   {"untagged", Eviction::untagged},
                                                   {"all", Eviction::all}}),
             "What may go when the quota's high watermark is passed, least recently used first."),
      option("store.high-watermark", percent(IN(store.high_watermark)),
             "Share of the quota above which eviction starts."),
      option("store.low-watermark", percent(IN(store.low_watermark)),
             "Share of the quota below which eviction stops."),
      option("store.reserve", size(IN(store.reserve_bytes), 0),
             "Free disk space below which pushes are refused."),
      option("store.segment", size(IN(store.segment_bytes), kMi, 1024 * kMi),
             "The unit of storage and of resume; memory per upload stays below it."),
      option("store.cache", size(IN(store.cache_bytes), 0),
             "Memory for the database's block cache."),
      option("store.threads", number(IN(disk_threads), 1, 1024), "Threads for blocking disk work."),
      option("store.upload-ttl", duration(IN(store.upload_ttl), seconds(1)),
             "Upload sessions that are idle for longer are dropped."),
      option("store.gc-grace", duration(IN(store.gc_grace), seconds(0)),
             "How long content that nothing names is kept after it was last asked for."),
      option("store.untagged-ttl", duration_or_never(IN(store.untagged_ttl), seconds(0)),
             "How long manifests without a tag are kept."),
      option("store.events-kept", number(IN(store.events_kept), 1, kMany),
             "Entries of the change feed that are kept."),
      option("store.scrub-rate", size(IN(store.scrub_bytes_per_second), 0),
             "Bytes a second that the background scrub reads; 0 turns it off."),
      option("http.threads", number(IN(http.threads), 0, 1024),
             "Event loops, one thread each; 0 is one per core."),
      option("http.connections", number(IN(http.connections_max), 1, kMany),
             "Connections at once; more are answered 503."),
      option("http.header-max", size(IN(http.header_bytes_max), kKi, 64 * kMi),
             "Request line and headers; larger ones are answered 431."),
      option("http.target-max", size(IN(http.target_bytes_max), 256, 64 * kMi),
             "Path and query; longer ones are answered 414."),
      option("http.idle-timeout", duration(IN(http.idle_timeout), seconds(1)),
             "Connections that send no request for so long are closed."),
      option("http.progress-timeout", duration(IN(http.progress_timeout), seconds(1)),
             "Transfers without a byte for so long are ended."),
      option("http.access-log", on_off(IN(http.access_log)), "Log a line for each request."),
      option("registry.manifest-max", size(IN(registry.manifest_bytes_max), kKi, 256 * kMi),
             "Larger manifests are answered 413."),
      option("registry.blob-max", size(IN(registry.blob_bytes_max), 0),
             "Larger blobs are answered 413; 0 is whatever the disk holds."),
      option("registry.page-max", number(IN(registry.page_entries_max), 1, 1'000'000),
             "Entries in one page of a tag list or the catalog at most."),
      option("registry.catalog-page", number(IN(registry.catalog_page_default), 1, 1'000'000),
             "Entries in a page of the catalog that is asked for without `n`."),
      option("registry.ranges-max", number(IN(registry.ranges_max), 1, 10'000),
             "Ranges in one request; more are answered 400."),
      option("registry.tags-per-put", number(IN(registry.tags_per_put_max), 1, 10'000),
             "Tags set by one manifest PUT; more are answered 414."),
      option("registry.deletes", on_off(IN(registry.deletes)),
             "Allow DELETE through the registry API."),
      option("cluster.replicas", number(IN(cluster.replicas.replicas), 1, 1000),
             "Nodes that keep a pushed image, with the one it was pushed to."),
      with_default("none",
                   option("cluster.replicas-for", replica_patterns(IN(cluster.replicas.patterns)),
                          "The same for repositories that match, the first match counts.")),
      with_default("none", option("cluster.spread", text(IN(cluster.replicas.spread)),
                                  "A label whose values shall differ between the copies.")),
      option("cluster.durability",
             choice<Durability>(
                 IN(cluster.replicas.durability),
                 {{"local", Durability::local}, {"replicated", Durability::replicated}}),
             "Whether a push is acknowledged before or after it was copied."),
      option("cluster.repair-delay", duration(IN(cluster.repair_delay), seconds(0)),
             "From a change of members to the copies that it calls for."),
      option("cluster.liveness", duration(IN(cluster.liveness), seconds(3)),
             "A node that is silent for so long is taken for dead; large clusters take longer."),
      option("cluster.certificate-lifetime", duration(IN(cluster.certificate_lifetime), seconds(3)),
             "Of the certificates that this node signs; they are renewed in time."),
      option("swarm.send-rate", size(IN(cluster.swarm_rates.send), 0),
             "Bytes a second that layers leave this node with; 0 is no limit."),
      option("swarm.receive-rate", size(IN(cluster.swarm_rates.receive), 0),
             "Bytes a second that layers come to this node with; 0 is no limit."),
      option(
          "swarm.copies-rate", size(IN(cluster.swarm_rates.receive_copies), 0),
          "The same for copies that `cluster.replicas` calls for, until a client waits for one."),
      with_default("none: nodes alone",
                   option("swarm.open", own_address(IN(cluster.swarm_open)),
                          "Where any client of this host may speak BitTorrent; for tests.")),
      option(
          "cluster.state", text(IN(cluster.state.url)),
          "Where the first node keeps the cluster's state: `embedded` or `etcd://HOST:PORT,...`."),
      with_default("none", option("cluster.state-ca", file(IN(cluster.state.ca)),
                                  "PEM file of the authority of etcd's certificates (etcds://).")),
      with_default("none", option("cluster.state-cert", file(IN(cluster.state.certificate)),
                                  "PEM file of the certificate to show to etcd.")),
      with_default(
          "none", option("cluster.state-key", file(IN(cluster.state.key)), "PEM file of its key.")),
      with_default(
          "none", option("cluster.state-user", text(IN(cluster.state.user)), "User name at etcd.")),
      with_default("none",
                   option("cluster.state-password-file", file(IN(cluster.state.password_file)),
                          "File with the password at etcd.")),
      option("log.format",
             choice<LogFormat>(IN(log.format), {{"auto", LogFormat::automatic},
                                                {"text", LogFormat::text},
                                                {"json", LogFormat::json}}),
             "`auto` is text on a terminal and JSON lines elsewhere."),
      option("log.level",
             choice<LogLevel>(IN(log.level), {{"debug", LogLevel::debug},
                                              {"info", LogLevel::info},
                                              {"warn", LogLevel::warn},
                                              {"error", LogLevel::error}}),
             "The least important lines to log."),
  };
#undef IN
}

}  // namespace

std::string Option::flag() const { return spelled("--", key, '-', false); }
std::string Option::environment() const { return spelled("SHOAL_", key, '_', true); }

const std::vector<Option>& node_options() {
  static const std::vector<Option> options = make_options();
  return options;
}

Result<void> check(const NodeConfig& config) {
  if (config.store.low_watermark > config.store.high_watermark) {
    return fail(Errc::usage, "store.low-watermark is above store.high-watermark");
  }
  const ClusterConfig& cluster = config.cluster;
  if (cluster.listen.empty() && (!cluster.join.empty() || !cluster.token.empty())) {
    return fail(Errc::usage,
                "join and token need cluster.listen: the address where the other nodes reach this "
                "one, such as 10.0.0.7:5001");
  }
  if (cluster.listen.empty() && cluster.swarm_open) {
    return fail(Errc::usage,
                "swarm.open needs cluster.listen: a node that stands alone has no swarm");
  }
  return {};
}

}  // namespace shoal
