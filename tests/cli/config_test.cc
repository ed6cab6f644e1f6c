#include "cli/config.h"

#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "cli/config_file.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

using Catch::Contains;

/// A made-up user with a folder of its own.
struct ConfigTest {
  ConfigTest() { sources.environment = {{"HOME", folder.string()}}; }

  /// Writes the file that --config names.
  void write(const std::string& text) {
    sources.file = folder / "shoal.yaml";
    std::ofstream(*sources.file) << text;
  }

  const Setting& setting(const LoadedConfig& loaded, std::string_view key) {
    for (const Setting& setting : loaded.settings) {
      if (setting.option->key == key) return setting;
    }
    FAIL("no option " << key);
    throw std::logic_error("not reached");
  }

  std::string failure() {
    const auto loaded = load_config(sources);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == Errc::usage);
    return loaded.error().message;
  }

  TempFolder home;
  const std::filesystem::path folder = home.path();
  ConfigSources sources;
};

TEST_CASE_METHOD(ConfigTest, "Without a word from anyone the defaults of the parts stand",
                 "[cli]") {
  const auto loaded = load_config(sources).value();
  CHECK(loaded.config.http.listen == std::vector<std::string>{"127.0.0.1:5000"});
  CHECK(loaded.config.store.segment_bytes == StoreConfig().segment_bytes);
  CHECK_FALSE(loaded.file);
  for (const Setting& setting : loaded.settings) CHECK(setting.origin == "default");
}

TEST_CASE_METHOD(ConfigTest, "A flag beats the environment, which beats the file", "[cli]") {
  write("store:\n  quota: 1GiB\n  reserve: 1MiB\n  cache: 1MiB\n");
  sources.environment["SHOAL_STORE_QUOTA"] = "2GiB";
  sources.environment["SHOAL_STORE_RESERVE"] = "2MiB";
  sources.flags = {{"store.quota", "3GiB"}};
  const auto loaded = load_config(sources).value();

  CHECK(loaded.config.store.quota_bytes == 3ULL << 30);
  CHECK(loaded.config.store.reserve_bytes == 2 << 20);
  CHECK(loaded.config.store.cache_bytes == 1 << 20);
  CHECK(setting(loaded, "store.quota").origin == "--store-quota");
  CHECK(setting(loaded, "store.quota").value == "3GiB");
  CHECK(setting(loaded, "store.reserve").origin == "SHOAL_STORE_RESERVE");
  CHECK(setting(loaded, "store.cache").origin == sources.file->string() + ":4");
  CHECK(setting(loaded, "listen").origin == "default");
}

TEST_CASE_METHOD(ConfigTest, "Every option can be set in each of the three ways", "[cli]") {
  // A value that no option has by default, by the option's own key where kinds do not tell.
  const std::map<std::string, std::string> values = {{"size", "5MiB"},
                                                     {"duration", "77s"},
                                                     {"duration or `never`", "77s"},
                                                     {"number", "7"},
                                                     {"percentage", "85%"},
                                                     {"list of HOST:PORT", "[::1]:1,127.0.0.1:2"},
                                                     {"HOST:PORT", "127.0.0.9:6881"},
                                                     {"list of NAME=VALUE", "dc=west,rack=r7"},
                                                     {"list of PATTERN=COUNT", "team/*=3,a=1"},
                                                     {"path", "/srv/shoal"},
                                                     {"text", "some-text"},
                                                     {"`local`, `replicated`", "local"},
                                                     {"`none`, `untagged`, `all`", "all"},
                                                     {"`auto`, `text`, `json`", "json"},
                                                     {"`debug`, `info`, `warn`, `error`", "warn"}};
  for (const Option& option : node_options()) {
    CAPTURE(option.key);
    std::string value;
    if (option.type == "`true`, `false`")
      value = option.default_text == "true" ? "false" : "true";
    else
      value = values.at(option.type);

    ConfigSources by_flag{{{option.key, value}}, {}, sources.environment, false};
    if (option.key == "store.low-watermark")
      by_flag.flags.emplace_back("store.high-watermark", "85%");
    const bool needs_cluster =
        option.key == "join" || option.key == "token" || option.key == "swarm.open";
    if (needs_cluster) by_flag.flags.emplace_back("cluster.listen", "127.0.0.1:0");
    const std::string shown = option.secret ? "(set)" : value;
    CHECK(setting(load_config(by_flag).value(), option.key).value == shown);

    ConfigSources by_environment{{}, {}, sources.environment, false};
    if (needs_cluster) by_environment.environment["SHOAL_CLUSTER_LISTEN"] = "127.0.0.1:0";
    by_environment.environment[option.environment()] = value;
    CHECK(setting(load_config(by_environment).value(), option.key).value == shown);

    const auto dot = option.key.find('.');
    const bool nested = dot != std::string::npos;
    const std::string cluster = needs_cluster ? "cluster:\n  listen: '127.0.0.1:0'\n" : "";
    write(cluster + (nested ? option.key.substr(0, dot) + ":\n  " + option.key.substr(dot + 1) +
                                  ": '" + value + "'"
                            : option.key + ": '" + value + "'"));
    const auto from_file = load_config(sources).value();
    CHECK(setting(from_file, option.key).value == shown);
    CHECK(setting(from_file, option.key).value != option.default_text);
  }
}

