#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "storage/error.h"

namespace shoal {

namespace asio = boost::asio;

class Duplex;

enum class Method { get, head, post, put, patch, delete_, options, other };

/// Header fields in order; names compare without case (RFC 9110, 5.1). All text lies in one block,
/// so that a header costs two allocations and a cleared one none.
class Headers {
 public:
  /// Views into the Headers it came from: valid until that changes.
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  /// The first value of that name, or nothing. Valid until the Headers change.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  /// All values of that name, in order: clients send lists as several lines as well as with commas.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  void add(std::string_view name, std::string_view value);
  /// Replaces every field of that name by one.
  void set(std::string_view name, std::string_view value);
  /// Forgets all fields and keeps the memory.
  void clear();

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] Field field(std::size_t index) const;
  [[nodiscard]] std::vector<Field> fields() const;

 private:
  struct Entry {
    std::uint32_t at;  // Where the name starts in text_; the value follows it.
    std::uint32_t name_bytes;
    std::uint32_t value_bytes;
  };
  std::string text_;
  std::vector<Entry> entries_;
};

/// A request's body, read as it arrives. Lives on the session's executor.
class RequestBody {
 public:
  virtual ~RequestBody() = default;

  /// Bytes announced by Content-Length; nothing for a chunked body. 0 without a body.
  [[nodiscard]] virtual std::optional<std::uint64_t> length() const = 0;

  /// Fills `buffer` as far as the body goes: fewer bytes than its size mean the end of the body.
  /// Fails with timed_out (no progress), size_invalid (the peer left in mid-body) or bad_request
  /// (broken chunking), and then on every further call; the connection ends after the response.
  /// A caller that pauses exerts back-pressure on the client.
  [[nodiscard]] virtual asio::awaitable<Result<std::size_t>> read(std::span<char> buffer) = 0;
};

/// Belongs to the session and is used again for the connection's next request.
struct Request {
  Method method = Method::other;
  std::string target;  // As received: path and query.
  std::string path;    // Without the query, not percent-decoded.
  std::vector<std::pair<std::string, std::string>> query;  // Decoded, in order, repeats kept.
  Headers headers;
  std::string remote;  // `address:port` of the peer.
  bool encrypted = false;
  std::string peer;  // The common name of the client certificate that TLS verified; else empty.
  RequestBody* body = nullptr;     // Never null while a handler runs.
  asio::any_io_executor executor;  // The session's loop: await and resume here.

  /// The first value of a query parameter, or nothing.
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> parameters(std::string_view name) const;
};

/// A response body that is produced while it is sent. Lives on the session's executor; destroyed
/// when the response was sent or the client left, never during a call of next().
class ResponseBody {
 public:
  virtual ~ResponseBody() = default;

  /// The next bytes, valid until the next call; empty at the end (not asked for once the announced
  /// length was reached). An error ends the connection abruptly, so that the client sees a broken
  /// transfer and not a short one; if the length is known and the first call fails, nothing was
  /// sent yet and the client gets a 404 (blob_unknown), 503 (unavailable, timed_out) or 500. It may
  /// hold several stretches of memory, which are sent with one system call.
  [[nodiscard]] virtual asio::awaitable<Result<std::vector<std::string_view>>> next() = 0;
};

/// What becomes of a connection that speaks another protocol from now on (RFC 9110, 7.8), on which
/// it may read and write at once. `received` is what came behind the request's head, valid until it
/// returns; then the connection is closed. Runs on the session's executor. A server that stops does
/// not wait for it, but closes the connection under it: it must then return soon. What it starts
/// must have ended when it returns.
using Upgrade = std::function<asio::awaitable<void>(Duplex& connection, std::string_view received)>;

/// What a handler decided to answer. Plain data: a test reads it without a socket.
struct Response {
  int status = 200;
  Headers headers;  // Without Content-Length, Transfer-Encoding, Connection, Date: the session's.
  std::variant<std::string, std::unique_ptr<ResponseBody>> body;
  /// Bytes of the body. Needed with a ResponseBody of known size and for HEAD; without it a
  /// ResponseBody is sent chunked, and a string body has its own size.
  std::optional<std::uint64_t> length;
  /// The connection ends after this response.
  bool close = false;
  /// With status 101, else ignored: who gets the connection once the head is sent. The handler
  /// names the protocol in an `Upgrade` header. The session answers 400 instead where HTTP forbids
  /// it, for a request of HTTP/1.0 and one with a body that was not read, and 503 when it stops.
  Upgrade upgrade;
};

/// Answers one request. Runs on the session's executor, on several loops at once, must not block,
/// and must not throw for anything the peer can cause. HEAD is answered like GET: the session
/// leaves the body out.
using Handler = std::function<asio::awaitable<Response>(Request&)>;

/// `%41` and the like decoded; nothing on a broken escape. `+` stays `+` unless `plus_is_space`.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text,
                                                        bool plus_is_space = false);
/// Everything outside RFC 3986 "unreserved" is escaped.
[[nodiscard]] std::string percent_encode(std::string_view text);

/// Whether two header names, or other ASCII tokens, are equal without regard to case.
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b);

}  // namespace shoal
