#include "p2p/directory.h"

#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "tests/p2p/cluster.h"

namespace shoal {
namespace {

using Names = std::vector<std::string>;

Names directories_of(const Digest& digest, const Names& ids) {
  const Rendezvous rendezvous(ids);
  Names names;
  for (const auto index : rendezvous.top(rendezvous_word(digest), kDirectories)) {
    names.push_back(rendezvous.ids()[index]);
  }
  return names;
}

TEST_CASE("What one node pushes is found by all others, by asking the directory alone",
          "[p2p][directory]") {
  TestCluster cluster(5, TestCluster::directory_alone());
  const auto blob = cluster[0].push("a layer");
  const auto manifest = push_manifest(*cluster[0].store, repo("team/app"), "{}", {blob}, {});
  cluster[0].flush();
  for (std::size_t i = 1; i < 5; ++i) {
    CHECK(cluster[i].holders(blob) == Names{"n0"});
    CHECK(cluster[i].holders(manifest) == Names{"n0"});
    CHECK(cluster[i].faults.heads == 0);
  }
  CHECK(cluster[0].holders(blob).empty());  // It does not name itself.

  REQUIRE(cluster[3].store->uploads().put(repo("x"), blob, "a layer"));
  cluster[3].flush();
  CHECK(cluster[1].holders(blob) == Names{"n0", "n3"});
  CHECK(cluster[3].holders(blob) == Names{"n0"});

  REQUIRE(cluster[3].store->blobs().remove(repo("x"), blob));
  cluster[3].flush();
  CHECK(cluster[1].holders(blob) == Names{"n0"});
}

TEST_CASE("Many digests are looked up with one request to each directory node",
          "[p2p][directory]") {
  TestCluster cluster(4, TestCluster::directory_alone());
  std::vector<Digest> digests;
  for (int i = 0; i < 300; ++i) {
    digests.push_back(cluster[static_cast<std::size_t>(i % 2)].push("blob " + std::to_string(i)));
  }
  cluster[0].flush();
  cluster[1].flush();
  const auto found = cluster[2].directory->lookup(digests);
  REQUIRE(found.size() == digests.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].holders == Names{i % 2 == 0 ? "n0" : "n1"});
  }
}

TEST_CASE("Content that a node held before it started is announced at its start",
          "[p2p][directory]") {
  TestCluster cluster(3, TestCluster::directory_alone());
  cluster[0].announcer.reset();
  std::vector<Digest> digests;
  for (int i = 0; i < 50; ++i) digests.push_back(cluster[0].push(std::to_string(i)));
  cluster[0].stop();
  cluster[0].start();
  cluster[0].flush();
  for (const auto& digest : digests) CHECK(cluster[1].holders(digest) == Names{"n0"});
}

TEST_CASE("A directory node that restarts loses nothing for long", "[p2p][directory]") {
  TestCluster cluster(5, TestCluster::directory_alone());
  std::vector<Digest> digests;
  for (int i = 0; i < 60; ++i) digests.push_back(cluster[0].push(std::to_string(i)));
  cluster[0].flush();
  const auto before = cluster[4].table->usage().entries;
  CHECK(before > 10);

  cluster[4].stop();
  for (const auto& digest : digests) {  // The other two know, while the first is still in the set.
    CHECK(cluster[1].holders(digest) == Names{"n0"});
  }
  cluster[4].start();
  CHECK(eventually([&] { return cluster[4].table->usage().entries == before; }));
}

TEST_CASE("When a directory node leaves, those that follow it are told", "[p2p][directory]") {
  TestCluster cluster(5, TestCluster::directory_alone());
  std::vector<Digest> digests;
  for (int i = 0; i < 60; ++i) digests.push_back(cluster[0].push(std::to_string(i)));
  cluster[0].flush();
  cluster[4].stop();
  cluster.meet({"n4"});
  cluster[0].flush();
  for (const auto& digest : digests) {
    for (const auto& id : directories_of(digest, {"n0", "n1", "n2", "n3"})) {
      auto& node = *cluster.nodes[static_cast<std::size_t>(id[1] - '0')];
      CHECK(node.table->lookup({digest}).holders[0] == Names{"n0"});
    }
    CHECK(cluster[2].holders(digest) == Names{"n0"});
  }
}

TEST_CASE("A holder that is not alive is not named", "[p2p][directory]") {
  TestCluster cluster(4, TestCluster::directory_alone());
  const auto digest = cluster[3].push("only there");
  cluster[3].flush();
  CHECK(cluster[1].holders(digest) == Names{"n3"});
  cluster.meet({"n3"});
  CHECK(cluster[1].holders(digest).empty());
  cluster.meet();
  cluster[3].flush();
  CHECK(cluster[1].holders(digest) == Names{"n3"});
}

