#include "tests/orchestrator/engine/recorded.h"

#include <fstream>
#include <map>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using Json = nlohmann::json;

const Json& recording(EngineKind kind) {
  static const auto kRead = [](const char* file) {
    std::ifstream in(std::string(SOURCE_ROOT) + "/tests/orchestrator/engine/recorded/" + file);
    return Json::parse(in);
  };
  static const std::map<EngineKind, Json> kAll = {
      {EngineKind::docker, kRead("docker-20.10.24.json")},
      {EngineKind::podman, kRead("podman-4.3.1.json")}};
  return kAll.at(kind);
}

}  // namespace

RecordedAnswer recorded(EngineKind kind, const std::string& name) {
  const Json& answer = recording(kind).at(name);
  RecordedAnswer result;
  result.status = answer.at("status").get<int>();
  if (answer.contains("body")) {
    result.body = answer.at("body").get<std::string>();
    return result;
  }
  const auto hex = answer.at("body_hex").get<std::string>();
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    result.body += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return result;
}

}  // namespace shoal
