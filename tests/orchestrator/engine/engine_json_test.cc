#include <catch2/catch.hpp>

#include "orchestrator/engine/engine_json.h"
#include "orchestrator/engine/line_splitter.h"
#include "tests/orchestrator/engine/recorded.h"

namespace shoal {
namespace {

TEST_CASE("What both engines recorded of a container is read alike", "[engine]") {
  const auto kind = GENERATE(EngineKind::docker, EngineKind::podman);
  const auto running = parse_container(recorded(kind, "inspect-running").body);
  REQUIRE(running);
  CHECK(running->id.size() == 64);
  CHECK(running->name == "shoal-record");
  CHECK(running->phase == ContainerPhase::running);
  CHECK(running->active());
  CHECK(running->started);
  CHECK_FALSE(running->finished);
  CHECK(running->engine_health.empty());
  CHECK(running->host_network);
  CHECK_FALSE(running->terminal);
  CHECK(SlotLabels::parse(running->labels)->generation == 3);

  const auto exited = parse_container(recorded(kind, "inspect-exited").body);
  REQUIRE(exited);
  CHECK(exited->phase == ContainerPhase::exited);
  CHECK(exited->exit_code == 7);
  CHECK(exited->finished > exited->started);

  const auto list = parse_container_list(recorded(kind, "list").body);
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  CHECK(list->front().id == running->id);
  CHECK(list->front().name == running->name);
  CHECK(list->front().phase == ContainerPhase::running);
  CHECK(list->front().labels == running->labels);
}

TEST_CASE("What both engines recorded of images, execs, waits and errors is read alike",
          "[engine]") {
  const auto kind = GENERATE(EngineKind::docker, EngineKind::podman);
  const auto image = parse_image(recorded(kind, "image").body);
  REQUIRE(image);
  CHECK(image->repo_digests.size() == 1);
  CHECK(image->bytes > 1'000'000);
  CHECK(*parse_exec(recorded(kind, "exec-inspect").body) == 3);
  CHECK(parse_wait(recorded(kind, "wait-exited").body) == 7);
  CHECK(parse_id(recorded(kind, "create").body)->size() == 64);
  const auto taken = error_message(recorded(kind, "create-name-taken").body);
  CHECK(taken.find("already in use") != std::string::npos);
  CHECK(taken.find('{') == std::string::npos);
  const auto version = parse_version(recorded(kind, "version").body);
  REQUIRE(version);
  CHECK(version->engine_version == (kind == EngineKind::docker ? "20.10.24+dfsg1" : "4.3.1"));
}

TEST_CASE("Both engines say which registries they use without TLS", "[engine]") {
  EngineInfo docker;
  parse_info(recorded(EngineKind::docker, "info").body, docker);
  CHECK(docker.insecure_registries == std::vector<std::string>{"127.0.0.0/8"});
  EngineInfo podman;
  parse_info(recorded(EngineKind::podman, "info").body, podman);
  CHECK(podman.insecure_registries == std::vector<std::string>{"127.0.0.1:5000"});
}

TEST_CASE("A container's life is told in one vocabulary by both engines", "[engine]") {
  const auto kind = GENERATE(EngineKind::docker, EngineKind::podman);
  std::vector<EngineEvent::Kind> kinds;
  LineSplitter lines(1 << 20);
  const auto take = [&](std::string_view line) {
    const auto event = parse_event(line);
    if (!event || event->kind == EngineEvent::Kind::other) return;
    CHECK(event->labels.at("shoal.slot") == "shoal-record");
    CHECK(event->time.seconds > 1'700'000'000);
    kinds.push_back(event->kind);
  };
  lines.add(recorded(kind, "events").body, take);
  using Kind = EngineEvent::Kind;
  // Both made a second container under the first one's old name; podman tells of no `stop`.
  std::vector<Kind> wanted = {Kind::created, Kind::started, Kind::renamed, Kind::created,
                              Kind::died,    Kind::stopped, Kind::removed, Kind::removed};
  if (kind == EngineKind::podman) std::erase(wanted, Kind::stopped);
  CHECK(kinds == wanted);
}

TEST_CASE("Answers that make no sense are an error and never a container", "[engine]") {
  for (const auto* text : {"", "null", "[]", "[1]", "{", R"({"Id":7})", R"([{"Names":["/a"]}])",
                           R"({"message":"no"})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_container(text));
    CHECK_FALSE(parse_image(text));
    CHECK_FALSE(parse_id(text));
    if (std::string_view(text) != "[]") CHECK_FALSE(parse_container_list(text));
    CHECK_FALSE(parse_event(text));
    CHECK_FALSE(parse_wait(text));
  }
  // Null where there is nothing, members of strange kinds, phases of the future.
  const auto strange = parse_container(
      R"({"Id":"a","Name":7,"Config":null,"State":{"Status":"floating","ExitCode":"1"}})");
  REQUIRE(strange);
  CHECK(strange->phase == ContainerPhase::unknown);
  CHECK(strange->labels.empty());
}

}  // namespace
}  // namespace shoal
