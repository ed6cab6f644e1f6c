#include "orchestrator/membership/probe.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

/// Something that listens on a unix socket, reads one request and says `answer`, or nothing at all.
class Listener {
 public:
  Listener(const std::string& path, std::string answer, bool silent = false)
      : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_, 4) == 0);
    if (silent) return;
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = ::accept(socket_, nullptr, nullptr);
      while (request.find("\r\n\r\n") == request.npos) {
        char buffer[1024];
        const auto count = ::recv(peer, buffer, sizeof buffer, 0);
        if (count <= 0) break;
        request.append(buffer, static_cast<std::size_t>(count));
      }
      // In two pieces, as a network would.
      ::send(peer, answer.data(), answer.size() / 2, MSG_NOSIGNAL);
      ::send(peer, answer.data() + answer.size() / 2, answer.size() - answer.size() / 2,
             MSG_NOSIGNAL);
      ::close(peer);
    });
  }
  ~Listener() {
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void wait() { thread_.join(); }
  std::string request;

 private:
  int socket_;
  std::thread thread_;
};

TEST_CASE("An engine says what it is on its socket", "[orchestrator][membership]") {
  const TempFolder folder;
  const auto path = folder.path() / "docker.sock";
  Listener engine(path.string(),
                  "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
                  R"({"Version":"20.10.24","ApiVersion":"1.41","Components":[{"Name":"Engine"}]})");
  const auto found = probe_engine(path, std::chrono::seconds(30));
  engine.wait();
  REQUIRE(found);
  CHECK(*found == Engine{"docker", "20.10.24", "1.41"});
  CHECK(engine.request.starts_with("GET /version HTTP/1.0\r\n"));
}

TEST_CASE("Podman is told from Docker by the name of its component", "[orchestrator][membership]") {
  const auto engine = parse_engine_version(
      R"({"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine"},3]})");
  REQUIRE(engine);
  CHECK(engine->kind == "podman");
  CHECK_FALSE(parse_engine_version("{}"));
  CHECK_FALSE(parse_engine_version("[]"));
  CHECK_FALSE(parse_engine_version("not JSON"));
  CHECK(parse_engine_version("{\"Version\":\"1\\u001b[31m\\n2\"}")->version == "1[31m2");
}

TEST_CASE("Where no engine answers, none is reported", "[orchestrator][membership]") {
  const TempFolder folder;
  CHECK_FALSE(probe_engine(folder.path() / "none.sock", std::chrono::seconds(1)));
  const auto silent = folder.path() / "silent.sock";
  const Listener listener(silent.string(), "", true);
  CHECK_FALSE(probe_engine(silent, std::chrono::milliseconds(50)));
  const auto odd = folder.path() / "odd.sock";
  const Listener error(odd.string(), "HTTP/1.1 500 Oops 200 \r\n\r\n{\"Version\":\"1\"}");
  CHECK_FALSE(probe_engine(odd, std::chrono::seconds(30)));
}

TEST_CASE("A machine's capacity is found out", "[orchestrator][membership]") {
  const TempFolder folder;
  const auto capacity = probe_capacity(folder.path());
  CHECK(capacity.disk_bytes > 0);
  CHECK(capacity.memory_bytes > 0);
  CHECK(capacity.cores > 0);
}

}  // namespace
}  // namespace shoal
