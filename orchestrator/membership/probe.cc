#include "orchestrator/membership/probe.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kAnswerBytesMax = 256 << 10;
constexpr std::size_t kEngineTextBytesMax = 64;
constexpr std::size_t kHttpVersionBytes = std::string_view("HTTP/1.1").size();
// HTTP/1.0: the body has no chunks, and ends with the connection.
constexpr std::string_view kRequest = "GET /version HTTP/1.0\r\nHost: localhost\r\n\r\n";

class Socket {
 public:
  Socket() : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (descriptor_ < 0 || path.size() >= sizeof address.sun_path) return false;
    std::copy(path.begin(), path.end(), address.sun_path);
    // NOLINTNEXTLINE: the sockets API wants it so. A full queue of a busy engine counts as none.
    return ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  bool send(std::string_view text) {
    const ssize_t count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
    return count == static_cast<ssize_t>(text.size());
  }

  /// Everything until the peer closes; nothing when it does not in time.
  std::optional<std::string> read_to_end(SteadyClock::time_point deadline) {
    std::string text;
    char buffer[16'384];
    while (text.size() <= kAnswerBytesMax) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
      pollfd wait{descriptor_, POLLIN, 0};
      const int ready = left.count() > 0 ? ::poll(&wait, 1, static_cast<int>(left.count())) : 0;
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return std::nullopt;
      const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) return std::nullopt;
      if (count == 0) return text;
      text.append(buffer, static_cast<std::size_t>(count));
    }
    return std::nullopt;
  }

 private:
  int descriptor_;
};

std::uint64_t disk_bytes(const std::filesystem::path& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  return error ? 0 : space.capacity;
}

/// Engines say what they like; a member record holds short printable texts.
std::string plain(std::string text) {
  const auto odd = [](char c) { return c < ' ' || c > '~'; };
  text.erase(std::remove_if(text.begin(), text.end(), odd), text.end());
  if (text.size() > kEngineTextBytesMax) text.resize(kEngineTextBytesMax);
  return text;
}

}  // namespace

Capacity probe_capacity(const std::filesystem::path& store) {
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto page_bytes = ::sysconf(_SC_PAGESIZE);
  const bool known = pages > 0 && page_bytes > 0;
  const auto memory =
      known ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes) : 0;
  return {disk_bytes(store), memory, std::thread::hardware_concurrency()};
}

std::optional<Engine> probe_engine(const std::filesystem::path& socket,
                                   std::chrono::milliseconds patience) {
  const auto deadline = SteadyClock::now() + patience;
  Socket connection;
  if (!connection.connect(socket.string()) || !connection.send(kRequest)) return std::nullopt;
  const auto answer = connection.read_to_end(deadline);
  if (!answer) return std::nullopt;
  const auto body = answer->find("\r\n\r\n");
  const bool good = answer->starts_with("HTTP/1.") && answer->find(" 200 ") == kHttpVersionBytes;
  if (!good || body == answer->npos) return std::nullopt;
  return parse_engine_version(std::string_view(*answer).substr(body + 4));
}

std::optional<Engine> probe_engine() {
  for (const auto* const socket : {"/var/run/docker.sock", "/run/podman/podman.sock"}) {
    if (auto engine = probe_engine(socket, std::chrono::seconds(2))) return engine;
  }
  return std::nullopt;
}

std::optional<Engine> parse_engine_version(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto field = [&json](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? plain(found->get<std::string>())
                                                     : std::string();
  };
  Engine engine{"docker", field("Version"), field("ApiVersion")};
  if (engine.version.empty()) return std::nullopt;
  // Podman says so in the name of its first component, "Podman Engine", and nowhere else.
  const auto components = json.find("Components");
  if (components == json.end() || !components->is_array()) return engine;
  for (const auto& component : *components) {
    const auto name = component.is_object() ? component.find("Name") : component.end();
    const bool podman = component.is_object() && name != component.end() && name->is_string() &&
                        name->get<std::string>().starts_with("Podman");
    if (podman) engine.kind = "podman";
  }
  return engine;
}

}  // namespace shoal
