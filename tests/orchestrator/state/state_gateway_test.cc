#include "orchestrator/state/state_gateway.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "orchestrator/state/etcd_json.h"
#include "orchestrator/state/gateway_watch.h"
#include "tests/orchestrator/state/conformance.h"
#include "tests/orchestrator/state/gateway_fixture.h"

namespace shoal {
namespace {

/// A member's client, and the node that holds the state itself.
class MemberFixture : public StateFixture {
 public:
  State& state() override { return *client_; }
  State& other() override { return gateway_.embedded(); }

 private:
  GatewayFixture gateway_;
  std::unique_ptr<EtcdState> client_ = gateway_.client();
};

class TwoMembersFixture : public StateFixture {
 public:
  State& state() override { return *first_; }
  State& other() override { return *second_; }

 private:
  GatewayFixture gateway_;
  std::unique_ptr<EtcdState> first_ = gateway_.client();
  std::unique_ptr<EtcdState> second_ = gateway_.client();
};

TEST_CASE("A member keeps the contract of a state beside the node that holds it",
          "[orchestrator][state][gateway]") {
  run_conformance([] { return std::make_unique<MemberFixture>(); });
}

TEST_CASE("Two members of an embedded state keep the contract of a state",
          "[orchestrator][state][gateway]") {
  run_conformance([] { return std::make_unique<TwoMembersFixture>(); });
}

/// Requests as etcd's own users would send them, and answers to the letter.
class Gateway : public GatewayFixture {
 public:
  using GatewayFixture::GatewayFixture;

  std::pair<int, std::string> post(const std::string& path, std::string_view body) {
    const auto answer = http_.send("POST", "/v3/" + path, {}, body);
    REQUIRE(answer);
    return {answer->status, answer->body};
  }
  /// The answer of a request that is granted.
  std::string granted(const std::string& path, std::string_view body) {
    const auto [status, text] = post(path, body);
    CAPTURE(path, body, text);
    CHECK(status == 200);
    return text;
  }
  /// `status code message` of a refusal.
  std::string refused(const std::string& path, std::string_view body) {
    const auto [status, text] = post(path, body);
    const auto json = nlohmann::json::parse(text, nullptr, false);
    CAPTURE(path, status, text);
    REQUIRE(json.is_object());
    CHECK(json.value("error", "") == json.value("message", "-"));
    return fmt::format("{} {} {}", status, json.value("code", -1), json.value("message", ""));
  }
  std::string header(Revision revision) {
    return fmt::format(
        R"("header":{{"cluster_id":"{0}","member_id":"{0}","revision":"{1}","raft_term":"1"}})",
        embedded().id(), revision);
  }
  /// A whole answer of no more than a header.
  std::string only_header(Revision revision) { return '{' + header(revision) + '}'; }

 private:
  HttpClient http_ = http();
};

TEST_CASE_METHOD(Gateway, "Keys are put, ranged over and erased in etcd's words",
                 "[orchestrator][state][gateway]") {
  // a = YQ==, b = Yg==, c = Yw==, 1 = MQ==, 2 = Mg==
  CHECK(granted("kv/range", R"({"key":"YQ=="})") == only_header(1));
  CHECK(granted("kv/put", R"({"key":"YQ==","value":"MQ=="})") == only_header(2));
  CHECK(granted("kv/put", R"({"key":"YQ==","value":"Mg==","prev_kv":true})") ==
        '{' + header(3) +
            R"(,"prev_kv":{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1",)"
            R"("value":"MQ=="}})");
  CHECK(granted("kv/put", R"({"key":"Yg=="})") == only_header(4));
  const std::string a =
      R"({"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"Mg=="})";
  const std::string b = R"({"key":"Yg==","create_revision":"4","mod_revision":"4","version":"1"})";
  CHECK(granted("kv/range", R"({"key":"YQ=="})") ==
        '{' + header(4) + ",\"kvs\":[" + a + "],\"count\":\"1\"}");
  CHECK(granted("kv/range", R"({"key":"YQ==","range_end":"Yw=="})") ==
        '{' + header(4) + ",\"kvs\":[" + a + ',' + b + "],\"count\":\"2\"}");
  // In camelCase, numbers as strings, everything from a key on.
  CHECK(granted("kv/range", R"({"key":"AA==","rangeEnd":"AA==","limit":"1"})") ==
        '{' + header(4) + ",\"kvs\":[" + a + "],\"more\":true}");
  CHECK(granted("kv/range", R"({"key":"YQ==","range_end":"Yw==","count_only":true})") ==
        '{' + header(4) + ",\"count\":\"2\"}");
  CHECK(granted("kv/range", R"({"key":"YQ==","keys_only":true,"sort_order":"ASCEND"})") ==
        '{' + header(4) +
            R"(,"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2"}],)"
            R"("count":"1"})");

  CHECK(granted("kv/deleterange", R"({"key":"Yw=="})") == only_header(4));
  CHECK(granted("kv/deleterange", R"({"key":"YQ==","range_end":"Yw==","prev_kv":true})") ==
        '{' + header(5) + ",\"deleted\":\"2\",\"prev_kvs\":[" + a + ',' + b + "]}");
  CHECK(granted("kv/range", R"({"key":"YQ==","range_end":"Yw=="})") == only_header(5));

  // As it was.
  CHECK(granted("kv/range", R"({"key":"YQ==","range_end":"Yw==","revision":"4"})") ==
        '{' + header(5) + ",\"kvs\":[" + a + ',' + b + "],\"count\":\"2\"}");
  CHECK(granted("kv/range", R"({"key":"YQ==","range_end":"Yw==","revision":2})") ==
        '{' + header(5) +
            R"(,"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1",)"
            R"("value":"MQ=="}],"count":"1"})");
}

