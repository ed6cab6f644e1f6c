#include "orchestrator/state/etcd_messages.h"

#include <catch2/catch.hpp>

namespace shoal {
namespace {

// Recorded from etcd 3.4.23.
constexpr const char* kHeader =
    R"("header":{"cluster_id":"15","member_id":"13","revision":"28","raft_term":"2"})";

std::string answer(const std::string& rest) {
  return "{" + std::string(kHeader) + (rest.empty() ? "" : ",") + rest + "}";
}

TEST_CASE("A range is read with its fields of zero left out", "[orchestrator][state][etcd]") {
  const auto empty = parse_range(answer(""), "p/");
  REQUIRE(empty);
  CHECK(empty->entries.empty());
  CHECK(empty->revision == 28);
  CHECK_FALSE(empty->more);

  const auto range = parse_range(
      answer(R"("kvs":[{"key":"cC9h","create_revision":"2","mod_revision":3,"version":"2"},)"
             R"({"key":"cC9i","create_revision":"2","mod_revision":"2","value":"dg==",)"
             R"("lease":"7587848390211370509"}],"more":true,"count":"3")"),
      "p/");
  REQUIRE(range);
  CHECK(range->more);
  CHECK(range->entries ==
        std::vector<StateEntry>{{"a", "", 2, 3, 0}, {"b", "v", 2, 2, 7587848390211370509U}});
}

TEST_CASE("An answer that etcd does not give is an error and no crash",
          "[orchestrator][state][etcd]") {
  const std::string text = GENERATE(
      "", "{", "null", "[]", "7", "\"x\"", "{}", "\xff\xfe", "<html>", R"({"header":7})",
      R"({"header":{"revision":"x"}})", R"({"header":{"revision":"-1"}})",
      R"({"header":{"revision":1.5}})", R"({"header":{"revision":"99999999999999999999"}})",
      R"({"header":{"revision":"1"},"kvs":7})", R"({"header":{"revision":"1"},"kvs":[7]})",
      R"({"header":{"revision":"1"},"kvs":[{}]})",
      R"({"header":{"revision":"1"},"kvs":[{"key":"!","mod_revision":"1"}]})",
      R"({"header":{"revision":"1"},"kvs":[{"key":"cC9h","mod_revision":"0"}]})",
      R"({"header":{"revision":"1"},"kvs":[{"key":"eHh4","mod_revision":"1"}]})",
      R"({"header":{"revision":"1"},"kvs":[{"key":"cC8=","mod_revision":"1"}]})",
      R"({"header":{"revision":"1"},"kvs":[{"key":"cC9h","mod_revision":"1","value":{}}]})",
      R"({"header":{"revision":"1"},"more":"yes"})", R"({"header":{"revision":"1"},"more":true})",
      R"({"header":{"revision":"2"},"kvs":[{"key":"cC9i","mod_revision":"1"},)"
      R"({"key":"cC9h","mod_revision":"1"}]})");
  CAPTURE(text);
  const auto range = parse_range(text, "p/");
  REQUIRE_FALSE(range);
  CHECK(range.error().code == Errc::io);
  CHECK_THAT(range.error().message, Catch::StartsWith("the answer is not what etcd sends"));
}

TEST_CASE("A transaction's answer says whether it took place, and what was found if not",
          "[orchestrator][state][etcd]") {
  const auto won = parse_txn(answer(R"("succeeded":true,"responses":[{"response_put":{}}])"), "p/");
  REQUIRE(won);
  CHECK(won->succeeded);
  CHECK(won->revision == 28);
  const auto lost = parse_txn(answer(R"("responses":[{"response_range":{"kvs":[{"key":"cC9h",)"
                                     R"("mod_revision":"9","value":"dg=="}],"count":"1"}}])"),
                              "p/");
  REQUIRE(lost);
  CHECK_FALSE(lost->succeeded);
  REQUIRE(lost->found);
  CHECK(lost->found->value == "v");
  CHECK(lost->found->modified == 9);
  CHECK_FALSE(parse_txn(answer(R"("succeeded":"yes")"), "p/"));
  CHECK_FALSE(parse_txn(answer(R"("responses":{})"), "p/"));
  CHECK_FALSE(parse_txn(answer(R"("responses":[[]])"), "p/"));
}

TEST_CASE("A keepalive without a time to live is one of a lease that ended",
          "[orchestrator][state][etcd]") {
  CHECK(*parse_keepalive(R"({"result":{"ID":"9","TTL":"15"}})"));
  CHECK_FALSE(*parse_keepalive(R"({"result":{"ID":"9"}})"));
  CHECK_FALSE(parse_keepalive(R"({"error":{}})"));
  CHECK_FALSE(parse_keepalive(R"({"result":{"TTL":"-1"}})"));
  CHECK(*parse_grant(R"({"ID":"232","TTL":"15"})") == 232);
  CHECK_FALSE(parse_grant(R"({"TTL":"15"})"));
}

TEST_CASE("A line of a watch is a beginning, changes, an end or an error",
          "[orchestrator][state][etcd]") {
  const auto line = [](const std::string& text) { return parse_watch_line(text, "p/"); };
  CHECK(line("{\"result\":" + answer(R"("created":true)") + "}")->created);

  const auto changes =
      line("{\"result\":" +
           answer(R"("events":[{"kv":{"key":"cC9h","create_revision":"9","mod_revision":"9",)"
                  R"("version":"1","value":"dg=="}},{"type":"DELETE","kv":{"key":"cC9i",)"
                  R"("mod_revision":"10"}},{"type":1,"kv":{"key":"cC9i","mod_revision":"11"}}])") +
           "}");
  REQUIRE(changes);
  REQUIRE(changes->changes.size() == 3);
  CHECK(changes->changes[0].entry == StateEntry{"a", "v", 9, 9, 0});
  CHECK_FALSE(changes->changes[0].erased);
  CHECK(changes->changes[1].entry == StateEntry{"b", "", 0, 10, 0});
  CHECK(changes->changes[1].erased);
  CHECK(changes->changes[2].erased);

  const auto compacted =
      line("{\"result\":" + answer(R"("canceled":true,"compact_revision":"28")") + "}");
  CHECK(compacted->canceled);
  CHECK(compacted->compacted == 28);
  const auto refused = line(R"({"result":{"created":true,"canceled":true,"cancel_reason":"no"}})");
  CHECK(refused->canceled);
  CHECK(refused->reason == "no");
  const auto lost = line(R"({"error":{"grpc_code":14,"message":"etcdserver: no leader"}})");
  CHECK(lost->error);
  CHECK(lost->reason == "etcdserver: no leader");
  CHECK(line(R"({"error":"token","message":"token","code":16})")->error);

  for (const auto* bad :
       {"", "{}", "[]", R"({"result":[]})", R"({"result":{"events":{}}})",
        R"({"result":{"events":[[]]}})", R"({"result":{"events":[{}]}})",
        R"({"result":{"events":[{"type":"MOVE","kv":{"key":"cC9h","mod_revision":"9"}}]}})",
        R"({"result":{"events":[{"type":[],"kv":{"key":"cC9h","mod_revision":"9"}}]}})",
        R"({"result":{"created":1}})", R"({"result":{"compact_revision":{}}})"}) {
    CAPTURE(bad);
    CHECK_FALSE(line(bad));
  }
}

TEST_CASE("A refusal is read from both shapes that gateways give it",
          "[orchestrator][state][etcd]") {
  const auto old = parse_refusal(R"({"error":"text","message":"text","code":8})");
  CHECK(old.code == 8);
  CHECK(old.message == "text");
  CHECK(parse_refusal(R"({"code":5,"message":"gone","details":[]})").message == "gone");
  CHECK(parse_refusal(R"({"error":"only this"})").message == "only this");
  for (const auto* bad : {"", "Not Found\n", "[]", R"({"code":"x","message":7})"}) {
    CHECK(parse_refusal(bad).code == 2);
    CHECK(parse_refusal(bad).message.empty());
  }
  CHECK(parse_refusal(R"({"message":")" + std::string(5000, 'x') + "\"}").message.size() < 1000);
}

TEST_CASE("A token that could break a header is none", "[orchestrator][state][etcd]") {
  CHECK(*parse_token(R"({"token":"AOmx.13"})") == "AOmx.13");
  CHECK_FALSE(parse_token(R"({"token":"a\r\nHost: x"})"));
  CHECK_FALSE(parse_token(R"({"token":""})"));
  CHECK_FALSE(parse_token(R"({"token":7})"));
}

TEST_CASE("Requests are written as etcd reads them", "[orchestrator][state][etcd]") {
  CHECK(range_request({"a", "b", 500, 7}) ==
        R"({"key":"YQ==","limit":"500","range_end":"Yg==","revision":"7"})");
  CHECK(range_request({"a", "", 0, 0}) == R"({"key":"YQ=="})");
  Transaction transaction;
  transaction.conditions = {Condition::absent("k"), {"m", Condition::Field::modified, 9}};
  transaction.writes = {{"k", "v", 15}, {"m", std::nullopt, 0}};
  CHECK(txn_request(transaction, "p/", "r") ==
        R"({"compare":[{"create_revision":"0","key":"cC9r","result":"EQUAL","target":"CREATE"},)"
        R"({"key":"cC9t","mod_revision":"9","result":"EQUAL","target":"MOD"}],)"
        R"("failure":[{"request_range":{"key":"cC9y"}}],)"
        R"("success":[{"request_put":{"key":"cC9r","lease":"15","value":"dg=="}},)"
        R"({"request_delete_range":{"key":"cC9t"}}]})");
  CHECK(lease_request(7587848390211370509U) == R"({"ID":"7587848390211370509"})");
}

}  // namespace
}  // namespace shoal
