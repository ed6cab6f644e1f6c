// The client of an engine, on a fake one that speaks as Docker or as podman does.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/engine/engine_bench.h"

namespace shoal {
namespace {

using Fault = FakeEngine::Fault;
using std::chrono::milliseconds;

EngineKind either() { return GENERATE(EngineKind::docker, EngineKind::podman); }

EngineConfig hurried() {
  EngineConfig config;
  config.answer_timeout = milliseconds(200);
  return config;
}

TEST_CASE("A probe tells who answers and which version of the API to speak", "[engine]") {
  const auto kind = either();
  EngineBench bench(kind);
  const auto info = bench.run(bench.engine.probe());
  REQUIRE(info);
  CHECK(info->kind == kind);
  CHECK(info->api_version == "1.41");
  CHECK(info->storage_driver == (kind == EngineKind::docker ? "overlay2" : "overlay"));
}

TEST_CASE("Without an engine on the socket every call is unavailable and names it", "[engine]") {
  asio::io_context loop;
  EngineConfig config;
  config.socket = "/nonexistent/engine.sock";
  EngineBench bench(EngineKind::docker);
  Engine engine(bench.loop.get_executor(), config);
  const auto listed = bench.run(engine.list("shoal.owner=c1"));
  REQUIRE_FALSE(listed);
  CHECK(listed.error().code == Errc::unavailable);
  CHECK(listed.error().message.find("/nonexistent/engine.sock") != std::string::npos);
}

TEST_CASE("A server that is no engine is told apart", "[engine]") {
  EngineBench bench(EngineKind::docker);
  bench.fake.script({"GET /_ping", Fault::Kind::answer, 404, "what?"});
  CHECK(bench.run(bench.engine.probe()).error().message.find("what?") != std::string::npos);
}

TEST_CASE("A container lives from create to remove, and each step may be repeated", "[engine]") {
  EngineBench bench(either());
  const auto slot = slot_of("web", 1);
  bench.fake.hold_image(slot.image.text());
  const auto made = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  REQUIRE(made);
  CHECK(made->labels() == slot.labels(kCluster));
  // The answer was lost, and the same is asked again: it is the same container.
  const auto again = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  REQUIRE(again);
  CHECK(again->id() == made->id());
  for (int i = 0; i < 2; ++i) {
    CHECK(bench.run(bench.engine.start(*made)));
    CHECK(bench.fake.container("web")->phase == ContainerPhase::running);
  }
  for (int i = 0; i < 2; ++i) {
    CHECK(bench.run(bench.engine.rename(*made, "web2")));
    CHECK(bench.fake.container("web2"));
  }
  CHECK(bench.run(bench.engine.remove(*made)).error().code == Errc::conflict);
  for (int i = 0; i < 2; ++i) {
    CHECK(bench.run(bench.engine.stop(*made, milliseconds(1500))));
    CHECK(bench.run(bench.engine.kill(*made, "KILL")));
  }
  CHECK(bench.fake.count("/stop?t=2") == 2);
  for (int i = 0; i < 2; ++i) CHECK(bench.run(bench.engine.remove(*made)));
  CHECK(bench.fake.containers().empty());
  CHECK(bench.run(bench.engine.start(*made)).error().code == Errc::name_unknown);
}

TEST_CASE("The list has the cluster's containers, those that ended too, and no others",
          "[engine]") {
  EngineBench bench(either());
  bench.fake.add("foreign", {{"com.example", "x"}}, ContainerPhase::running);
  auto other = slot_of("other", 1).labels("c2").to_map();
  bench.fake.add("other", other, ContainerPhase::running);
  static_cast<void>(bench.owned(slot_of("web", 1), ContainerPhase::exited));
  const auto list = bench.run(bench.engine.list("shoal.owner=c1"));
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  CHECK(list->front().name == "web");
  CHECK(list->front().phase == ContainerPhase::exited);
}

TEST_CASE("A name that belongs to somebody else's container is a conflict that names it",
          "[engine]") {
  EngineBench bench(either());
  const auto slot = slot_of("web", 1);
  bench.fake.hold_image(slot.image.text());
  const auto id = bench.fake.add("web", {}, ContainerPhase::running);
  const auto made = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Errc::conflict);
  CHECK(made.error().message.find(id.substr(0, 12)) != std::string::npos);
  CHECK(made.error().message.find("shoal did not create") != std::string::npos);
  const auto ours = slot_of("api", 1, "2");
  static_cast<void>(bench.owned(ours, ContainerPhase::running, "api"));
  bench.fake.hold_image(ours.image.text());
  const auto mine =
      bench.run(bench.engine.create("api", ours.document, slot_of("api", 2, "2").labels(kCluster)));
  CHECK(mine.error().code == Errc::conflict);
}

TEST_CASE("A create without its image says that the image is missing", "[engine]") {
  EngineBench bench(either());
  const auto slot = slot_of("web", 1);
  const auto made = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Errc::manifest_unknown);
}