TEST_CASE_METHOD(Gateway, "A transaction compares and then does one of two things",
                 "[orchestrator][state][gateway]") {
  const std::string create = R"({"compare":[{"target":"CREATE","result":"EQUAL","key":"YQ==",
    "create_revision":"0"}],"success":[{"request_put":{"key":"YQ==","value":"MQ=="}}],
    "failure":[{"request_range":{"key":"YQ=="}}]})";
  CHECK(granted("kv/txn", create) ==
        '{' + header(2) +
            R"(,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"2"}}}]})");
  CHECK(granted("kv/txn", create) ==
        '{' + header(2) +
            R"(,"responses":[{"response_range":{"header":{"revision":"2"},"kvs":[{"key":"YQ==",)"
            R"("create_revision":"2","mod_revision":"2","version":"1","value":"MQ=="}],)"
            R"("count":"1"}}]})");
  CHECK(granted("kv/txn", R"({"success":[{"request_delete_range":{"key":"YQ=="}},
    {"requestPut":{"key":"Yg==","value":"Mg=="}}]})") ==
        '{' + header(3) +
            R"(,"succeeded":true,)"
            R"("responses":[{"response_delete_range":{"header":{"revision":"3"},)"
            R"("deleted":"1"}},{"response_put":{"header":{"revision":"3"}}}]})");

  CHECK(granted("kv/txn", R"({"success":[{"request_delete_range":{"key":"AA==","range_end":"AA=="}},
    {"request_delete_range":{"key":"Yg=="}}]})") ==
        '{' + header(4) +
            R"(,"succeeded":true,)"
            R"("responses":[{"response_delete_range":{"header":{"revision":"4"},)"
            R"("deleted":"1"}},{"response_delete_range":{"header":{"revision":"4"}}}]})");
  CHECK(granted("kv/put", R"({"key":"Yg==","value":"Mg=="})") == only_header(5));

  const auto holds = [&](const std::string& comparison) {
    const auto text = granted("kv/txn", R"({"compare":[{"key":)" + comparison + "}]}");
    return text.find("\"succeeded\":true") != std::string::npos;
  };
  CHECK(holds(R"("Yg==","target":"VALUE","value":"Mg==")"));
  CHECK(holds(R"("Yg==","target":3,"result":3,"value":"MQ==")"));
  CHECK(holds(R"("Yg==","target":"VALUE","result":"GREATER","value":"MQ==")"));
  CHECK_FALSE(holds(R"("YQ==","target":"VALUE","result":"LESS","value":"MQ==")"));
  CHECK(holds(R"("Yg==","target":"VERSION","version":"1")"));
  CHECK(holds(R"("YQ==","version":0)"));
  CHECK(holds(R"("Yg==","target":"MOD","result":"LESS","mod_revision":"6")"));
  CHECK(holds(R"("Yg==","target":"LEASE","lease":"0")"));
  CHECK_FALSE(holds(R"("Yg==","target":"CREATE","result":"NOT_EQUAL","create_revision":5)"));
}

