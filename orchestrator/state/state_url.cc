#include "orchestrator/state/state_url.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "storage/number.h"

namespace shoal {
namespace {

constexpr const char* kDefaultPrefix = "shoal/v1/";
constexpr const char* kDefaultPort = "2379";

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(Errc::usage,
              fmt::format("`{}` is not the place of a cluster state: {}; write `embedded`, "
                          "`etcd://10.0.0.1:2379,10.0.0.2:2379` or `etcds://...`",
                          text, why));
}

/// `h`, `h:1`, `[::1]` or `[::1]:1` with its port; empty if it is none of these.
std::string with_port(std::string_view host) {
  auto name = host;
  std::string_view port = kDefaultPort;
  const auto colon = host.rfind(':');
  if (colon != host.npos && !host.ends_with(']')) {
    name = host.substr(0, colon);
    port = host.substr(colon + 1);
    const auto number = parse_number(port);
    if (!number || *number == 0 || *number > 65535) return {};
  }
  const bool brackets = name.starts_with('[') && name.ends_with(']') && name.size() > 2;
  if (name.empty() || name.find_first_of(" @?#\"\\") != name.npos) return {};
  if (!brackets && name.find_first_of(":[]") != name.npos) return {};
  return fmt::format("{}:{}", name, port);
}

Result<std::string> read(const std::filesystem::path& path, std::string_view option) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file.is_open() || file.bad()) {
    return fail(Errc::io,
                fmt::format("{}: cannot read {}: {}", option, path.string(), std::strerror(errno)));
  }
  return text;
}

}  // namespace

std::string StateUrl::text() const {
  if (embedded) return "embedded";
  auto url = fmt::format("{}://{}", tls ? "etcds" : "etcd", fmt::join(hosts, ","));
  if (prefix != kDefaultPrefix) url += '/' + prefix.substr(0, prefix.size() - 1);
  return url;
}

Result<StateUrl> parse_state_url(std::string_view text) {
  if (text == "embedded") return StateUrl{};
  StateUrl url;
  url.embedded = false;
  url.prefix = kDefaultPrefix;
  auto rest = text;
  if (rest.starts_with("etcd://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("etcds://")) {
    rest.remove_prefix(8);
    url.tls = true;
  } else if (rest.starts_with("http://") || rest.starts_with("https://")) {
    return refuse(text, "an etcd's begins with etcd:// (plain) or etcds:// (TLS)");
  } else {
    return refuse(text, "it begins with none of the known names");
  }
  const auto slash = rest.find('/');
  const auto authority = rest.substr(0, slash);
  if (authority.find('@') != authority.npos) {
    // Not echoed: what stands there may be a password.
    return fail(Errc::usage,
                "a user does not belong into the place of a cluster state: use state-user and "
                "state-password-file");
  }
  std::set<std::string> met;
  for (std::size_t at = 0; at <= authority.size();) {
    const auto comma = std::min(authority.find(',', at), authority.size());
    const auto host = authority.substr(at, comma - at);
    auto whole = with_port(host);
    if (whole.empty()) return refuse(text, fmt::format("`{}` is not HOST:PORT", host));
    if (!met.insert(whole).second) return refuse(text, fmt::format("{} is there twice", whole));
    url.hosts.push_back(std::move(whole));
    at = comma + 1;
  }
  if (slash != rest.npos && slash + 1 < rest.size()) {
    url.prefix = rest.substr(slash + 1);
    if (!url.prefix.ends_with('/')) url.prefix += '/';
    if (url.prefix.starts_with('/') || url.prefix.find("//") != std::string::npos ||
        url.prefix.find_first_of(" ?#\"\\") != std::string::npos) {
      return refuse(text, "its prefix is written like team-a/shoal");
    }
  }
  return url;
}

Result<EtcdConfig> etcd_config(const StateUrl& url, const StateFiles& files) {
  if (url.embedded) return fail(Errc::usage, "an embedded state is no etcd");
  EtcdConfig config;
  config.prefix = url.prefix;
  for (const auto& host : url.hosts) {
    config.endpoints.push_back(fmt::format("{}://{}", url.tls ? "https" : "http", host));
  }
  const bool any_tls = !files.ca.empty() || !files.certificate.empty() || !files.key.empty();
  if (!url.tls && any_tls) {
    return fail(Errc::usage, fmt::format("state-ca, state-cert and state-key are for TLS: write "
                                         "etcds:// instead of {}",
                                         url.text()));
  }
  if (files.certificate.empty() != files.key.empty()) {
    return fail(Errc::usage, "state-cert and state-key belong together");
  }
  if (files.user.empty() != files.password_file.empty()) {
    return fail(Errc::usage, "state-user and state-password-file belong together");
  }
  if (url.tls) {
    TlsConfig tls;
    const auto load = [](std::string& into, const std::filesystem::path& path, const char* option) {
      if (path.empty()) return Result<void>{};
      auto text = read(path, option);
      if (!text) return Result<void>(tl::unexpected(text.error()));
      into = std::move(*text);
      return Result<void>{};
    };
    if (auto done = load(tls.authorities_pem, files.ca, "state-ca"); !done) {
      return tl::unexpected(done.error());
    }
    if (auto done = load(tls.certificate_pem, files.certificate, "state-cert"); !done) {
      return tl::unexpected(done.error());
    }
    if (auto done = load(tls.key_pem, files.key, "state-key"); !done) {
      return tl::unexpected(done.error());
    }
    auto context = TlsContext::client(tls);
    if (!context) {
      return fail(Errc::usage,
                  fmt::format("state-ca, state-cert or state-key: {}", context.error().message));
    }
    config.tls = std::move(*context);
  }
  if (!files.user.empty()) {
    auto password = read(files.password_file, "state-password-file");
    if (!password) return tl::unexpected(password.error());
    password->resize(std::min(password->find_first_of("\r\n"), password->size()));
    if (password->empty()) {
      return fail(Errc::usage, fmt::format("state-password-file: the first line of {} is empty",
                                           files.password_file.string()));
    }
    config.user = files.user;
    config.password = std::move(*password);
  }
  return config;
}

}  // namespace shoal