TEST_CASE("Keys, flags and variables are all different, and defaults are accepted", "[cli]") {
  std::set<std::string> names;
  for (const Option& option : node_options()) {
    CAPTURE(option.key);
    CHECK(names.insert(option.flag()).second);
    CHECK(names.insert(option.environment()).second);
    NodeConfig config;
    if (option.key != "data") CHECK(option.set(config, option.show(NodeConfig{})));
  }
}

TEST_CASE_METHOD(ConfigTest, "An unknown key is an error with file, line and nearest key",
                 "[cli]") {
  write("# a comment\nlisten: 127.0.0.1:0\nstore:\n  qota: 5GiB\n");
  CHECK(failure() ==
        sources.file->string() +
            ":4: unknown key \"store.qota\"; the nearest known key is \"store.quota\"");
}

TEST_CASE_METHOD(ConfigTest, "An unknown variable is an error with the nearest one", "[cli]") {
  sources.environment["SHOAL_STORE_QOTA"] = "5GiB";
  CHECK(
      failure() ==
      "unknown environment variable SHOAL_STORE_QOTA; the nearest known one is SHOAL_STORE_QUOTA");
}

TEST_CASE_METHOD(ConfigTest, "Variables of the commands and of others are left alone", "[cli]") {
  sources.environment["SHOAL_NODE"] = "http://127.0.0.1:5000";
  sources.environment["SHOALS"] = "1";
  sources.environment["PATH"] = "/bin";
  CHECK(load_config(sources));
}

TEST_CASE_METHOD(ConfigTest, "A refused value names where it stands and what is right", "[cli]") {
  SECTION("in the file") {
    write("\nstore: {quota: 200}\n");
    CHECK_THAT(failure(), Contains(":2: store.quota: \"200\" is not a size") && Contains("64MiB"));
  }
  SECTION("in the environment") {
    sources.environment["SHOAL_LOG_LEVEL"] = "loud";
    CHECK(failure() ==
          "SHOAL_LOG_LEVEL: log.level: \"loud\" is none of `debug`, `info`, `warn`, `error`");
  }
  SECTION("in a flag") {
    sources.flags = {{"listen", "5000"}};
    CHECK_THAT(failure(), Contains("--listen: listen: ") && Contains("127.0.0.1:5000"));
  }
}

TEST_CASE_METHOD(ConfigTest, "Values out of range are refused", "[cli]") {
  const auto [key, text, reason] = GENERATE(table<std::string, std::string, std::string>({
      {"store.segment", "1KiB", "is smaller than 1MiB"},
      {"store.segment", "2GiB", "is larger than 1GiB"},
      {"store.upload-ttl", "20ms", "is not a whole number of seconds"},
      {"http.idle-timeout", "0", "is shorter than 1s"},
      {"store.untagged-ttl", "forever", "is not a duration"},
      {"store.threads", "0", "is not a whole number from 1 to 1024"},
      {"store.threads", "many", "is not a whole number from 1 to 1024"},
      {"store.high-watermark", "0.9", "is not a percentage"},
      {"store.high-watermark", "101%", "is not a percentage"},
      {"http.access-log", "maybe", "is neither `true` nor `false`"},
      {"listen", "127.0.0.1", "is not an address to listen on"},
      {"listen", "127.0.0.1:65536", "is not an address to listen on"},
      {"listen", "::1:5000", "is not an address to listen on"},
      {"listen", "127.0.0.1:1,,127.0.0.1:2", "is not an address to listen on"},
      {"listen", ":5000", "is not an address to listen on"},
      {"data", "", "is no path"},
      {"store.low-watermark", "95%", "store.low-watermark is above store.high-watermark"},
  }));
  CAPTURE(key, text);
  sources.flags = {{key, text}};
  CHECK_THAT(failure(), Contains(reason));
}

