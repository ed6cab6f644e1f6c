#include "orchestrator/images/cluster_tag.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

TEST_CASE("A tag's record comes back from its text", "[orchestrator][names]") {
  const ClusterTag tag{Digest::of("manifest"), "application/vnd.oci.image.index.v1+json", 42,
                       "n-abc", UnixTime(std::chrono::seconds(1'700'000'000))};
  const auto text = encode(tag);
  CHECK(text.size() < 300);
  const auto read = decode_cluster_tag("tags/a:b", text);
  REQUIRE(read);
  CHECK(read->digest == tag.digest);
  CHECK(read->media_type == tag.media_type);
  CHECK(read->size == 42);
  CHECK(read->pushed_by == "n-abc");
  CHECK(read->pushed == tag.pushed);
}

TEST_CASE("A tag's record that is not one is named", "[orchestrator][names]") {
  const auto digest = Digest::of("x").to_string();
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), std::string("{\"digest\":7}"),
        "{\"digest\":\"" + digest + "\"}",
        "{\"digest\":\"" + digest + "\",\"size\":-1,\"pushed\":\"2026-01-01T00:00:00Z\"}",
        "{\"digest\":\"" + digest + "\",\"size\":1,\"pushed\":\"yesterday\"}"}) {
    CAPTURE(text);
    const auto read = decode_cluster_tag("tags/a:b", text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::corrupt);
    CHECK(read.error().message.find("tags/a:b") != std::string::npos);
  }
}

}  // namespace
}  // namespace shoal
