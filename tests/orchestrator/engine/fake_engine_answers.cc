// What the fake engine knows of containers and images.

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "registry/http/message.h"
#include "tests/orchestrator/engine/fake_engine.h"
#include "tests/orchestrator/engine/recorded.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

bool is_active(ContainerPhase phase) {
  return phase == ContainerPhase::running || phase == ContainerPhase::restarting ||
         phase == ContainerPhase::paused;
}

}  // namespace

FakeEngine::Reply FakeEngine::from_recording(const std::string& name) const {
  auto answer = recorded(kind_, name);
  return {answer.status, std::move(answer.body), {}};
}

FakeEngine::Item* FakeEngine::find(const std::string& id_or_name) {
  const auto by_id = items_.find(id_or_name);
  if (by_id != items_.end()) return &by_id->second;
  for (auto& [id, item] : items_) {
    if (item.name == id_or_name) return &item;
  }
  return nullptr;
}

std::string FakeEngine::new_id() { return fmt::format("{:064x}", 0xabc000 + ++made_); }

FakeEngine::Reply FakeEngine::answer(const Request& request, const std::optional<Fault>& fault) {
  const auto& path = request.path;
  if (path == "/_ping") return from_recording("ping");
  if (path == "/version") return from_recording("version");
  if (path == "/info") return from_recording("info");
  if (path == "/events") return {200, {}, "stream:events"};
  if (path == "/containers/json") return {200, list_text(request.query.at("filters")), {}};
  if (path == "/containers/create") return create(request);
  if (path == "/images/create") {
    return pull(request, fault && fault->kind == Fault::Kind::skip_pull);
  }
  const auto first = path.find('/', 1);
  const auto kind = path.substr(0, first);
  const auto rest = path.substr(std::min(first + 1, path.size()));
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto id = percent_decode(rest.substr(0, slash)).value_or("");
  const auto verb = rest.substr(std::min(slash + 1, rest.size()));
  if (kind == "/images") return answer_image(request, id);
  if (kind == "/exec" && verb == "start") return from_recording("exec-start");
  if (kind == "/exec") {
    return {200, Json{{"ID", id}, {"Running", false}, {"ExitCode", execs_[id]}}.dump(), {}};
  }
  if (kind == "/containers" && verb == "exec" && find(id)) {
    const auto exec = new_id();
    execs_[exec] = fault && fault->kind == Fault::Kind::fail_exec ? fault->status : 0;
    return {201, Json{{"Id", exec}}.dump(), {}};
  }
  return answer_container(request, id, verb);
}

FakeEngine::Reply FakeEngine::answer_container(const Request& request, const std::string& id,
                                               const std::string& verb) {
  auto* const item = find(id);
  const bool podman = kind_ == EngineKind::podman;
  if (!item) return from_recording(verb == "json" ? "inspect-unknown" : "start-unknown");
  if (verb == "json") return {200, inspect_text(*item), {}};
  if (verb == "start") {
    if (is_active(item->phase)) return from_recording("start-again");
    item->phase = ContainerPhase::running;
    return from_recording("start");
  }
  if (verb == "stop") {
    // Podman ends one that never ran.
    if (item->phase == ContainerPhase::created && podman) item->phase = ContainerPhase::exited;
    if (!is_active(item->phase)) return from_recording("stop-again");
    item->phase = ContainerPhase::exited;
    item->exit_code = 137;
    item->finished = ++clock_;
    return from_recording("stop");
  }
  if (verb == "kill") {
    if (!is_active(item->phase)) return from_recording("kill-exited");
    item->phase = ContainerPhase::exited;
    item->finished = ++clock_;
    return from_recording("stop");
  }
  if (verb == "wait") return from_recording("wait-exited");
  if (verb == "logs") {
    const bool follows = request.query.contains("follow") && request.query.at("follow") == "1";
    if (follows) return {200, {}, "log:" + item->name};
    return {200, streams_[item->name], {}};
  }
  if (verb == "rename") {
    const auto name = request.query.at("name");
    if (find(name)) return from_recording("rename-name-taken");
    item->name = name;
    return from_recording("rename");
  }
  if (request.method == "DELETE") {
    if (is_active(item->phase)) return from_recording("remove-running");
    items_.erase(item->id);
    return from_recording("remove");
  }
  return {404, R"({"message":"page not found"})", {}};
}

FakeEngine::Reply FakeEngine::create(const Request& request) {
  const auto document = Json::parse(request.body);
  const auto name = request.query.at("name");
  if (find(name)) return from_recording("create-name-taken");
  const auto image = document.at("Image").get<std::string>();
  if (!images_.contains(image)) return from_recording("create-image-unknown");
  Item item;
  item.id = new_id();
  item.name = name;
  item.image = image;
  item.labels = document.value("Labels", LabelMap());
  item.document = request.body;
  items_[item.id] = item;
  return {201, Json{{"Id", item.id}, {"Warnings", Json::array()}}.dump(), {}};
}

FakeEngine::Reply FakeEngine::pull(const Request& request, bool skip) {
  const auto reference = request.query.at("fromImage") + "@" + request.query.at("tag");
  if (!published_.contains(reference)) return from_recording("pull-unknown-tag");
  if (!skip) images_.insert(reference);
  return from_recording("pull");
}

FakeEngine::Reply FakeEngine::answer_image(const Request& request, const std::string& reference) {
  const auto digest = reference.substr(reference.find('@') + 1);
  // Podman looks at the digest alone.
  const auto held = std::find_if(images_.begin(), images_.end(), [&](const std::string& one) {
    return kind_ == EngineKind::podman ? one.ends_with(digest) : one == reference;
  });
  if (held == images_.end()) return from_recording("image-unknown");
  if (request.method == "GET") {
    return {200, Json{{"Id", digest}, {"RepoDigests", {*held}}, {"Size", 1000}}.dump(), {}};
  }
  const bool used = std::any_of(items_.begin(), items_.end(),
                                [&](const auto& one) { return one.second.image == *held; });
  if (used) return from_recording("image-remove-in-use");
  images_.erase(held);
  return from_recording("image-remove");
}

std::string FakeEngine::inspect_text(const Item& item) const {
  auto document = Json::parse(recorded(kind_, "inspect-running").body);
  document["Id"] = item.id;
  document["Name"] = "/" + item.name;
  document["RestartCount"] = item.restarts;
  document["State"]["Status"] = to_string(item.phase);
  document["State"]["ExitCode"] = item.exit_code;
  document["State"]["FinishedAt"] = "0001-01-01T00:00:00Z";
  if (item.finished > 0) {
    const std::chrono::sys_seconds time{std::chrono::seconds(item.finished)};
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    document["State"]["FinishedAt"] =
        fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                    parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  }
  document["Config"]["Image"] = item.image;
  document["Config"]["Labels"] = item.labels;
  return document.dump();
}

std::string FakeEngine::list_text(const std::string& filters) const {
  const auto label = Json::parse(filters).at("label").at(0).get<std::string>();
  const auto equals = label.find('=');
  const auto sample = Json::parse(recorded(kind_, "list").body).at(0);
  Json list = Json::array();
  for (const auto& [id, item] : items_) {
    const auto found = item.labels.find(label.substr(0, equals));
    if (found == item.labels.end() || found->second != label.substr(equals + 1)) continue;
    Json one = sample;
    one["Id"] = id;
    one["Names"] = {"/" + item.name};
    one["Image"] = item.image;
    one["Labels"] = item.labels;
    one["State"] = to_string(item.phase);
    list.push_back(std::move(one));
  }
  return list.dump();
}

}  // namespace shoal
