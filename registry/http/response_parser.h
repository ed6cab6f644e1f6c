#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "registry/http/message.h"

namespace shoal {

/// Reads one response from bytes as they come (RFC 9112), interim ones (1xx) skipped; 101 is not
/// one of them, and what follows it is another protocol's. Knows no socket. Not thread-safe.
class ResponseParser {
 public:
  /// `headers_only`: the request was HEAD. What parse() finds of the body is appended to `body`.
  /// All references must outlive the parser.
  ResponseParser(bool headers_only, int& status, Headers& headers, std::string& body);
  ~ResponseParser();

  enum class Step {
    more,
    head,  // Once: the header is complete, and a body follows.
    done,
    broken,
  };

  /// Parses what it can of `data` and says in `used` how much that was; the rest must come again,
  /// with what follows it. A body that is not chunked may be left to the caller: it is what
  /// follows.
  [[nodiscard]] Step parse(std::string_view data, std::size_t& used);

  /// From `head` on: the length of the body, if it was announced.
  [[nodiscard]] std::optional<std::uint64_t> body_length() const;
  /// From `head` on. A body that is neither announced nor chunked goes on to the connection's end.
  [[nodiscard]] bool chunked() const;
  /// From `head` on: the connection can take another request after this answer.
  [[nodiscard]] bool keep_alive() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
