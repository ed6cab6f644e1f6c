#include "orchestrator/membership/membership_api.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"
#include "registry/http/client.h"
#include "tests/orchestrator/membership/wait_for_peers.h"
#include "tests/orchestrator/trust/cluster.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

/// The API of one member, behind HTTP as on its own port, and another member that is not live.
struct ApiOfMember : TestCluster {
  ApiOfMember() {
    REQUIRE(membership.wait_until_live(std::chrono::seconds(60)));
    REQUIRE(state->commit({{}, {{state_keys::node(other.id), to_json(other), 0}}}));
    wait_until([&] { return membership.is_member(other.id); });
  }
  ~ApiOfMember() {
    server.stop(std::chrono::seconds(0));
    pool.join();
  }

  struct Reply {
    int status;
    nlohmann::json json;
  };
  Reply send(const std::string& method, const std::string& target, const std::string& body = "") {
    auto client = HttpClient::to("http://" + server.address(), std::chrono::seconds(30));
    REQUIRE(client);
    const auto answer = client->send(method, "/shoal/v1/cluster/" + target, {}, body);
    REQUIRE(answer);
    return {answer->status, nlohmann::json::parse(answer->body, nullptr, false)};
  }

  Member self = new_member();
  Member other = new_member();
  asio::thread_pool pool{2};
  Membership membership{*state, self};
  MembershipApi api{*state, membership, tokens, pool};
  TestServer server{[this](Request& request) { return api.serve(request); }};
};

TEST_CASE("A token that the API gives lets a node in", "[orchestrator][membership][api]") {
  ApiOfMember test;
  const auto created = test.send("POST", "tokens?ttl=60&uses=2");
  REQUIRE(created.status == 201);
  CHECK(created.json["uses"] == 2);
  const auto token = JoinToken::parse(created.json["token"].get<std::string>());
  REQUIRE(token);
  CHECK(token->id == created.json["id"]);
  CHECK(token->authority_sha256 == test.authority.fingerprint());
  CHECK(test.tokens.redeem(*token, {"n-a", "key"}, {}, {}));
  CHECK(test.send("POST", "tokens").status == 201);
  for (const auto* const bad :
       {"?ttl=0", "?ttl=x", "?uses=0", "?uses=1001", "?ttl=-1", "?ttl=99999999999999999999"}) {
    CAPTURE(bad);
    CHECK(test.send("POST", std::string("tokens") + bad).status == 400);
  }
  CHECK(test.send("GET", "tokens").status == 405);
}

TEST_CASE("Nodes are listed with what is known of them", "[orchestrator][membership][api]") {
  ApiOfMember test;
  const auto list = test.send("GET", "nodes");
  REQUIRE(list.status == 200);
  REQUIRE(list.json["nodes"].size() == 2);
  const auto self = test.send("GET", "nodes/" + test.self.id);
  CHECK(self.json["live"] == true);
  CHECK(self.json["self"] == true);
  CHECK(self.json["drained"] == false);
  CHECK(self.json["urls"] == nlohmann::json(test.self.urls));
  CHECK(self.json["engine"].is_null());
  CHECK(test.send("GET", "nodes/" + test.other.id).json["live"] == false);
  CHECK(test.send("GET", "nodes/n-nobody").status == 404);
  CHECK(test.send("PUT", "nodes").status == 405);
  CHECK(test.send("GET", "planets").status == 404);
}

TEST_CASE("Labels and drain are changed through the API", "[orchestrator][membership][api]") {
  ApiOfMember test;
  const auto path = "nodes/" + test.other.id;
  const auto labelled = test.send("POST", path + "/labels", R"({"dc":"west","gone":null})");
  REQUIRE(labelled.status == 200);
  CHECK(labelled.json["labels"] == nlohmann::json{{"dc", "west"}});
  CHECK(test.send("POST", path + "/labels", R"({"dc":null})").json["labels"].empty());
  CHECK(test.send("POST", path + "/labels", R"({"d c":"x"})").status == 400);
  CHECK(test.send("POST", path + "/labels", R"({"dc":1})").status == 400);
  CHECK(test.send("POST", path + "/labels", "[]").status == 400);
  CHECK(test.send("GET", path + "/labels").status == 405);
  CHECK(test.send("POST", "nodes/n-nobody/labels", "{}").status == 404);

  CHECK(test.send("POST", path + "/drain?on=true").json["drained"] == true);
  wait_until([&] { return test.membership.node(test.other.id)->drained; });
  CHECK(test.send("POST", path + "/drain?on=false").status == 200);
  CHECK(test.send("POST", path + "/drain").status == 400);
  CHECK(test.send("POST", "nodes/n-nobody/drain?on=true").status == 404);
}

TEST_CASE("A node is removed through the API, and then unknown",
          "[orchestrator][membership][api]") {
  ApiOfMember test;
  const auto path = "nodes/" + test.other.id;
  const auto removed = test.send("DELETE", path);
  REQUIRE(removed.status == 200);
  CHECK(removed.json["removed"] == true);
  wait_until([&] { return test.membership.is_removed(test.other.id); });
  CHECK(test.send("GET", path).status == 404);
  CHECK(test.send("DELETE", "nodes/n-nobody").status == 404);
}

}  // namespace
}  // namespace shoal