TEST_CASE_METHOD(Gateway, "Leases are granted, kept, asked about and revoked in etcd's words",
                 "[orchestrator][state][gateway]") {
  CHECK(granted("lease/grant", R"({"TTL":15,"ID":"77"})") ==
        '{' + header(1) + R"(,"ID":"77","TTL":"15"})");
  CHECK(refused("lease/grant", R"({"TTL":15,"ID":77})") ==
        "412 9 etcdserver: lease already exists");
  granted("kv/put", R"({"key":"YQ==","lease":"77"})");
  CHECK(granted("lease/keepalive", R"({"ID":"77"})") ==
        "{\"result\":{" + header(2) + ",\"ID\":\"77\",\"TTL\":\"15\"}}\n");
  CHECK(granted("lease/keepalive", R"({"ID":"999"})") ==
        "{\"result\":{" + header(2) + ",\"ID\":\"999\"}}\n");
  const auto facts = granted("lease/timetolive", R"({"ID":"77","keys":true})");
  CHECK(facts.find(R"("grantedTTL":"15","keys":["YQ=="])") != std::string::npos);
  CHECK(granted("lease/timetolive", R"({"ID":"999"})") ==
        '{' + header(2) + R"(,"ID":"999","TTL":"-1"})");
  CHECK(refused("kv/put", R"({"key":"YQ==","lease":"999"})") ==
        "404 5 etcdserver: requested lease not found");
  CHECK(granted("lease/revoke", R"({"ID":"77"})") == only_header(3));
  CHECK(refused("lease/revoke", R"({"ID":"77"})") == "404 5 etcdserver: requested lease not found");
  CHECK(refused("lease/grant", R"({"TTL":0})").starts_with("400 3 "));
  CHECK(granted("kv/range", R"({"key":"YQ=="})") == only_header(3));

  const auto status = granted("maintenance/status", "{}");
  CHECK(status.starts_with('{' + header(3) + R"(,"version":"shoal")"));
}

TEST_CASE_METHOD(Gateway, "What is wrong with a request is said, and nothing happens",
                 "[orchestrator][state][gateway]") {
  const auto starts = [&](const std::string& path, const std::string& body,
                          const std::string& answer) {
    const auto text = refused(path, body);
    CAPTURE(path, body.substr(0, 200), text);
    CHECK(text.starts_with(answer));
  };
  starts("kv/put", "", "400 3 etcdserver: key is not provided");
  starts("kv/put", "{", "400 3 the body is not JSON");
  starts("kv/put", "{}{}", "400 3 the body is not JSON");
  starts("kv/put", "[]", "400 3 the body is not a JSON object");
  starts("kv/put", R"({"key":"YQ"})", "400 3 `key` is not padded base64");
  starts("kv/put", R"({"key":"Y-=="})", "400 3 `key` is not padded base64");
  starts("kv/put", R"({"key":5})", "400 3 `key` is not padded base64");
  starts("kv/put", R"({"key":"YQ==","lease":-1})", "400 3 `lease` is not a number");
  starts("kv/put", R"({"key":"YQ==","lease":"1x"})", "400 3 `lease` is not a number");
  starts("kv/put", R"({"key":"YQ==","prev_kv":1})", "400 3 `prev_kv` is neither");
  starts("kv/range", R"({"key":"YQ==","revision":"100"})",
         "400 11 etcdserver: mvcc: required revision is a future revision");
  starts("kv/range", R"({"key":"YQ==","sort_order":"DESCEND"})", "501 12 ");
  starts("kv/range", R"({"key":"YQ==","sort_order":"UP"})", "400 3 `sort_order`");
  starts("kv/txn", R"({"success":{}})", "400 3 `success` is not a list");
  starts("kv/txn", R"({"success":[{}]})", "400 3 an operation that is neither");
  starts("kv/txn", R"({"success":[5]})", "400 3 not an object");
  starts("kv/txn", R"({"success":[{"request_txn":{}}]})", "501 12 ");
  starts("kv/txn", R"({"success":[{"request_put":{"key":"YQ=="}},{"request_put":{"key":"YQ=="}}]})",
         "400 3 etcdserver: duplicate key given in txn request");
  starts("kv/txn",
         R"({"success":[{"request_put":{"key":"YQ=="}},{"request_delete_range":{"key":"YQ=="}}]})",
         "400 3 etcdserver: duplicate key given in txn request");
  starts("kv/txn",
         R"({"success":[{"request_put":{"key":"YQ=="}},{"request_range":{"key":"YQ=="}}]})",
         "501 12 ");
  std::string many = R"({"failure":[{"request_put":{"key":"YQ=="}})";
  for (std::size_t i = 0; i < kOperationsMax; ++i) many += R"(,{"request_put":{"key":"YQ=="}})";
  starts("kv/txn", many + "]}", "400 3 etcdserver: too many operations in txn request");
  starts("kv/put", R"({"key":"YQ==","value":")" + std::string(3 << 19, 'A') + R"("})",
         "400 3 etcdserver: request is too large");
  starts("watch", "{}", "501 12 ");
  starts("watch", R"({"create_request":{}})", "400 3 etcdserver: key is not provided");
  starts("watch", R"({"create_request":{"key":"YQ==","filters":["NONE"]}})", "400 3 `filters`");
  starts("auth/authenticate", "{}", "501 12 this state does not know /v3/auth/authenticate");
  CHECK(embedded().revision() == 1);

  auto client = http();
  const auto get = client.send("GET", "/v3/kv/range");
  REQUIRE(get);
  CHECK(get->status == 405);
}

