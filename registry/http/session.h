#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "registry/http/body_reader.h"
#include "registry/http/connection.h"
#include "registry/http/loop_state.h"
#include "registry/http/message.h"
#include "registry/http/receive_buffer.h"
#include "registry/http/request_parser.h"
#include "registry/http/server_state.h"

namespace shoal {

/// One client's connection: requests in, responses out, in order. Everything happens on its loop's
/// thread, most of it in run(), which uses the same buffers for each request.
class Session {
 public:
  /// `overload`: the one answer is 503. `loop` and `server` must outlive the session.
  Session(asio::ip::tcp::socket socket, LoopState& loop, ServerState& server, bool overload);

  /// Serves until the connection ends. Call once; the session must outlive it.
  [[nodiscard]] asio::awaitable<void> run();

  /// Once a second.
  void check() { connection_.check(); }
  /// The server is stopping: ends at once if no request is under way, else after the current one.
  void wind_up();
  /// Ends now.
  void abort() { connection_.abort(); }

 private:
  enum class Head {
    ready,    // A request for the handler.
    refused,  // A request, or something else, that is answered here.
    gone,     // Nobody to answer.
  };
  using Time = std::chrono::steady_clock::time_point;

  [[nodiscard]] asio::awaitable<bool> secure();
  [[nodiscard]] asio::awaitable<Head> receive_head();
  [[nodiscard]] asio::awaitable<Response> answer();
  [[nodiscard]] asio::awaitable<bool> send(Response& response);
  [[nodiscard]] asio::awaitable<bool> send_stream(Response& response, ResponseBody& body);
  [[nodiscard]] asio::awaitable<bool> send_text(Response& response);
  [[nodiscard]] asio::awaitable<bool> flush();
  /// Gives the connection to the response's protocol, and closes it.
  [[nodiscard]] asio::awaitable<void> hand_over(Response& response);
  [[nodiscard]] asio::awaitable<void> hang_up();
  [[nodiscard]] asio::awaitable<void> linger();

  void write_head(const Response& response, std::optional<std::uint64_t> length, bool chunked);
  /// Replaces a change of the protocol by a refusal where it cannot be; whether it stays one.
  [[nodiscard]] bool settle_upgrade(Response& response) const;
  [[nodiscard]] bool may_go_on(const Response& response) const;
  void note_served(const Response& response, Time started);

  ServerState& server_;
  LoopState& loop_;
  Connection connection_;
  ReceiveBuffer received_;
  Request request_;
  RequestParser parser_;
  BodyReader body_;
  Refusal refusal_;
  std::string head_;  // Of the response.
  std::string chunk_head_;
  std::vector<asio::const_buffer> outgoing_;
  std::uint64_t head_bytes_sent_ = 0;  // The rest of what was sent is body, for the log.
  bool overload_;
  bool head_ready_ = false;  // The handler has a request.
  bool upgrading_ = false;   // The response changes the protocol.
  bool keep_ = false;        // Another request may follow.
  bool closable_ = true;     // Nothing is under way that a stop would have to wait for.
};

}  // namespace shoal
