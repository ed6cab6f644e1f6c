#include "orchestrator/engine/engine_json.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMessageMax = 500;

tl::unexpected<Error> strange(const char* what) {
  return fail(Errc::io, fmt::format("the engine's answer is not {}", what));
}

/// The member if it is of that kind, else an empty one.
const Json& object_in(const Json& object, const char* name) {
  static const Json kEmpty = Json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kEmpty;
}

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool flag_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::vector<std::string> texts_in(const Json& object, const char* name) {
  std::vector<std::string> texts;
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) return texts;
  for (const Json& one : *found) {
    if (one.is_string()) texts.push_back(one.get<std::string>());
  }
  return texts;
}

LabelMap labels_in(const Json& object, const char* name) {
  LabelMap labels;
  for (const auto& [label, value] : object_in(object, name).items()) {
    if (value.is_string()) labels.emplace(label, value.get<std::string>());
  }
  return labels;
}

std::string without_slash(std::string name) {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

ContainerPhase phase_of(std::string_view text) {
  static const std::map<std::string_view, ContainerPhase> kPhases = {
      {"created", ContainerPhase::created},
      {"configured", ContainerPhase::created},
      {"initialized", ContainerPhase::created},
      {"running", ContainerPhase::running},
      {"paused", ContainerPhase::paused},
      {"restarting", ContainerPhase::restarting},
      {"removing", ContainerPhase::removing},
      {"exited", ContainerPhase::exited},
      {"stopped", ContainerPhase::exited},
      {"stopping", ContainerPhase::running},
      {"dead", ContainerPhase::dead}};
  const auto found = kPhases.find(text);
  return found == kPhases.end() ? ContainerPhase::unknown : found->second;
}

/// Both engines write the year 1 where there is no time.
std::optional<EngineTime> time_in(const Json& object, const char* name) {
  auto time = parse_engine_time(text_in(object, name));
  if (time && time->seconds <= 0) time.reset();
  return time;
}

EngineEvent::Kind kind_of(std::string_view action) {
  using Kind = EngineEvent::Kind;
  static const std::map<std::string_view, Kind> kKinds = {
      {"create", Kind::created},  {"start", Kind::started},  {"unpause", Kind::started},
      {"restart", Kind::started}, {"die", Kind::died},       {"died", Kind::died},
      {"oom", Kind::died},        {"stop", Kind::stopped},   {"pause", Kind::stopped},
      {"destroy", Kind::removed}, {"remove", Kind::removed}, {"rename", Kind::renamed}};
  if (action.starts_with("health_status")) return Kind::health;
  const auto found = kKinds.find(action);
  return found == kKinds.end() ? Kind::other : found->second;
}

}  // namespace

Result<std::vector<Container>> parse_container_list(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_array()) return strange("a list of containers");
  std::vector<Container> containers;
  for (const Json& entry : document) {
    Container container;
    if (!entry.is_object()) return strange("a list of containers");
    container.id = text_in(entry, "Id");
    if (container.id.empty()) return strange("a list of containers");
    // Docker adds `/other/alias` for each legacy link to it: its own name has one slash.
    for (const auto& name : texts_in(entry, "Names")) {
      if (container.name.empty() || std::count(name.begin(), name.end(), '/') == 1) {
        container.name = without_slash(name);
      }
    }
    container.image = text_in(entry, "Image");
    container.phase = phase_of(text_in(entry, "State"));
    container.labels = labels_in(entry, "Labels");
    containers.push_back(std::move(container));
  }
  return containers;
}