/// The lines of a watch, read on a thread of its own.
class Lines {
 public:
  Lines(const GatewayFixture& fixture, const std::string& create_request)
      : client_(fixture.http()), thread_([this, create_request] {
          const auto line = [this](std::string_view text) {
            const std::lock_guard lock(mutex_);
            lines_.emplace_back(text);
            changed_.notify_all();
            return true;
          };
          const auto body = "{\"create_request\":" + create_request + '}';
          const auto status = client_.stream_lines("POST", "/v3/watch", line, body);
          const std::lock_guard lock(mutex_);
          status_ = status ? *status : 0;
          changed_.notify_all();
        }) {}
  ~Lines() {
    client_.interrupt();
    thread_.join();
  }

  /// The line of that index, once it is there.
  std::string at(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return lines_.size() > index || status_; });
    return lines_.size() > index ? lines_[index] : "(no such line)";
  }
  /// The status, once the stream has ended.
  int ended() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return status_.has_value(); });
    return status_.value_or(-1);
  }

 private:
  static constexpr std::chrono::seconds kPatience{60};
  HttpClient client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::optional<int> status_;
  std::thread thread_;
};

TEST_CASE_METHOD(Gateway, "A watch of a node that was removed ends with the next change",
                 "[orchestrator][state][gateway]") {
  Lines lines(*this, R"({"key":"YQ=="})");
  CHECK(lines.at(0).find("created") != std::string::npos);
  granted("kv/put", R"({"key":"YQ==","value":"MQ=="})");
  CHECK(lines.at(1).find(R"("mod_revision":"2")") != std::string::npos);
  remove_peers();
  granted("kv/put", R"({"key":"YQ==","value":"Mg=="})");
  CHECK(lines.ended() == 200);
  // What had happened by then may have been told, so that it hears why.
  const bool told = lines.at(2).find(R"("mod_revision":"3")") != std::string::npos;
  CHECK(lines.at(told ? 3 : 2).find("removed from the cluster") != std::string::npos);
  CHECK(lines.at(told ? 4 : 3) == "(no such line)");
}

TEST_CASE_METHOD(Gateway, "A watch is a stream of lines in etcd's words",
                 "[orchestrator][state][gateway]") {
  granted("kv/put", R"({"key":"YQ==","value":"MQ=="})");
  granted("kv/put", R"({"key":"Yg==","value":"MQ=="})");
  Lines late(*this, R"({"key":"YQ=="})");
  CHECK(late.at(0) == "{\"result\":{" + header(3) + ",\"created\":true}}");
  Lines early(*this, R"({"key":"YQ==","range_end":"Yw==","start_revision":"3","watch_id":"7",
    "prev_kv":true})");
  CHECK(early.at(0) == "{\"result\":{" + header(3) + ",\"watch_id\":\"7\",\"created\":true}}");
  CHECK(early.at(1) == "{\"result\":{" + header(3) +
                           R"(,"watch_id":"7","events":[{"kv":{"key":"Yg==","create_revision":"3",)"
                           R"("mod_revision":"3","version":"1","value":"MQ=="}}]}})");
  Lines erasures(*this, R"({"key":"YQ==","filters":["NOPUT"]})");
  CHECK(erasures.at(0) == "{\"result\":{" + header(3) + ",\"created\":true}}");

  granted("kv/put", R"({"key":"YQ==","value":"Mg=="})");
  // Two changes that are there at the same look come in one line.
  CHECK(late.at(1) ==
        "{\"result\":{" + header(4) +
            R"(,"events":[{"kv":{"key":"YQ==","create_revision":"2","mod_revision":"4",)"
            R"("version":"2","value":"Mg=="}}]}})");
  CHECK(early.at(2).find(R"("mod_revision":"4")") != std::string::npos);
  granted("kv/deleterange", R"({"key":"YQ=="})");
  CHECK(late.at(2) ==
        "{\"result\":{" + header(5) +
            R"(,"events":[{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"5"}}]}})");
  CHECK(early.at(3) == "{\"result\":{" + header(5) +
                           R"(,"watch_id":"7","events":[{"type":"DELETE","kv":{"key":"YQ==",)"
                           R"("mod_revision":"5"},"prev_kv":{"key":"YQ==","create_revision":"2",)"
                           R"("mod_revision":"4","version":"2","value":"Mg=="}}]}})");
  CHECK(erasures.at(1) == late.at(2));

  gateway().stop();
  CHECK(late.ended() == 200);
  CHECK(early.ended() == 200);
  CHECK(refused("watch", R"({"create_request":{"key":"YQ=="}})").starts_with("503 14 "));
}