TEST_CASE("A pull ends with the image here, or with why it is not", "[engine]") {
  const auto kind = either();
  EngineBench bench(kind);
  const auto image = image_reference();
  std::vector<PullState> states;
  const auto sink = [&](const PullState& state) { states.push_back(state); };

  const auto unknown = bench.run(bench.engine.pull({image}, sink));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.find("manifest unknown") != std::string::npos);
  CHECK(unknown.error().code ==
        (kind == EngineKind::docker ? Errc::manifest_unknown : Errc::unavailable));

  bench.fake.publish(image.text());
  REQUIRE(bench.run(bench.engine.pull({image}, sink)));
  CHECK(states.back().share == 1);
  CHECK(bench.fake.images().contains(image.text()));
  for (std::size_t i = 1; i < states.size(); ++i) CHECK(states[i].share >= states[i - 1].share);
  // Docker pulls every tag of the repository if none is given.
  CHECK(bench.fake.count("fromImage=127.0.0.1%3A5000%2Fapp%2Fweb&tag=sha256%3A") == 2);
}

TEST_CASE("A pull that says it is well and leaves no image is an error", "[engine]") {
  EngineBench bench(either());
  const auto image = image_reference();
  bench.fake.publish(image.text());
  bench.fake.script({"/images/create", Fault::Kind::skip_pull});
  const auto pulled = bench.run(bench.engine.pull({image}, {}));
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().message.find("does not hold it") != std::string::npos);
}

TEST_CASE("A torn pull is an error, and the next one goes through", "[engine]") {
  EngineBench bench(either());
  const auto image = image_reference();
  bench.fake.publish(image.text());
  Fault torn{"/images/create", Fault::Kind::tear};
  torn.bytes = 100;
  bench.fake.script(torn);
  CHECK(bench.run(bench.engine.pull({image}, {})).error().code == Errc::io);
  CHECK(bench.run(bench.engine.pull({image}, {})));
}

TEST_CASE("A pull that is interrupted ends at once and closes its connection", "[engine]") {
  EngineBench bench(either());
  const auto image = image_reference();
  bench.fake.script({"/images/create", Fault::Kind::hold_reply});
  Interrupt interrupt;
  asio::steady_timer timer(bench.loop, milliseconds(20));
  timer.async_wait([&](const auto&) { interrupt.raise(); });
  const auto pulled = bench.run(bench.engine.pull({image}, {}, &interrupt));
  CHECK(pulled.error().code == Errc::unavailable);
  CHECK(bench.run(bench.engine.pull({image}, {}, &interrupt)).error().code == Errc::unavailable);
  CHECK(bench.fake.count("/images/create") == 1);
}

TEST_CASE("An image under another repository's name is not this image, and not removed",
          "[engine]") {
  EngineBench bench(either());
  auto image = image_reference();
  const auto other = "127.0.0.1:5000/app/other@" + image.digest.to_string();
  bench.fake.hold_image(other);
  const auto found = bench.run(bench.engine.find_image(image));
  REQUIRE(found);
  CHECK_FALSE(found->has_value());
  CHECK(bench.run(bench.engine.remove_image(image)));
  CHECK(bench.fake.images().contains(other));
  CHECK(bench.fake.count("DELETE") == 0);
}

TEST_CASE("An image is removed once, unless a container needs it", "[engine]") {
  EngineBench bench(either());
  const auto slot = slot_of("web", 1);
  bench.fake.hold_image(slot.image.text());
  const auto made = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  REQUIRE(made);
  CHECK(bench.run(bench.engine.remove_image(slot.image)).error().code == Errc::conflict);
  REQUIRE(bench.run(bench.engine.remove(*made)));
  CHECK(bench.run(bench.engine.remove_image(slot.image)));
  CHECK(bench.run(bench.engine.remove_image(slot.image)));
  CHECK(bench.fake.images().empty());
}

