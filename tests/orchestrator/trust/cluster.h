#pragma once

#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "orchestrator/state/embedded_state.h"
#include "orchestrator/trust/authority.h"
#include "orchestrator/trust/node_id.h"
#include "orchestrator/trust/node_identity.h"
#include "orchestrator/trust/tokens.h"
#include "tests/storage/fixture.h"

namespace shoal {

/// A state of its own, in a folder that is gone when the test is.
struct TestState {
  TestState() {
    auto opened = EmbeddedState::open({folder.path() / "state", 10'000});
    REQUIRE(opened);
    state = std::move(*opened);
  }
  TempFolder folder;
  std::unique_ptr<EmbeddedState> state;
};

/// What a new cluster begins with.
struct TestCluster : TestState {
  [[nodiscard]] NodeIdentity identity(std::chrono::seconds lifetime = std::chrono::hours(1)) const {
    auto issued = NodeIdentity::issue(authority, *make_node_id(), lifetime);
    REQUIRE(issued);
    return *std::move(issued);
  }

  Authority authority = *Authority::load_or_create(folder.path() / "trust");
  Tokens tokens{*state, authority.fingerprint()};
};

}  // namespace shoal