TEST_CASE_METHOD(Gateway, "A watch that nothing happens to hears that it lives",
                 "[orchestrator][state][gateway]") {
  Lines lines(*this, R"({"key":"YQ=="})");
  CHECK(lines.at(0) == "{\"result\":{" + header(1) + ",\"created\":true}}");
  granted("kv/put", R"({"key":"Yg=="})");
  const auto line = lines.at(1);
  CHECK(line.starts_with("{\"result\":{\"header\":"));
  CHECK(line.find("events") == std::string::npos);
}

TEST_CASE("A watch from before the history is cancelled and told where that begins",
          "[orchestrator][state][gateway]") {
  Gateway gateway(10);
  for (int i = 0; i < 40; ++i) gateway.granted("kv/put", R"({"key":"YQ=="})");
  CHECK(gateway.embedded().compacted() == 31);
  Lines lines(gateway, R"({"key":"YQ==","start_revision":"5"})");
  CHECK(lines.at(0) == "{\"result\":{" + gateway.header(41) + ",\"created\":true}}");
  CHECK(lines.at(1) ==
        "{\"result\":{" + gateway.header(41) + ",\"canceled\":true,\"compact_revision\":\"31\"}}");
  CHECK(lines.ended() == 200);
  Lines within(gateway, R"({"key":"YQ==","start_revision":"32"})");
  CHECK(within.at(1).find("\"mod_revision\":\"32\"") != std::string::npos);
  CHECK(gateway.refused("kv/range", R"({"key":"YQ==","revision":"30"})") ==
        "400 11 etcdserver: mvcc: required revision has been compacted");
  CHECK(gateway.granted("kv/range", R"({"key":"YQ==","revision":"31"})")
            .find("\"mod_revision\":\"31\"") != std::string::npos);
}

TEST_CASE_METHOD(Gateway, "A node has so many watches and no more; one that ends makes room",
                 "[orchestrator][state][gateway]") {
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (std::size_t i = 0; i < kWatchesPerPeerMax; ++i) {
    clients.push_back(std::make_unique<HttpClient>(http()));
    const auto head =
        clients.back()->open("POST", "/v3/watch", {}, R"({"create_request":{"key":"YQ=="}})");
    REQUIRE(head);
    REQUIRE(head->status == 200);
  }
  CHECK(refused("watch", R"({"create_request":{"key":"YQ=="}})").starts_with("429 8 "));
  clients.pop_back();
  // The server learns of a client that left when it next writes to it.
  for (int status = 429; status != 200;) {
    granted("kv/put", R"({"key":"YQ=="})");
    auto client = std::make_unique<HttpClient>(http());
    const auto head = client->open("POST", "/v3/watch", {}, R"({"create_request":{"key":"YQ=="}})");
    REQUIRE(head);
    status = head->status;
    clients.push_back(std::move(client));
  }
}

TEST_CASE_METHOD(Gateway, "Large values are listed in pages that stay below a bound",
                 "[orchestrator][state][gateway]") {
  const auto member = client();
  const std::string value(512 << 10, 'x');
  for (int i = 0; i < 40; ++i) {
    REQUIRE(member->commit({{}, {{fmt::format("large/{:02}", i), value, 0}}}));
  }
  const auto list = member->list("large/", "", 100);
  REQUIRE(list);
  CHECK(list->entries.size() == 40);
  CHECK_FALSE(list->more);
  const auto page = granted("kv/range", fmt::format(R"({{"key":"{}","range_end":"{}","limit":40}})",
                                                    base64("large/"), base64("large0")));
  CHECK(page.size() < (16 << 20));
  CHECK(page.find("\"more\":true") != std::string::npos);
}

}  // namespace
}  // namespace shoal
