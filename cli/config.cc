#include "cli/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "cli/config_file.h"
#include "cli/nearest.h"

namespace shoal {
namespace {

constexpr std::string_view kPrefix = "SHOAL_";
// Read elsewhere: by the commands that talk to a node, and by load_config() itself.
constexpr std::string_view kNodeVariable = "SHOAL_NODE";
constexpr std::string_view kConfigVariable = "SHOAL_CONFIG";

// Variables of the source tree's own tools, which a node started by them inherits.
bool is_of_the_tools(std::string_view name) {
  return name == "SHOAL_JOBS" || name == "SHOAL_BINARY" || name.starts_with("SHOAL_E2E_");
}

std::optional<std::string> variable(const Environment& environment, std::string_view name) {
  const auto found = environment.find(std::string(name));
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

/// `$XDG_..._HOME`, or the folder below the home directory that stands for it. The XDG base
/// directory specification 0.8 has relative values ignored.
std::optional<std::filesystem::path> xdg(const Environment& environment, std::string_view name,
                                         std::string_view below_home) {
  const auto given = variable(environment, name);
  if (given && std::filesystem::path(*given).is_absolute()) return *given;
  const auto home = variable(environment, "HOME");
  if (!home) return std::nullopt;
  return std::filesystem::path(*home) / below_home;
}

Result<std::filesystem::path> default_data(const ConfigSources& sources) {
  if (sources.is_root) return "/var/lib/shoal";
  const auto folder = xdg(sources.environment, "XDG_DATA_HOME", ".local/share");
  if (!folder) return fail(Errc::usage, "there is no HOME to keep the data in; give --data DIR");
  return *folder / "shoal";
}

struct ConfigPath {
  std::filesystem::path path;
  bool required;
};

std::optional<ConfigPath> config_path(const ConfigSources& sources) {
  if (sources.file) return ConfigPath{*sources.file, true};
  if (const auto named = variable(sources.environment, kConfigVariable)) {
    return ConfigPath{*named, true};
  }
  if (sources.is_root) return ConfigPath{"/etc/shoal/shoal.yaml", false};
  const auto folder = xdg(sources.environment, "XDG_CONFIG_HOME", ".config");
  if (!folder) return std::nullopt;
  return ConfigPath{*folder / "shoal" / "shoal.yaml", false};
}

Result<std::string> read_file(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    return fail(Errc::io, fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  }
  return text;
}

class Loader {
 public:
  Loader() {
    for (const Option& option : node_options()) {
      loaded_.settings.push_back({&option, "", "default"});
    }
  }

  Result<void> set(std::string_view key, std::string_view text, const std::string& origin) {
    for (Setting& setting : loaded_.settings) {
      if (setting.option->key != key) continue;
      auto done = setting.option->set(loaded_.config, text);
      if (!done) {
        return fail(done.error().code,
                    fmt::format("{}: {}: {}", origin, key, done.error().message));
      }
      setting.origin = origin;
      return {};
    }
    std::vector<std::string> known;
    for (const Option& option : node_options()) known.push_back(option.key);
    return fail(Errc::usage, fmt::format("{}: unknown key \"{}\"; the nearest known key is \"{}\"",
                                         origin, key, nearest(key, known)));
  }

  Result<void> read(const ConfigPath& source) {
    std::error_code ignored;
    if (!source.required && !std::filesystem::exists(source.path, ignored)) return {};
    const auto text = read_file(source.path);
    if (!text) return tl::unexpected(text.error());
    const std::string name = source.path.string();
    const auto entries = parse_config_file(*text, name);
    if (!entries) return tl::unexpected(entries.error());
    for (const ConfigEntry& entry : *entries) {
      auto done = set(entry.key, entry.value, fmt::format("{}:{}", name, entry.line));
      if (!done) return done;
    }
    loaded_.file = source.path;
    return {};
  }

  Result<void> read(const Environment& environment) {
    std::vector<std::string> known = {std::string(kNodeVariable), std::string(kConfigVariable)};
    for (const Option& option : node_options()) {
      known.push_back(option.environment());
      const auto found = environment.find(known.back());
      if (found == environment.end()) continue;
      auto done = set(option.key, found->second, known.back());
      if (!done) return done;
    }
    for (const auto& [name, value] : environment) {
      if (!name.starts_with(kPrefix) || is_of_the_tools(name)) continue;
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      return fail(Errc::usage,
                  fmt::format("unknown environment variable {}; the nearest known one is {}", name,
                              nearest(name, known)));
    }
    return {};
  }

  Result<LoadedConfig> finish(const ConfigSources& sources) {
    if (loaded_.config.store.directory.empty()) {
      const auto data = default_data(sources);
      if (!data) return tl::unexpected(data.error());
      loaded_.config.store.directory = *data;
    }
    auto sound = check(loaded_.config);
    if (!sound) return tl::unexpected(sound.error());
    for (Setting& setting : loaded_.settings) {
      setting.value = setting.option->show(loaded_.config);
      if (setting.option->secret && !setting.value.empty()) setting.value = "(set)";
    }
    return std::move(loaded_);
  }

 private:
  LoadedConfig loaded_;
};

}  // namespace

Result<LoadedConfig> load_config(const ConfigSources& sources) {
  // From the weakest source to the strongest: what comes later overwrites.
  Loader loader;
  if (const auto path = config_path(sources)) {
    auto done = loader.read(*path);
    if (!done) return tl::unexpected(done.error());
  }
  auto done = loader.read(sources.environment);
  if (!done) return tl::unexpected(done.error());
  for (const auto& [key, text] : sources.flags) {
    const Option name{key, {}, {}, {}, {}, {}, false};
    done = loader.set(key, text, name.flag());
    if (!done) return tl::unexpected(done.error());
  }
  return loader.finish(sources);
}

}  // namespace shoal
