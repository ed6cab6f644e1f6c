#include "orchestrator/state/embedded_state.h"

#include <catch2/catch.hpp>

#include "tests/orchestrator/state/conformance.h"
#include "tests/storage/fixture.h"

namespace shoal {
namespace {

class EmbeddedFixture : public StateFixture {
 public:
  EmbeddedFixture() {
    auto opened = EmbeddedState::open({folder_.path(), 10'000});
    REQUIRE(opened);
    state_ = std::move(*opened);
  }
  State& state() override { return *state_; }

 private:
  TempFolder folder_;
  std::unique_ptr<EmbeddedState> state_;
};

TEST_CASE("The embedded state keeps the contract of a state", "[orchestrator][state][embedded]") {
  run_conformance([] { return std::make_unique<EmbeddedFixture>(); });
}

}  // namespace
}  // namespace shoal