TEST_CASE("Content is found while nobody has announced anything yet", "[p2p][directory]") {
  auto config = TestCluster::quick();
  config.announces = false;
  SECTION("in a small cluster") { config.directory.young = std::chrono::seconds(0); }
  SECTION("and in a large one, as long as its directory is young") {
    config.directory.small_cluster = 0;
  }
  TestCluster cluster(5, config);
  const auto digest = cluster[2].push("something");
  const auto other = Digest::of("nothing");
  const auto found = cluster[0].directory->lookup({digest, other});
  CHECK(found[0].holders == Names{"n2"});
  CHECK(found[0].sure);
  CHECK(found[1].holders.empty());
  CHECK(found[1].sure);

  SECTION("but one that does not answer leaves a doubt") {
    cluster[4].stop();
    CHECK(cluster[0].holders(digest) == Names{"n2"});
    CHECK_FALSE(cluster[0].directory->lookup(other).sure);
  }
}

TEST_CASE("A large cluster with an old directory does not ask around", "[p2p][directory]") {
  TestCluster cluster(4, TestCluster::directory_alone());
  const auto found = cluster[0].directory->lookup(Digest::of("nothing"));
  CHECK(found.holders.empty());
  CHECK(found.sure);
  for (const auto& node : cluster.nodes) CHECK(node->faults.heads == 0);
}

/// What has this directory node first of those of `count` nodes.
std::string content_of(const std::string& primary, std::size_t count) {
  Names ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back("n" + std::to_string(i));
  for (int i = 0;; ++i) {
    auto content = "content " + std::to_string(i);
    if (directories_of(Digest::of(content), ids).front() == primary) return content;
  }
}

