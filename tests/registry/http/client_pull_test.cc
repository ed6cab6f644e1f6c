// Bodies that the client takes at its own pace, and calls that another thread ends.

#include <sys/socket.h>

#include <future>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "registry/http/client.h"
#include "registry/http/listen_address.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

using asio::ip::tcp;

constexpr std::chrono::seconds kTimeout{30};

HttpClient client_of(const std::string& address, std::chrono::seconds timeout = kTimeout,
                     const std::string& scheme = "http://") {
  return HttpClient::to(scheme + address, timeout).value();
}

/// Answers each connection, one after the other, with the next text, and closes it.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers)
      : acceptor_(listen_on(context_, *parse_listen_address("127.0.0.1:0")).value()),
        thread_([this, answers = std::move(answers)] { serve(answers); }) {}
  ~ScriptedServer() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string address() const { return to_string(acceptor_.local_endpoint()); }

 private:
  void serve(const std::vector<std::string>& answers) {
    for (const auto& answer : answers) {
      boost::system::error_code error;
      tcp::socket socket(context_);
      acceptor_.accept(socket, error);
      std::string request;
      while (!error && request.find("\r\n\r\n") == std::string::npos) {
        char piece[1'000];
        request.append(piece, socket.read_some(asio::buffer(piece), error));
      }
      asio::write(socket, asio::buffer(answer), error);
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

asio::awaitable<Response> pieces(Request& request) {
  Response response;
  response.headers.add("X-Remote", request.remote);
  response.body = std::make_unique<PiecesBody>(std::string(1'000, 'x'), 1'000);
  if (request.path == "/measured") response.length = 1'000'000;
  co_return response;
}

TEST_CASE("A body is pulled, and the connection is used again", "[http]") {
  TestServer server(pieces);
  auto client = client_of(server.address());
  const auto* const target = GENERATE("/", "/measured");
  std::string piece(333'333, '\0');
  std::string remote;
  for (int i = 0; i < 2; ++i) {
    const auto head = client.open("GET", target);
    REQUIRE(head.has_value());
    CHECK(head->status == 200);
    const std::string its_remote(head->headers.find("X-Remote").value_or(""));
    if (i > 0) CHECK(its_remote == remote);
    remote = its_remote;
    for (int n = 0; n < 3; ++n) CHECK(client.read_body(piece) == piece.size());
    CHECK(client.read_body(piece) == 1);
    CHECK(client.read_body(piece) == 0);
  }
}

TEST_CASE("The rest of a body is dropped by the next request", "[http]") {
  TestServer server(pieces);
  auto client = client_of(server.address());
  const auto* const target = GENERATE("/", "/measured");
  std::string piece(10, '\0');
  REQUIRE(client.open("GET", target).has_value());
  CHECK(client.read_body(piece) == piece.size());
  const auto answer = client.send("GET", target);
  REQUIRE(answer.has_value());
  CHECK(answer->body == std::string(1'000'000, 'x'));
}

TEST_CASE("Without a body there is nothing to pull", "[http]") {
  TestServer server(pieces);
  auto client = client_of(server.address());
  std::string piece(10, '\0');
  CHECK(client.read_body(piece) == 0);
  REQUIRE(client.open("HEAD", "/measured").has_value());
  CHECK(client.read_body(piece) == 0);
}

TEST_CASE("A body that ends before its announced length is an error that stays", "[http]") {
  ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"});
  auto client = client_of(server.address());
  std::string piece(3, '\0');
  for (int i = 0; i < 2; ++i) {
    REQUIRE(client.open("GET", "/").has_value());
    CHECK(client.read_body(piece) == 3);
    CHECK(piece == "abc");
    for (int n = 0; n < 2; ++n) {
      const auto count = client.read_body(piece);
      REQUIRE_FALSE(count.has_value());
      CHECK(count.error().code == Errc::io);
    }
  }
}

TEST_CASE("A body without a length goes on to the connection's end", "[http]") {
  const std::string answer = "HTTP/1.1 200 OK\r\n\r\nabcdefg";
  ScriptedServer server({answer, answer});
  auto client = client_of(server.address());
  REQUIRE(client.open("GET", "/").has_value());
  std::string piece(5, '\0');
  CHECK(client.read_body(piece) == 5);
  CHECK(client.read_body(piece) == 2);
  CHECK(client.read_body(piece) == 0);
  CHECK(client.send("GET", "/")->body == "abcdefg");
}

TEST_CASE("A connection that the server closed after its answer is not used again", "[http]") {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
  ScriptedServer server({answer + "1", answer + "2", answer + "3"});
  auto client = client_of(server.address());
  for (const auto* const body : {"1", "2", "3"}) {
    const auto got = client.send("POST", "/");
    REQUIRE(got.has_value());
    CHECK(got->body == body);
  }
}

TEST_CASE("What follows an answer unasked is not taken for the next one", "[http]") {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
  ScriptedServer server({answer + "1" + answer + "x", answer + "2"});
  auto client = client_of(server.address());
  CHECK(client.send("GET", "/")->body == "1");
  CHECK(client.send("GET", "/")->body == "2");
}

TEST_CASE("Lines are asked for with a body and headers", "[http]") {
  const Handler handler = [](Request& request) -> asio::awaitable<Response> {
    const auto body = co_await read_all(request);
    Response response;
    response.body = body.value_or("broken");
    response.body = std::get<std::string>(response.body) + "\n" +
                    std::string(request.headers.find("X-Sent").value_or("none"));
    co_return response;
  };
  TestServer server(handler);
  auto client = client_of(server.address());
  Headers headers;
  headers.add("X-Sent", "value");
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  CHECK(client.stream_lines("POST", "/", take, "text", headers) == 200);
  CHECK(lines == std::vector<std::string>{"text", "value"});
}

TEST_CASE("A patient stream outlasts a silence", "[http]") {
  Faucet faucet;
  const Handler handler = [&](Request& request) -> asio::awaitable<Response> {
    Response response;
    response.body =
        request.path == "/" ? faucet.open("first\n") : std::make_unique<PiecesBody>("next\n", 1);
    co_return response;
  };
  TestServer server(handler);
  auto client = client_of(server.address(), std::chrono::seconds(1));
  std::promise<void> begun;
  auto patient = std::async(std::launch::async, [&] {
    const auto take = [&](std::string_view) {
      begun.set_value();
      return true;
    };
    return client.stream_lines("GET", "/", take, {}, {}, true);
  });
  begun.get_future().wait();
  // Somebody who is not patient, and came later, gives up first.
  asio::io_context context;
  const auto silent = listen_on(context, *parse_listen_address("127.0.0.1:0"));
  auto other = client_of(to_string(silent->local_endpoint()), std::chrono::seconds(2));
  CHECK(other.send("GET", "/").error().code == Errc::timed_out);
  faucet.close();
  CHECK(patient.get() == 200);
  CHECK(client.send("GET", "/next").has_value());
}

void check_interrupted(HttpClient& client) {
  const auto later = client.send("GET", "/");
  REQUIRE_FALSE(later.has_value());
  CHECK(later.error().code == Errc::unavailable);
}

TEST_CASE("Connecting can be interrupted", "[http]") {
  asio::io_context context;
  tcp::acceptor full(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  ::listen(full.native_handle(), 0);
  std::vector<tcp::socket> waiting;  // More than the kernel accepts on behalf of nobody.
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(context, tcp::v4());
    waiting.back().non_blocking(true);
    // Asio's own would wait all the same.
    auto endpoint = full.local_endpoint();
    ::connect(waiting.back().native_handle(), endpoint.data(),
              static_cast<socklen_t>(endpoint.size()));
  }
  auto client = client_of(to_string(full.local_endpoint()), std::chrono::seconds(1'000));
  auto call = std::async(std::launch::async, [&] { return client.send("GET", "/"); });
  client.interrupt();
  CHECK(call.get().error().code == Errc::unavailable);
  check_interrupted(client);
}

TEST_CASE("A wait for an answer can be interrupted", "[http]") {
  asio::io_context context;
  auto silent = listen_on(context, *parse_listen_address("127.0.0.1:0")).value();
  const auto* const scheme = GENERATE("http://", "https://");
  auto client = client_of(to_string(silent.local_endpoint()), std::chrono::seconds(1'000), scheme);
  auto call = std::async(std::launch::async, [&] { return client.send("GET", "/"); });
  auto socket = silent.accept();
  char byte = 0;
  socket.read_some(asio::buffer(&byte, 1));  // It is under way.
  client.interrupt();
  CHECK(call.get().error().code == Errc::unavailable);
  check_interrupted(client);
}

TEST_CASE("A body can be interrupted, whether it comes or not", "[http]") {
  Faucet faucet;
  const Handler handler = [&](Request& request) -> asio::awaitable<Response> {
    Response response;
    if (request.path == "/silent") {
      response.body = faucet.open("x");
    } else {
      response.body = std::make_unique<PiecesBody>(std::string(100'000, 'x'), 1'000'000'000);
    }
    co_return response;
  };
  TestServer server(handler);
  const bool silent = GENERATE(true, false);
  auto client = client_of(server.address(), std::chrono::seconds(1'000));
  REQUIRE(client.open("GET", silent ? "/silent" : "/endless").has_value());
  std::string piece(1, '\0');
  REQUIRE(client.read_body(piece) == 1);
  auto call = std::async(std::launch::async, [&] {
    std::string rest(100'000, '\0');
    Result<std::size_t> count = 0;
    do {
      count = client.read_body(rest);
    } while (count && *count == rest.size());
    return count;
  });
  client.interrupt();
  const auto count = call.get();
  REQUIRE_FALSE(count.has_value());
  CHECK(count.error().code == Errc::unavailable);
  check_interrupted(client);
  if (silent) faucet.close();
}

}  // namespace
}  // namespace shoal