TEST_CASE_METHOD(ConfigTest, "A configuration file that was asked for must be there", "[cli]") {
  SECTION("by flag") { sources.file = folder / "none.yaml"; }
  SECTION("by variable") { sources.environment["SHOAL_CONFIG"] = (folder / "none.yaml").string(); }
  const auto loaded = load_config(sources);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == Errc::io);
  CHECK_THAT(loaded.error().message, Contains("none.yaml: No such file"));
}

TEST_CASE_METHOD(ConfigTest, "The configuration in the XDG folder is read when it is there",
                 "[cli]") {
  std::filesystem::create_directories(folder / ".config/shoal");
  std::ofstream(folder / ".config/shoal/shoal.yaml") << "log: {level: warn}\n";
  const auto loaded = load_config(sources).value();
  CHECK(loaded.config.log.level == LogLevel::warn);
  CHECK(loaded.file == folder / ".config/shoal/shoal.yaml");

  sources.environment["XDG_CONFIG_HOME"] = (folder / "elsewhere").string();
  CHECK_FALSE(load_config(sources).value().file);
}

TEST_CASE_METHOD(ConfigTest, "The data folder follows the user", "[cli]") {
  const auto data = [&] { return load_config(sources).value().config.store.directory; };
  CHECK(data() == folder / ".local/share/shoal");
  sources.environment["XDG_DATA_HOME"] = "/xdg";
  CHECK(data() == "/xdg/shoal");
  sources.environment["XDG_DATA_HOME"] = "relative";
  CHECK(data() == folder / ".local/share/shoal");
  sources.is_root = true;
  write("");
  CHECK(data() == "/var/lib/shoal");
  sources.is_root = false;
  sources.environment.clear();
  CHECK_THAT(failure(), Contains("--data"));
}

TEST_CASE("A configuration is read with its lines, sections and lists", "[cli]") {
  const auto entries = parse_config_file(
      "listen: [127.0.0.1:1, '[::1]:2']\nstore:\n  quota: 1GiB\n  high-watermark: 90%\nlog:\n  "
      "level: "
      "debug\nstore.cache: 1MiB\n",
      "f");
  REQUIRE(entries);
  REQUIRE(entries->size() == 5);
  CHECK((*entries)[0].key == "listen");
  CHECK((*entries)[0].value == "127.0.0.1:1,[::1]:2");
  CHECK((*entries)[2].key == "store.high-watermark");
  CHECK((*entries)[2].line == 4);
  CHECK((*entries)[4].key == "store.cache");
}

TEST_CASE("An empty configuration says nothing", "[cli]") {
  const auto* const text = GENERATE("", "\n\n", "# only a comment\n", "---\n", "~");
  CHECK(parse_config_file(text, "f").value().empty());
}

TEST_CASE("What is no configuration is refused with its line", "[cli]") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"listen", "f:1: a configuration is a list of `key: value` lines"},
      {"- listen\n", "f:1: a configuration is a list"},
      {"a: 1\nb: [1, 2\n", "f:3: "},
      {"a: 1\n\nb:\n  c: 1\na: 2\n", "f:5: \"a\" was already given in line 1"},
      {"a:\n  b: 1\na.b: 2\n", "f:3: \"a.b\" was already given in line 2"},
      {"a: 1\nb:\n", "f:2: \"b\" has no value"},
      {"a: [[1]]\n", "f:1: \"a\" must be a list of plain texts"},
      {"? [a, b]\n: 1\n", "f:1: a key must be plain text"},
      {"a: {b: {c: {d: {e: 1}}}}\n", "nests too deeply"},
      {"a: &x\n  b: *x\n", "nests too deeply"},
      {std::string((1 << 20) + 1, '#'), "f: larger than 1 MiB"},
  }));
  CAPTURE(text.substr(0, 100));
  const auto entries = parse_config_file(text, "f");
  REQUIRE_FALSE(entries);
  CHECK(entries.error().code == Errc::usage);
  CHECK_THAT(entries.error().message, Contains(message));
}

/// The table rows of docs/configuration.md must be exactly these.
std::string documented(const Option& option) {
  const bool words = option.default_text.find('`') != std::string::npos;
  const std::string value = words ? option.default_text : '`' + option.default_text + '`';
  return "| `" + option.key + "` | " + option.type + " | " + value + " | " + option.help + " |\n";
}

TEST_CASE("The guide to the configuration lists exactly the options that there are", "[cli]") {
  std::ifstream file(SOURCE_ROOT "/docs/configuration.md");
  REQUIRE(file.is_open());
  std::string rows;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| `", 0) == 0) rows += line + "\n";
  }
  std::string expected;
  for (const Option& option : node_options()) expected += documented(option);
  CHECK(rows == expected);
}

}  // namespace
}  // namespace shoal