Directory::Found join(TestNode& node, const Digest& digest) {
  const auto found = node.directory->join({digest});
  REQUIRE(found.size() == 1);
  return found.front();
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

TEST_CASE("Nodes that fetch the same find each other, whoever holds it", "[p2p][directory]") {
  TestCluster cluster(5, TestCluster::directory_alone());
  const auto* const primary = GENERATE("n4", "n1");  // Another node, or one of those that fetch.
  const auto content = content_of(primary, 5);
  const auto digest = Digest::of(content);
  Names holders;
  SECTION("a node") {
    cluster[0].push(content);
    cluster[0].flush();
    holders = {"n0"};
  }
  SECTION("nobody") {}
  CHECK(join(cluster[1], digest).fetchers.empty());
  const auto second = join(cluster[2], digest);
  CHECK(second.holders == holders);
  CHECK(second.fetchers == Names{"n1"});
  CHECK(join(cluster[1], digest).fetchers == Names{"n2"});
  CHECK(sorted(join(cluster[3], digest).fetchers) == Names{"n1", "n2"});

  CHECK(cluster[3].directory->lookup(digest).fetchers.empty());
  cluster.meet({"n1"});
  const auto later = join(cluster[3], digest).fetchers;
  CHECK(std::count(later.begin(), later.end(), "n1") == 0);
  for (const auto& node : cluster.nodes) CHECK(node->faults.heads == 0);
}

TEST_CASE("One that has fetched it is a holder, and a fetcher no longer", "[p2p][directory]") {
  TestCluster cluster(4, TestCluster::directory_alone());
  const auto digest = cluster[0].push("a layer");
  cluster[0].flush();
  CHECK(join(cluster[1], digest).fetchers.empty());
  CHECK(join(cluster[2], digest).fetchers == Names{"n1"});
  SECTION("when it has announced it") {
    cluster[1].push("a layer");
    cluster[1].flush();
  }
  SECTION("and when it was only seen to serve it") { cluster[2].directory->hint({digest}, "n1"); }
  const auto found = join(cluster[2], digest);
  CHECK(sorted(found.holders) == Names{"n0", "n1"});
  CHECK(found.fetchers.empty());
}

TEST_CASE("Those that fetch the same meet at the next directory node when the first is silent",
          "[p2p][directory]") {
  TestCluster cluster(6, TestCluster::directory_alone());
  const auto content = content_of("n5", 6);
  const auto digest = cluster[0].push(content);
  cluster[0].flush();
  cluster[5].stop();  // The others do not know it yet.
  CHECK(join(cluster[1], digest).fetchers.empty());
  CHECK(join(cluster[2], digest).fetchers == Names{"n1"});
  const auto again = join(cluster[1], digest);
  CHECK(again.fetchers == Names{"n2"});
  CHECK(again.holders == Names{"n0"});
  CHECK(again.sure);

  cluster.meet({"n5"});
  CHECK(join(cluster[2], digest).fetchers == Names{"n1"});
}

TEST_CASE("What a node fetches is told to the first directory nodes, with one request to each",
          "[p2p][directory]") {
  TestCluster cluster(4, TestCluster::directory_alone());
  std::vector<Digest> digests;
  for (int i = 0; i < 300; ++i) digests.push_back(cluster[0].push("blob " + std::to_string(i)));
  cluster[0].flush();
  const auto found = cluster[2].directory->join(digests);
  REQUIRE(found.size() == digests.size());
  for (const auto& of : found) CHECK(of.holders == Names{"n0"});
  std::map<std::string, std::size_t> told;
  for (const auto& digest : digests) ++told[directories_of(digest, {"n0", "n1", "n2", "n3"})[0]];
  for (const auto& node : cluster.nodes) {
    CHECK(node->lookups == (node->id == "n2" ? 0 : 1));
    CHECK(node->table->usage().fetchers == told[node->id]);
  }
}

TEST_CASE("A join asks around like a lookup while nobody has announced anything yet",
          "[p2p][directory]") {
  auto config = TestCluster::quick();
  config.announces = false;
  TestCluster cluster(4, config);
  const auto digest = cluster[2].push("something");
  CHECK(join(cluster[0], digest).holders == Names{"n2"});
  const auto found = join(cluster[1], digest);
  CHECK(found.holders == Names{"n2"});
  CHECK(found.fetchers == Names{"n0"});
  CHECK(found.sure);
}

TEST_CASE("The directory takes from a node what it announces of itself, and from nobody else",
          "[p2p][directory]") {
  TestCluster cluster(2);
  const std::string announce_target = "/cluster/v1/directory/announce";
  Announce message;
  message.holder = "n1";
  message.boot = 1;
  message.sequence = 1;
  message.adds = {Digest::of("x")};
  const auto post = [&](TestNode& from, const std::string& target, const std::string& body) {
    const auto answer = from.clients->send("n0", "POST", target, {}, body);
    REQUIRE(answer);
    return *answer;
  };
  const auto usage = [&] { return cluster[0].table->usage().entries; };

  CHECK(post(cluster[0], announce_target, encode(message)).status == 403);
  CHECK(usage() == 0);
  CHECK(post(cluster[1], announce_target, encode(message)).status == 200);
  CHECK(usage() == 1);

  const auto broken = post(cluster[1], announce_target, "anything");
  CHECK(broken.status == 400);
  CHECK(broken.body.starts_with("not a directory message"));
  CHECK(post(cluster[1], "/cluster/v1/directory/lookup", "").status == 400);
  CHECK(post(cluster[1], announce_target, std::string(3 << 20, 'x')).status == 413);
  const auto get = cluster[1].clients->send("n0", "GET", announce_target);
  REQUIRE(get);
  CHECK(get->status == 405);

  HttpClientConfig stranger;
  TlsConfig without_certificate;
  without_certificate.authorities_pem = cluster.authority.certificate_pem();
  stranger.tls = *TlsContext::client(without_certificate);
  stranger.peer = "n0";
  auto client = HttpClient::to("https://" + cluster[0].address, stranger);
  REQUIRE(client);
  const auto refused = client->send("POST", announce_target, {}, encode(message));
  REQUIRE(refused);
  CHECK(refused->status == 403);
}

TEST_CASE("An announcer catches up with a feed that no longer reaches back", "[p2p][announcer]") {
  auto config = TestCluster::directory_alone();
  config.store.events_kept = 100;
  TestCluster cluster(2, config);
  cluster[0].flush();
  std::vector<Digest> digests;
  for (int i = 0; i < 4200; ++i) {
    push_manifest(*cluster[0].store, repo("a"), "same", {}, {});
    if (i % 500 == 0) digests.push_back(cluster[0].push(std::to_string(i)));
  }
  cluster[0].flush();
  for (const auto& digest : digests) CHECK(cluster[1].holders(digest) == Names{"n0"});
}

TEST_CASE("Content that was found to be bad is taken back", "[p2p][announcer]") {
  TestCluster cluster(2, TestCluster::directory_alone());
  const auto content = random_bytes(1 << 20, 3);
  const auto digest = cluster[0].push(content);
  cluster[0].flush();
  CHECK(cluster[1].holders(digest) == Names{"n0"});
  REQUIRE(cluster[0].store->blobs().remove(repo("team/app"), digest));
  cluster[0].flush();
  CHECK(cluster[1].holders(digest).empty());
}

}  // namespace
}  // namespace shoal
