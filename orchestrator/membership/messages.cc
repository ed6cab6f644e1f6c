#include "orchestrator/membership/messages.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace shoal {

asio::awaitable<Result<std::string>> read_whole(RequestBody& body, std::size_t bytes_max) {
  const auto too_large = [bytes_max] {
    return fail(Errc::too_large, fmt::format("a body has at most {} bytes here", bytes_max));
  };
  const auto length = body.length();
  if (length && *length > bytes_max) co_return too_large();
  std::string content(bytes_max + 1, '\0');
  const auto got = co_await body.read(content);
  if (!got) co_return tl::unexpected(got.error());
  if (*got > bytes_max) co_return too_large();
  content.resize(*got);
  co_return content;
}

Response json_answer(std::string json) {
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.headers.add("Cache-Control", "no-store");
  response.body = std::move(json);
  return response;
}

std::string refusal_text(const HttpAnswer& answer) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  const nlohmann::json::json_pointer pointer("/errors/0/message");
  if (json.is_object() && json.contains(pointer) && json[pointer].is_string()) {
    return json[pointer].get<std::string>();
  }
  return fmt::format("status {}", answer.status);
}

}  // namespace shoal
