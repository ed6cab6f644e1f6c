#pragma once

#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "orchestrator/engine/engine.h"
#include "orchestrator/engine/reconcile_steps.h"
#include "tests/orchestrator/engine/fake_engine.h"
#include "tests/orchestrator/engine/loop_run.h"

namespace shoal {

inline constexpr const char* kCluster = "c1";

[[nodiscard]] inline ImageReference image_reference(const std::string& content = "image") {
  return {5000, *Repository::parse("app/web"), Digest::of(content)};
}

/// A slot of the service `web`; `spec` tells versions of it apart.
[[nodiscard]] inline WantedSlot slot_of(const std::string& slot, std::uint64_t generation,
                                        const std::string& spec = "1") {
  const auto image = image_reference(spec);
  return {"web",
          slot,
          generation,
          "sha256:" + spec,
          image,
          "web:" + spec,
          R"({"Image":")" + image.text() + R"(","Cmd":["httpd"]})"};
}

[[nodiscard]] inline LabelMap labels_of(const WantedSlot& slot) {
  return slot.labels(kCluster).to_map();
}

/// A fake engine, a client of it, and the loop on which that lives.
class EngineBench {
 public:
  explicit EngineBench(EngineKind kind, EngineConfig config = {})
      : fake(kind), engine(loop.get_executor(), with_socket(std::move(config))) {}

  /// Runs one coroutine to its end, and whatever else is on the loop meanwhile.
  template <class T>
  T run(asio::awaitable<T> task) {
    return run_on_loop(loop, std::move(task));
  }

  /// A container of ours, as an earlier reconcile left it.
  [[nodiscard]] OwnedContainer owned(const WantedSlot& slot, ContainerPhase phase,
                                     const std::string& name = {}) {
    const auto id = fake.add(name.empty() ? slot.slot : name, labels_of(slot), phase);
    const auto found = run(engine.find(id));
    return *OwnedContainer::of(**found, kCluster);
  }

  FakeEngine fake;
  asio::io_context loop;
  Engine engine;

 private:
  EngineConfig with_socket(EngineConfig config) const {
    config.socket = fake.socket();
    return config;
  }
};

}  // namespace shoal
