#include "orchestrator/membership/messages.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace shoal {

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
