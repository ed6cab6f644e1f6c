#include <string>

#include <catch2/catch.hpp>

#include "orchestrator/engine/container.h"
#include "orchestrator/engine/engine_info.h"
#include "orchestrator/engine/image_reference.h"
#include "orchestrator/engine/labels.h"

namespace shoal {
namespace {

SlotLabels labels() {
  return {"c1", "web", "web-scale-1", 7, "sha256:s", "sha256:i", "reg.example/web:1"};
}

Container container(LabelMap map) {
  Container made;
  made.id = std::string(64, 'a');
  made.name = "web";
  made.labels = std::move(map);
  return made;
}

TEST_CASE("The labels of a container say whose it is and what, and nothing else does", "[engine]") {
  auto map = labels().to_map();
  map["tier"] = "front";
  CHECK(SlotLabels::parse(map) == labels());
  for (const auto& [name, value] : labels().to_map()) {
    CAPTURE(name);
    auto without = map;
    without.erase(name);
    CHECK_FALSE(SlotLabels::parse(without));
    without[name] = "";
    CHECK_FALSE(SlotLabels::parse(without));
  }
  for (const auto* generation : {"-1", "07", "7x", "1e3", "99999999999999999999"}) {
    map["shoal.generation"] = generation;
    CHECK_FALSE(SlotLabels::parse(map));
  }
}

TEST_CASE("A container without this cluster's labels cannot be changed", "[engine]") {
  CHECK(OwnedContainer::of(container(labels().to_map()), "c1"));
  CHECK_FALSE(OwnedContainer::of(container(labels().to_map()), "c2"));
  CHECK_FALSE(OwnedContainer::of(container({}), "c1"));
  CHECK_FALSE(OwnedContainer::of(container({{"shoal.owner", "c1"}}), "c1"));
  CHECK_FALSE(OwnedContainer::of(container({{"shoal.owner", "c1"}}), ""));
}

TEST_CASE("A container is adopted by its whole id, unless another cluster has it", "[engine]") {
  const auto foreign = container({{"com.example", "x"}});
  const auto adopted = OwnedContainer::adopt(foreign, foreign.id, "c1");
  REQUIRE(adopted);
  CHECK_FALSE(adopted->labels());
  CHECK(OwnedContainer::adopt(foreign, "web", "c1").error().code == Errc::usage);
  CHECK(OwnedContainer::adopt(foreign, foreign.id.substr(0, 12), "c1").error().code == Errc::usage);
  CHECK(OwnedContainer::adopt(foreign, std::string(64, 'b'), "c1").error().code == Errc::usage);
  const auto theirs = container(labels().to_map());
  CHECK(OwnedContainer::adopt(theirs, theirs.id, "c2").error().code == Errc::conflict);
}

TEST_CASE("An image's reference has one spelling, on loopback and by digest", "[engine]") {
  const std::string digest = "sha256:" + std::string(64, '1');
  const auto reference = ImageReference::parse("127.0.0.1:5000/quay.io/x/y@" + digest);
  REQUIRE(reference);
  CHECK(reference->name() == "127.0.0.1:5000/quay.io/x/y");
  CHECK(reference->text() == "127.0.0.1:5000/quay.io/x/y@" + digest);
  for (const std::string& bad :
       {std::string("127.0.0.1:5000/x:1"), "localhost:5000/x@" + digest, "127.0.0.1/x@" + digest,
        "127.0.0.1:0/x@" + digest, "127.0.0.1:5000/X@" + digest,
        std::string("127.0.0.1:5000/x@sha256:1"), "127.0.0.1:99999/x@" + digest}) {
    CAPTURE(bad);
    CHECK_FALSE(ImageReference::parse(bad));
  }
}

TEST_CASE("The API's version is ours where it can be, else the nearest", "[engine]") {
  CHECK(negotiate("1.41", "1.12") == "1.41");
  CHECK(negotiate("1.52", "1.24") == "1.41");
  CHECK(negotiate("1.52", "1.44") == "1.44");
  CHECK(negotiate("1.40", "") == "1.40");
  CHECK(negotiate("1.23", "").error().code == Errc::unsupported);
  CHECK(negotiate("", "").error().code == Errc::unsupported);
  CHECK(negotiate("1.x", "").error().code == Errc::unsupported);
}

}  // namespace
}  // namespace shoal