TEST_CASE("An exec gives the exit code and the output of both streams", "[engine]") {
  EngineBench bench(either());
  const auto owned = bench.owned(slot_of("web", 1), ContainerPhase::running);
  Fault fails{"/exec", Fault::Kind::fail_exec};
  fails.status = 3;
  bench.fake.script(fails);
  const auto result = bench.run(bench.engine.exec(owned, {"true"}, milliseconds(5000)));
  REQUIRE(result);
  CHECK(result->exit_code == 3);
  CHECK(result->output == "hi\n");
}

TEST_CASE("An exec that does not end is late after its time", "[engine]") {
  EngineBench bench(either());
  const auto owned = bench.owned(slot_of("web", 1), ContainerPhase::running);
  bench.fake.script({"/start", Fault::Kind::hold_reply});
  const auto result = bench.run(bench.engine.exec(owned, {"sleep"}, milliseconds(50)));
  CHECK(result.error().code == Errc::timed_out);
}

TEST_CASE("A wait gives the exit code, also when the engine forgot to answer", "[engine]") {
  EngineConfig config;
  config.stream_silence = milliseconds(50);
  EngineBench bench(either(), config);
  const auto owned = bench.owned(slot_of("web", 1), ContainerPhase::running);
  CHECK(bench.run(bench.engine.wait(owned.id())) == 7);
  bench.fake.end("web", 9);
  bench.fake.script({"/wait", Fault::Kind::hold_reply});
  CHECK(bench.run(bench.engine.wait(owned.id())) == 9);
}

TEST_CASE("A change whose answer is lost or never comes is judged by the container", "[engine]") {
  const auto kind = either();
  const auto fault = GENERATE(Fault::Kind::lose_reply, Fault::Kind::hold_reply);
  EngineBench bench(kind, hurried());
  const auto slot = slot_of("web", 1);
  bench.fake.hold_image(slot.image.text());
  const auto lose = [&](const char* match) { bench.fake.script({match, fault}); };
  lose("POST /containers/create");
  const auto made = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  REQUIRE(made);
  lose("/start");
  CHECK(bench.run(bench.engine.start(*made)));
  lose("/rename");
  CHECK(bench.run(bench.engine.rename(*made, "web2")));
  lose("/stop");
  CHECK(bench.run(bench.engine.stop(*made, milliseconds(0))));
  lose("DELETE");
  CHECK(bench.run(bench.engine.remove(*made)));
  CHECK(bench.fake.containers().empty());
}

TEST_CASE("A change that was lost before it was done is of unknown outcome", "[engine]") {
  EngineBench bench(either(), hurried());
  const auto slot = slot_of("web", 1);
  bench.fake.hold_image(slot.image.text());
  const auto owned = bench.owned(slot_of("db", 1), ContainerPhase::created);
  bench.fake.script({"POST /containers/create", Fault::Kind::drop});
  const auto made = bench.run(bench.engine.create("web", slot.document, slot.labels(kCluster)));
  CHECK(made.error().code == Errc::outcome_unknown);
  CHECK(bench.fake.containers().size() == 1);
  bench.fake.script({"/start", Fault::Kind::drop});
  CHECK(bench.run(bench.engine.start(owned)).error().code == Errc::outcome_unknown);
}

TEST_CASE("A 409 or 500 is judged by the container, and its message is kept", "[engine]") {
  EngineBench bench(either());
  const auto status = GENERATE(409, 500);
  auto owned = bench.owned(slot_of("web", 1), ContainerPhase::running);
  const auto refuse = [&](const char* match) {
    bench.fake.script({match, Fault::Kind::answer, status, R"({"message":"no way"})"});
  };
  refuse("/start");
  CHECK(bench.run(bench.engine.start(owned)));  // It runs all the same.
  refuse("/stop");
  const auto stopped = bench.run(bench.engine.stop(owned, milliseconds(0)));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().message.find("no way") != std::string::npos);
  CHECK(stopped.error().code == (status == 409 ? Errc::conflict : Errc::unavailable));
  bench.fake.end("web", 1);
  refuse("/stop");
  CHECK(bench.run(bench.engine.stop(owned, milliseconds(0))));
}

TEST_CASE("Stopping the client ends what is under way and what comes later", "[engine]") {
  EngineBench bench(either());
  bench.fake.script({"/containers/json", Fault::Kind::hold_reply});
  asio::steady_timer timer(bench.loop, milliseconds(20));
  timer.async_wait([&](const auto&) { bench.engine.stop(); });
  CHECK(bench.run(bench.engine.list("shoal.owner=c1")).error().code == Errc::unavailable);
  CHECK(bench.run(bench.engine.list("shoal.owner=c1")).error().code == Errc::unavailable);
}

}  // namespace
}  // namespace shoal
