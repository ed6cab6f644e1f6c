#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/terminal.h"
#include "registry/http/client.h"
#include "storage/error.h"

namespace shoal {

/// The node's own API (`/shoal/v1`) as the commands use it: an answer that is an error document
/// becomes an Error. Blocking, one thread.
class NodeClient {
 public:
  /// `url` is `http://HOST:PORT`; nothing is sent yet. Fails with usage.
  [[nodiscard]] static Result<NodeClient> to(const std::string& url);

  /// The body of a successful answer; `target` begins behind `/shoal/v1/`.
  /// Fails with unavailable (no node answers), with what the node says, or with io.
  [[nodiscard]] Result<std::string> send(std::string_view method, const std::string& target,
                                         std::string_view body = {});

  /// Hands each line of a streamed answer to `line` until it returns false. Fails as send() does,
  /// also when the error comes at the end of the stream.
  [[nodiscard]] Result<void> stream(std::string_view method, const std::string& target,
                                    const std::function<bool(std::string_view)>& line,
                                    std::string_view body = {});

 private:
  explicit NodeClient(HttpClient client) : client_(std::move(client)) {}
  HttpClient client_;
};

/// What a command that failed so ends with.
[[nodiscard]] ExitCode exit_code_of(const Error& error);

}  // namespace shoal
