#include "orchestrator/membership/join.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/keys.h"
#include "orchestrator/membership/member_changes.h"
#include "tests/orchestrator/membership/cluster_port.h"

namespace shoal {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

JoinConfig joining(const std::string& address, const std::string& token,
                   const std::filesystem::path& folder) {
  Member member;
  member.urls = {"https://127.0.0.1:2"};
  member.version = "0.1.0";
  return {{address}, token, member, folder, 30s};
}

TEST_CASE("A node joins with a token, and is a member with a certificate",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true);
  const auto token = cluster.tokens.create(1h, 1)->token.text();
  const TempFolder folder;
  const auto joined = join(joining(port.address(), token, folder.path()));
  INFO((joined ? std::string() : joined.error().message));
  REQUIRE(joined);
  CHECK(is_node_id(joined->identity.node_id));
  CHECK(joined->identity.cluster_id == cluster.authority.cluster_id());
  CHECK(joined->state == StateLocation{"embedded", {port.url()}, port.identity().node_id});
  CHECK(joined->members.size() == 2);
  CHECK(NodeIdentity::load(folder.path())->node_id == joined->identity.node_id);
  const auto entry = *cluster.state->get(state_keys::node(joined->identity.node_id));
  REQUIRE(entry);
  CHECK(parse_member(entry->value)->urls == std::vector<std::string>{"https://127.0.0.1:2"});

  const auto inside = port.send(joined->identity.tls(), "GET", "/v3/kv/range");
  REQUIRE(inside);
  CHECK(inside->status == 200);
  CHECK(inside->body == "inside");

  const auto again = join(joining(port.address(), token, folder.path()));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::denied);
  CHECK_THAT(again.error().message, Catch::Contains("used up"));
}

TEST_CASE("A node joins by a member that does not have the authority",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort authority(cluster, true);
  ClusterPort other(cluster, false);
  wait_for_peers(other.membership(), {authority.identity().node_id, other.identity().node_id});
  const auto token = cluster.tokens.create(1h, 1)->token.text();
  const TempFolder folder;
  const auto joined = join(joining(other.address(), token, folder.path()));
  INFO((joined ? std::string() : joined.error().message));
  REQUIRE(joined);
  const auto inside = authority.send(joined->identity.tls(), "GET", "/");
  REQUIRE(inside);
  CHECK(inside->status == 200);

  const auto refused = join(joining(other.address(), token, folder.path()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::denied);
  CHECK_THAT(refused.error().message, Catch::Contains("used up"));
}

TEST_CASE("Without anybody who has the authority a join says so, and ends",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, false);
  const TempFolder folder;
  const auto token = cluster.tokens.create(1h, 1)->token.text();
  const auto joined = join(joining(port.address(), token, folder.path()));
  REQUIRE_FALSE(joined);
  CHECK(joined.error().code == Errc::unavailable);
  CHECK_THAT(joined.error().message, Catch::Contains("authority"));
}

TEST_CASE("A token that the cluster refuses lets nobody in, and names the reason",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true);
  const TempFolder folder;
  const auto refused = [&](const std::string& token) {
    const auto joined = join(joining(port.address(), token, folder.path()));
    REQUIRE_FALSE(joined);
    CHECK_FALSE(NodeIdentity::load(folder.path()));
    CHECK(cluster.state->list(state_keys::kNodes, "", 10)->entries.size() == 1);
    return joined.error();
  };
  const auto unknown = refused(JoinToken::make(cluster.authority.fingerprint())->text());
  CHECK(unknown.code == Errc::denied);
  CHECK_THAT(unknown.message, Catch::Contains("unknown"));
  auto forged = cluster.tokens.create(1h, 1)->token;
  forged.secret = std::string(16, 'x');
  CHECK_THAT(refused(forged.text()).message, Catch::Contains("forged"));
  CHECK(refused("nonsense").code == Errc::usage);
  // Of another cluster: this port does not even see it.
  const TestCluster other;
  const auto foreign = refused(JoinToken::make(other.authority.fingerprint())->text());
  CHECK(foreign.code == Errc::denied);
  CHECK_THAT(foreign.message, Catch::Contains("another cluster"));
}

TEST_CASE("A join tries its addresses in turn, and names all that failed",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true);
  const TempFolder folder;
  auto config = joining("127.0.0.1:1", cluster.tokens.create(1h, 1)->token.text(), folder.path());
  const auto nobody = join(config);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == Errc::unavailable);
  CHECK_THAT(nobody.error().message, Catch::Contains("127.0.0.1:1"));
  config.urls.push_back(port.url());
  CHECK(join(config));
}

TEST_CASE("A taken id is not given a second time", "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true);
  const TempFolder folder;
  auto config = joining(port.address(), cluster.tokens.create(1h, 2)->token.text(), folder.path());
  config.member.id = port.identity().node_id;
  const auto impostor = join(config);
  REQUIRE_FALSE(impostor);
  CHECK_THAT(impostor.error().message, Catch::Contains("taken"));
}

