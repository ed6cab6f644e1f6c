// What an engine says while it pulls, and of containers, images and events.

#include <cstdint>
#include <string_view>

#include "orchestrator/engine/engine_json.h"
#include "orchestrator/engine/line_splitter.h"
#include "orchestrator/engine/pull_progress.h"
#include "tests/fuzz/require.h"

namespace {

void check(const std::vector<shoal::PullProgress::Layer>& layers, std::string_view bytes) {
  shoal::PullProgress progress(layers);
  shoal::PullState before = progress.state();
  shoal::LineSplitter lines(1 << 16);
  const auto take = [&](std::string_view line) {
    const auto parsed = shoal::parse_pull_line(line);
    if (!parsed) return;
    progress.add(*parsed);
    const shoal::PullState& now = progress.state();
    SHOAL_REQUIRE(now.share >= before.share && now.share < 1);
    SHOAL_REQUIRE(now.bytes_done >= before.bytes_done);
    SHOAL_REQUIRE(now.bytes_total >= before.bytes_total);
    SHOAL_REQUIRE(now.layers_done <= now.layers);
    before = now;
  };
  lines.add(bytes, take);
  lines.finish(take);
  progress.finish();
  SHOAL_REQUIRE(progress.state().share == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check({}, bytes);
  check({{shoal::Digest::of("a"), 1000}, {shoal::Digest::of("b"), 1}}, bytes);

  static_cast<void>(shoal::parse_container_list(bytes));
  static_cast<void>(shoal::parse_image(bytes));
  static_cast<void>(shoal::parse_event(bytes));
  static_cast<void>(shoal::parse_exec(bytes));
  static_cast<void>(shoal::parse_wait(bytes));
  static_cast<void>(shoal::parse_version(bytes));
  SHOAL_REQUIRE(!shoal::error_message(bytes).empty());
  if (const auto container = shoal::parse_container(bytes)) {
    SHOAL_REQUIRE(!container->id.empty());
  }
  return 0;
}
