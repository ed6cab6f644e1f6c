#include <algorithm>
#include <random>
#include <string>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/engine/line_splitter.h"
#include "orchestrator/engine/pull_progress.h"
#include "tests/orchestrator/engine/recorded.h"

namespace shoal {
namespace {

Digest layer_digest(int number) { return Digest::of(std::to_string(number)); }

PullLine line(int layer, const std::string& status, std::uint64_t current = 0,
              std::uint64_t total = 0) {
  return {layer_digest(layer).to_string().substr(7, 12), status, current, total, {}};
}

void feed(PullProgress& progress, const std::string& text) {
  LineSplitter lines(1 << 20);
  const auto take = [&](std::string_view one) {
    if (const auto parsed = parse_pull_line(one)) progress.add(*parsed);
  };
  lines.add(text, take);
  lines.finish(take);
}

TEST_CASE("A pull line is read, and what is none is not", "[engine]") {
  const auto read = parse_pull_line(
      R"({"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"0123456789ab"})");
  REQUIRE(read);
  CHECK(read->current == 5);
  CHECK(read->total == 9);
  CHECK(parse_pull_line(R"({"errorDetail":{"message":"no"}})")->error == "no");
  CHECK_FALSE(parse_pull_line(R"({"errorDetail":{}})")->error.empty());
  CHECK(parse_pull_line(R"({"progressDetail":{"current":-5,"total":1e30}})")->current == 0);
  CHECK_FALSE(parse_pull_line("[]"));
  CHECK_FALSE(parse_pull_line("nothing"));
}

TEST_CASE("Downloading is 70 % of a pull and unpacking 30 %, by bytes", "[engine]") {
  PullProgress progress({{layer_digest(1), 900}, {layer_digest(2), 100}});
  CHECK(progress.state().bytes_total == 1000);
  CHECK(progress.state().layers == 2);
  progress.add(line(1, "Downloading", 450, 900));
  CHECK(progress.state().share == Approx(0.7 * 0.45));
  CHECK(progress.state().bytes_done == 450);
  progress.add(line(1, "Download complete"));
  progress.add(line(2, "Already exists"));
  CHECK(progress.state().share == Approx(0.7 * 0.9 + 0.1));
  CHECK(progress.state().layers_done == 1);
  progress.add(line(1, "Extracting", 450, 900));
  CHECK(progress.state().share == Approx(0.7 * 0.9 + 0.3 * 0.45 + 0.1));
  progress.add(line(1, "Pull complete"));
  CHECK(progress.state().share < 1);
  progress.finish();
  CHECK(progress.state().share == 1);
  CHECK(progress.state().bytes_done == 1000);
}

TEST_CASE("The figure of a pull never goes back, whatever the engine says", "[engine]") {
  static const std::vector<std::string> kStates = {
      "Pulling fs layer",      "Waiting",           "Downloading",
      "Verifying Checksum",    "Download complete", "Extracting",
      "Retrying in 5 seconds", "Pull complete",     "Already exists"};
  std::mt19937 chance(3);
  for (int round = 0; round < 200; ++round) {
    const bool known = round % 2 == 0;
    PullProgress progress(
        known ? std::vector<PullProgress::Layer>{{layer_digest(0), 10'000}, {layer_digest(1), 500}}
              : std::vector<PullProgress::Layer>{});
    PullState before = progress.state();
    for (int i = 0; i < 200; ++i) {
      const auto total = chance() % 10'000;
      progress.add(line(static_cast<int>(chance() % 4), kStates[chance() % kStates.size()],
                        total == 0 ? 0 : chance() % total, total));
      const PullState& now = progress.state();
      CHECK(now.share >= before.share);
      CHECK(now.share < 1);
      CHECK(now.bytes_done >= before.bytes_done);
      CHECK(now.bytes_total >= before.bytes_total);
      CHECK(now.bytes_done <= now.bytes_total);
      CHECK(now.layers_done <= now.layers);
      before = now;
    }
    progress.finish();
    CHECK(progress.state().share == 1);
  }
}

TEST_CASE("The recorded pulls of both engines end with all bytes and no error", "[engine]") {
  const auto kind = GENERATE(EngineKind::docker, EngineKind::podman);
  const auto digest = *Digest::parse("sha256:edb3b6a1dcd8" + std::string(52, '0'));
  PullProgress progress({{digest, 1064795}});
  feed(progress, recorded(kind, "pull").body);
  CHECK(progress.error().empty());
  CHECK(progress.state().bytes_done == 1064795);
  // Podman's config is no layer, and podman does not say when it has unpacked one.
  CHECK(progress.state().layers == 1);
  CHECK(progress.state().layers_done == (kind == EngineKind::docker ? 1 : 0));
}

TEST_CASE("An error line of a pull is its error, although HTTP said 200", "[engine]") {
  PullProgress progress;
  feed(progress, recorded(EngineKind::podman, "pull-unknown-tag").body);
  CHECK(progress.error().find("manifest unknown") != std::string::npos);
  PullProgress away;
  feed(away, recorded(EngineKind::podman, "pull-registry-away").body);
  CHECK(away.error().find("connection refused") != std::string::npos);
}

}  // namespace
}  // namespace shoal