TEST_CASE("Without a certificate, or with one of another cluster, nothing answers but join",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true);
  const TestCluster other;
  auto without = port.identity().tls();
  without.certificate_pem.clear();
  without.key_pem.clear();
  auto foreign = other.identity().tls();
  foreign.authorities_pem = port.identity().authority_pem;
  for (const auto* const path :
       {"/", "/v3/kv/range", "/v3/watch", kRenewPath, "/cluster/v1/directory/ask",
        "/cluster/v1/blobs/x", "/cluster/v1/manifests", "/cluster/v1/replicate", "/v2/",
        "/cluster/v1/join/", "/cluster/v1/join/../renew", "//cluster/v1/join"}) {
    CAPTURE(path);
    for (const auto* const method : {"GET", "POST"}) {
      const auto refused = port.send(without, method, path);
      REQUIRE(refused);
      CHECK(refused->status == 403);
      CHECK_FALSE(port.send(foreign, method, path));
    }
  }
  CHECK(port.send(without, "GET", kJoinPath)->status == 403);
  CHECK(port.send(without, "POST", kJoinPath, "{}")->status == 403);  // No token in it.
  CHECK_FALSE(port.send(foreign, "POST", kJoinPath, "{}"));
}

TEST_CASE("A removed node, and one that never joined, are refused on every path",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true);
  const TempFolder folder;
  const auto joined =
      join(joining(port.address(), cluster.tokens.create(1h, 1)->token.text(), folder.path()));
  REQUIRE(joined);
  const auto tls = joined->identity.tls();
  CHECK(port.send(tls, "GET", "/")->status == 200);
  REQUIRE(remove_member(*cluster.state, joined->identity.node_id));
  wait_until([&] { return port.membership().is_removed(joined->identity.node_id); });
  const auto never = cluster.identity().tls();
  for (const auto* const path : {"/", "/v3/kv/range", kJoinPath, kRenewPath}) {
    CAPTURE(path);
    CHECK(port.send(tls, "POST", path)->status == 403);
    CHECK(port.send(never, "POST", path)->status == 403);
  }
}

std::string renewal(const NodeIdentity& shown, const NodeIdentity& signer) {
  return nlohmann::json{{"certificate", shown.certificate_pem}, {"csr", *signer.make_csr()}}.dump();
}

TEST_CASE("A member gets its next certificate from any member, and nobody else's",
          "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort authority(cluster, true);
  ClusterPort other(cluster, false);
  wait_for_peers(other.membership(), {authority.identity().node_id, other.identity().node_id});
  const auto& node = other.identity();
  const auto next = renew_certificate(node, other.membership(), client_tls(node.tls()));
  INFO((next ? std::string() : next.error().message));
  REQUIRE(next);
  CHECK(node.renewed(*next));

  // A member asks in another's name: by the one with the authority, and by one that passes it on.
  const auto& thief = authority.identity();
  for (auto* const port : {&authority, &other}) {
    const auto own = port->send(node.tls(), "POST", kRenewPath, renewal(node, node));
    REQUIRE(own);
    CHECK(own->status == 200);
    const auto stolen = port->send(thief.tls(), "POST", kRenewPath, renewal(node, thief));
    REQUIRE(stolen);
    CHECK(stolen->status == 403);
  }
  REQUIRE(remove_member(*cluster.state, node.node_id));
  wait_until([&] { return authority.membership().is_removed(node.node_id); });
  CHECK(authority.send(thief.tls(), "POST", kRenewPath, renewal(node, node))->status == 403);
}

TEST_CASE("Joins have a rate and a size", "[orchestrator][membership][join]") {
  TestCluster cluster;
  ClusterPort port(cluster, true, {kCertificateLifetime, 0.001, 2});
  auto stranger = port.identity().tls();
  stranger.certificate_pem.clear();
  stranger.key_pem.clear();
  const std::string large(kJoinBytesMax + 1, 'x');
  CHECK(port.send(stranger, "POST", kJoinPath, large)->status == 413);
  CHECK(port.send(stranger, "POST", kJoinPath, "{}")->status == 403);
  const auto third = port.send(stranger, "POST", kJoinPath, "{}");
  REQUIRE(third);
  CHECK(third->status == 429);
  CHECK(third->headers.find("Retry-After"));
}

TEST_CASE("A join request from a stranger is read with care", "[orchestrator][membership][join]") {
  const auto token = JoinToken::make(std::string(64, 'a'))->text();
  const auto code = [](const std::string& text) {
    const auto parsed = parse_join_request(text);
    REQUIRE_FALSE(parsed);
    return parsed.error().code;
  };
  CHECK(code("") == Errc::bad_request);
  CHECK(code("[]") == Errc::bad_request);
  CHECK(code("{}") == Errc::denied);
  CHECK(code(R"({"token":7})") == Errc::denied);
  CHECK(code(R"({"token":")" + token + R"("})") == Errc::bad_request);
  CHECK(code(R"({"token":")" + token + R"(","csr":"x","member":{"id":"root"}})") ==
        Errc::bad_request);
  CHECK(code(R"({"token":")" + token + R"(","member":{"id":"n-abcdefghij"}})") ==
        Errc::bad_request);
  const std::string deep(30'000, '[');
  CHECK(code(R"({"token":")" + token + R"(","member":)" + deep + std::string(30'000, ']') + "}") ==
        Errc::bad_request);

  JoinRequest request{*JoinToken::parse(token), "csr", member_named("n-abcdefghij")};
  const auto parsed = parse_join_request(to_json(request));
  REQUIRE(parsed);
  CHECK(parsed->token == request.token);
  CHECK(parsed->csr_pem == "csr");
  CHECK(parsed->member == request.member);
}

}  // namespace
}  // namespace shoal