Result<Container> parse_container(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  Container container;
  if (!document.is_object()) return strange("a container");
  container.id = text_in(document, "Id");
  if (container.id.empty()) return strange("a container");
  container.name = without_slash(text_in(document, "Name"));
  container.restarts =
      static_cast<std::uint32_t>(std::max<std::int64_t>(number_in(document, "RestartCount"), 0));
  const Json& config = object_in(document, "Config");
  container.image = text_in(config, "Image");
  container.labels = labels_in(config, "Labels");
  container.terminal = flag_in(config, "Tty");
  const Json& state = object_in(document, "State");
  container.phase = phase_of(text_in(state, "Status"));
  container.exit_code = static_cast<int>(number_in(state, "ExitCode"));
  container.out_of_memory = flag_in(state, "OOMKilled");
  container.error = text_in(state, "Error");
  container.started = time_in(state, "StartedAt");
  container.finished = time_in(state, "FinishedAt");
  container.engine_health = text_in(object_in(state, "Health"), "Status");
  if (container.engine_health == "none") container.engine_health.clear();
  container.host_network = text_in(object_in(document, "HostConfig"), "NetworkMode") == "host";
  const Json& network = object_in(document, "NetworkSettings");
  container.address = text_in(network, "IPAddress");
  for (const auto& [name, one] : object_in(network, "Networks").items()) {
    if (container.address.empty() && one.is_object()) container.address = text_in(one, "IPAddress");
  }
  return container;
}

Result<EngineImage> parse_image(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  EngineImage image;
  if (!document.is_object()) return strange("an image");
  image.id = text_in(document, "Id");
  if (image.id.empty()) return strange("an image");
  image.repo_digests = texts_in(document, "RepoDigests");
  image.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(number_in(document, "Size"), 0));
  return image;
}

Result<std::string> parse_id(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return strange("an object");
  auto id = text_in(document, "Id");
  if (id.empty()) return strange("an object with an Id");
  return id;
}

Result<std::optional<int>> parse_exec(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return strange("an exec");
  const auto code = document.find("ExitCode");
  const bool ended = code != document.end() && code->is_number_integer();
  if (flag_in(document, "Running") || !ended) return std::optional<int>();
  return std::optional<int>(code->get<int>());
}

Result<int> parse_wait(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("StatusCode")) return strange("an exit code");
  const auto message = text_in(object_in(document, "Error"), "Message");
  if (!message.empty()) return fail(Errc::io, "the engine could not wait: " + message);
  return static_cast<int>(number_in(document, "StatusCode"));
}

std::optional<EngineEvent> parse_event(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || text_in(document, "Type") != "container") return std::nullopt;
  const Json& actor = object_in(document, "Actor");
  EngineEvent event;
  event.kind = kind_of(text_in(document, "Action"));
  event.id = text_in(actor, "ID");
  event.labels = labels_in(actor, "Attributes");  // With the image, the name and the exit code.
  event.time.seconds = number_in(document, "time");
  const auto nanoseconds = number_in(document, "timeNano");
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (nanoseconds > 0) {
    event.time.seconds = nanoseconds / kSecond;
    event.time.nanoseconds = static_cast<std::int32_t>(nanoseconds % kSecond);
  }
  return event;
}

std::string error_message(std::string_view body) {
  const Json document = Json::parse(body, nullptr, false);
  std::string message;
  if (document.is_object()) message = text_in(document, "message");
  if (message.empty()) message = body.substr(0, kMessageMax);
  while (!message.empty() && (message.back() == '\n' || message.back() == '\r')) message.pop_back();
  return message.empty() ? "no reason given" : message;
}

Result<EngineVersion> parse_version(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return strange("a version");
  return EngineVersion{text_in(document, "Version"), text_in(document, "MinAPIVersion")};
}

void parse_info(std::string_view json, EngineInfo& info) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return;
  info.storage_driver = text_in(document, "Driver");
  info.root = text_in(document, "DockerRootDir");
  const Json& registries = object_in(document, "RegistryConfig");
  info.insecure_registries = texts_in(registries, "InsecureRegistryCIDRs");
  info.mirrors = texts_in(registries, "Mirrors");
  for (const auto& [name, entry] : object_in(registries, "IndexConfigs").items()) {
    const auto secure = entry.is_object() ? entry.find("Secure") : entry.end();
    const bool insecure =
        entry.is_object() && secure != entry.end() && secure->is_boolean() && !secure->get<bool>();
    if (insecure) info.insecure_registries.push_back(name);
  }
}

std::string label_filter(const std::vector<std::string>& labels) {
  Json filter;
  filter["label"] = labels;
  return filter.dump();
}

std::string exec_document(const std::vector<std::string>& command) {
  Json document;
  document["AttachStdout"] = true;
  document["AttachStderr"] = true;
  document["Cmd"] = command;
  return document.dump();
}

}  // namespace shoal
