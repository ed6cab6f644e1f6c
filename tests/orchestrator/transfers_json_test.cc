#include "orchestrator/transfers_json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using std::chrono::milliseconds;
using Json = nlohmann::json;

NodeView member(const std::string& id, const std::string& name) {
  NodeView view;
  view.member.id = id;
  if (!name.empty()) view.member.labels["name"] = name;
  return view;
}

/// Half of 1000 bytes is here, and 100 come each second.
Swarm::View arriving() {
  Swarm::View view{Digest::of("layer")};
  view.repository = "team/app";
  view.arriving = true;
  view.of_class = SwarmClass::prefetch;
  view.bytes = 1000;
  view.arrived_bytes = 500;
  view.pieces = 4;
  view.arrived_pieces = 2;
  view.receive_rate = 100;
  view.age = milliseconds(5000);
  view.still = milliseconds(1999);
  return view;
}

Json json_of(const TransfersStatus& status) { return Json::parse(to_json(status)); }

Json json_of(const Swarm::View& view) {
  TransfersStatus status;
  status.now = {view};
  return json_of(status)["now"][0];
}

TEST_CASE("A node that stands alone has transfers of the same form, and none", "[transfers]") {
  const auto json = json_of(TransfersStatus{});
  CHECK(json["now"] == Json::array());
  CHECK(json["ended"] == Json::array());
  for (const auto* name :
       {"now", "finished", "finished_bytes", "failed", "wrong", "https_bytes", "torrents",
        "tunnels", "received_bytes", "sent_bytes", "waiting_bytes", "lent_bytes"}) {
    CAPTURE(name);
    CHECK(json["totals"][name] == 0);
  }
}

TEST_CASE("A transfer says how far it is and when it will be done", "[transfers]") {
  const auto json = json_of(arriving());
  CHECK(json["digest"] == Digest::of("layer").to_string());
  CHECK(json["repository"] == "team/app");
  CHECK(json["class"] == "prefetch");
  CHECK(json["arriving"] == true);
  CHECK(json["bytes"] == 1000);
  CHECK(json["arrived_bytes"] == 500);
  CHECK(json["pieces"] == 4);
  CHECK(json["arrived_pieces"] == 2);
  CHECK(json["age_ms"] == 5000);
  CHECK(json["still_ms"] == 1999);
  CHECK(json["stalled"] == false);
  CHECK(json["eta_s"] == 5.0);
}

TEST_CASE("A transfer without a byte for two seconds has stalled, and no end in sight",
          "[transfers]") {
  auto view = arriving();
  view.still = milliseconds(2000);
  const auto json = json_of(view);
  CHECK(json["stalled"] == true);
  CHECK(json["eta_s"].is_null());
}

TEST_CASE("Where nothing has come yet, nobody knows the end", "[transfers]") {
  auto view = arriving();
  view.receive_rate = 0;
  CHECK(json_of(view)["eta_s"].is_null());
}

TEST_CASE("A transfer whose last piece is here has not stalled while it is checked",
          "[transfers]") {
  auto view = arriving();
  view.arrived_bytes = view.bytes;
  view.still = milliseconds(10'000);
  const auto json = json_of(view);
  CHECK(json["stalled"] == false);
  CHECK(json["eta_s"].is_null());
}

TEST_CASE("What is only given to others is shown, too, and waits for nothing", "[transfers]") {
  Swarm::View view{Digest::of("layer")};
  view.send_rate = 7;
  view.still = milliseconds(10'000);
  const auto json = json_of(view);
  CHECK(json["arriving"] == false);
  CHECK(json["class"].is_null());
  CHECK(json["send_rate"] == 7);
  CHECK(json["stalled"] == false);
  CHECK(json["eta_s"].is_null());
}

TEST_CASE("Nodes have names where the members' labels say them", "[transfers]") {
  TransfersStatus status;
  status.members = {member("n-a", "host-a"), member("n-b", "")};
  status.now = {arriving()};
  status.now[0].peers = {
      {"n-a", 300, 20, 30, 2, 4, true}, {"n-b", 200, 0, 0, 0, 1, false}, {"https", 100}};
  const auto peers = json_of(status)["now"][0]["peers"];
  CHECK(peers[0] == Json{{"node", "n-a"},
                         {"name", "host-a"},
                         {"received_bytes", 300},
                         {"sent_bytes", 20},
                         {"receive_rate", 30},
                         {"send_rate", 2},
                         {"pieces", 4},
                         {"connected", true}});
  CHECK(peers[1]["node"] == "n-b");
  CHECK_FALSE(peers[1].contains("name"));
  CHECK(peers[2]["received_bytes"] == 100);
  CHECK_FALSE(peers[2].contains("name"));
}

TEST_CASE("A transfer that ended says from whom it came and how it went", "[transfers]") {
  TransfersStatus status;
  status.members = {member("n-a", "host-a")};
  SwarmEnded done{Digest::of("done")};
  done.repository = "app";
  done.of_class = SwarmClass::replication;
  done.bytes = 1000;
  done.arrived_bytes = 1000;
  done.took = milliseconds(2500);
  done.over_best = 1.25;
  done.sources = {{"n-a", 900}, {"https", 100}};
  SwarmEnded lost{Digest::of("lost")};
  lost.bytes = 1000;
  lost.over_best = 15;                                       // What it waited in vain for.
  lost.error = Error{Errc::timed_out, "no byte came \xff"};  // Not UTF-8: as a node may say it.
  status.ended = {done, lost};

  const auto ended = json_of(status)["ended"];
  CHECK(ended[0] == Json{{"digest", Digest::of("done").to_string()},
                         {"repository", "app"},
                         {"class", "replication"},
                         {"bytes", 1000},
                         {"arrived_bytes", 1000},
                         {"ms", 2500},
                         {"over_best", 1.25},
                         {"sources",
                          {{{"node", "n-a"}, {"name", "host-a"}, {"bytes", 900}},
                           {{"node", "https"}, {"bytes", 100}}}},
                         {"error", nullptr}});
  CHECK(ended[1]["over_best"].is_null());
  CHECK(ended[1]["sources"] == Json::array());
  CHECK(ended[1]["error"].get<std::string>().starts_with("no byte came"));
}

TEST_CASE("The totals are counts, side by side", "[transfers]") {
  TransfersStatus status;
  status.totals.transfers = {1, 2, 3, 4, 5, 6};
  status.totals.torrents = 7;
  status.totals.lent_bytes = 8;
  const auto totals = json_of(status)["totals"];
  CHECK(totals["now"] == 1);
  CHECK(totals["https_bytes"] == 6);
  CHECK(totals["torrents"] == 7);
  CHECK(totals["lent_bytes"] == 8);
}

}  // namespace
}  // namespace shoal
