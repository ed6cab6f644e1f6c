#include <array>
#include <string>
#include <thread>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "orchestrator/engine/health_probe.h"
#include "tests/orchestrator/engine/engine_bench.h"

namespace shoal {
namespace {

using asio::ip::tcp;
using std::chrono::milliseconds;

/// A service on a free port of loopback: answers one request, or takes it and says nothing.
class Service {
 public:
  explicit Service(std::string answer)
      : acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        thread_([this, text = std::move(answer)] {
          boost::system::error_code error;
          tcp::socket socket(context_);
          acceptor_.accept(socket, error);
          asio::streambuf request;
          asio::read_until(socket, request, "\r\n\r\n", error);
          seen_ =
              std::string(asio::buffers_begin(request.data()), asio::buffers_end(request.data()));
          if (!text.empty()) {
            asio::write(socket, asio::buffer(text), error);
            return;
          }
          std::array<char, 1> byte{};
          socket.read_some(asio::buffer(byte), error);
        }) {}
  ~Service() { thread_.join(); }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] std::string seen() {
    thread_.join();
    thread_ = std::thread([] {});
    return seen_;
  }

 private:
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::string seen_;
  std::thread thread_;
};

struct ProbeBench : EngineBench {
  ProbeBench() : EngineBench(EngineKind::docker) {}
  Result<void> probe(CccfHealthCheck::Kind kind, std::uint16_t port,
                     Interrupt* interrupt = nullptr) {
    check.kind = kind;
    check.port = port;
    const StreamAddress address{{}, "127.0.0.1", port};
    return run(probe_health(engine, container, check, address, interrupt));
  }
  OwnedContainer container = owned(slot_of("web", 1), ContainerPhase::running);
  CccfHealthCheck check{CccfHealthCheck::Kind::http, 0, "/ready?x=1", {"true"}};
};

TEST_CASE("An HTTP check asks for its path and takes a status from 200 to 399", "[engine]") {
  const auto [status, well] = GENERATE(table<std::string, bool>(
      {{"200 OK", true}, {"302 Found", true}, {"404 Not Found", false}, {"503 Busy", false}}));
  ProbeBench bench;
  Service service("HTTP/1.1 " + status + "\r\nContent-Length: 1000000\r\n\r\n");
  const auto probed = bench.probe(CccfHealthCheck::Kind::http, service.port());
  CHECK(probed.has_value() == well);
  CHECK(service.seen().starts_with("GET /ready?x=1 HTTP/1.1\r\n"));
}

TEST_CASE("A service that says nothing is late, one that says nonsense is not well", "[engine]") {
  ProbeBench bench;
  bench.check.timeout = milliseconds(50);
  Service silent("");
  CHECK(bench.probe(CccfHealthCheck::Kind::http, silent.port()).error().code == Errc::timed_out);
  bench.check.timeout = milliseconds(5000);
  Service strange("220 mail\r\n\r\n");
  CHECK(bench.probe(CccfHealthCheck::Kind::http, strange.port()).error().code == Errc::io);
}

TEST_CASE("A TCP check wants a connection, and nothing said", "[engine]") {
  ProbeBench bench;
  std::uint16_t port = 0;
  {
    Service service("x");
    port = service.port();
    CHECK(bench.probe(CccfHealthCheck::Kind::tcp, port));
  }
  CHECK(bench.probe(CccfHealthCheck::Kind::tcp, port).error().code == Errc::unavailable);
}

TEST_CASE("An exec check wants an exit code of 0, and shows what was said otherwise", "[engine]") {
  ProbeBench bench;
  CHECK(bench.probe(CccfHealthCheck::Kind::exec, 0));
  FakeEngine::Fault fails{"/exec", FakeEngine::Fault::Kind::fail_exec};
  fails.status = 1;
  bench.fake.script(fails);
  const auto probed = bench.probe(CccfHealthCheck::Kind::exec, 0);
  REQUIRE_FALSE(probed);
  CHECK(probed.error().message == "exit code 1: hi\n");
}

TEST_CASE("A check that nobody wants any more ends at once", "[engine]") {
  ProbeBench bench;
  Interrupt interrupt;
  interrupt.raise();
  Service service("x");
  CHECK(bench.probe(CccfHealthCheck::Kind::http, service.port(), &interrupt).error().code ==
        Errc::unavailable);
  CHECK(bench.probe(CccfHealthCheck::Kind::tcp, service.port()));
}

TEST_CASE("A port is asked where it is published, else at the container, else on loopback",
          "[engine]") {
  Container container;
  const std::vector<CccfPort> published = {{8080, 80, CccfPort::Protocol::tcp},
                                           {53, 81, CccfPort::Protocol::udp}};
  CHECK(health_address(container, published, 80).text() == "127.0.0.1:8080");
  CHECK(health_address(container, published, 81).text() == "127.0.0.1:81");
  container.address = "172.17.0.2";
  CHECK(health_address(container, published, 80).text() == "127.0.0.1:8080");
  CHECK(health_address(container, published, 81).text() == "172.17.0.2:81");
  container.host_network = true;
  CHECK(health_address(container, published, 80).text() == "127.0.0.1:80");
}

}  // namespace
}  // namespace shoal
