#include <algorithm>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/cli/node_fixture.h"
#include "tests/registry/http/test_server.h"

namespace shoal {
namespace {

using Catch::Contains;
using Json = nlohmann::ordered_json;

Json arriving() {
  return Json::parse(R"({"digest":"sha256:0123456789abcdef","repository":"team/app",
      "class":"demand","arriving":true,"bytes":1000,"arrived_bytes":999,"pieces":4,
      "arrived_pieces":3,"receive_rate":2048,"send_rate":1024,"redundant_bytes":0,"wrong_bytes":0,
      "age_ms":7000,"still_ms":100,"stalled":false,"eta_s":72.5,"peers":[
        {"node":"n-b","name":"host-b","received_bytes":1024,"sent_bytes":0},
        {"node":"n-a","name":"host-a","received_bytes":2048,"sent_bytes":512},
        {"node":"n-c","received_bytes":0,"sent_bytes":0},
        {"node":"https","received_bytes":1,"sent_bytes":0}]})");
}

Json ended() {
  return Json::parse(R"({"digest":"sha256:fedcba9876543210","repository":"base","class":"prefetch",
      "bytes":2097152,"arrived_bytes":2097152,"ms":2000,"over_best":1.084,
      "sources":[{"node":"n-a","name":"host-a","bytes":2097152}],"error":null})");
}

/// A node that answers with `document` whenever it is asked for its transfers.
struct TransfersTest {
  asio::awaitable<Response> answer(Request& request) {
    CHECK(request.path == "/shoal/v1/transfers");
    Response response;
    response.body = document.dump();
    co_return response;
  }

  std::string text() { return NodeTest::shoal({"transfers"}, environment()).out; }
  Environment environment() const { return {{"SHOAL_NODE", "http://" + server.address()}}; }

  Json document = {{"now", Json::array()}, {"ended", Json::array()}, {"totals", Json::object()}};
  TestServer server{[this](Request& request) { return answer(request); }};
};

/// Goes away after it was flushed so often, as a reader of a pipe does.
class Reader : public std::stringbuf {
 public:
  explicit Reader(int flushes) : flushes_(flushes) {}
  int sync() override { return --flushes_ > 0 ? 0 : -1; }

 private:
  int flushes_;
};

std::string watched(TransfersTest& test, std::vector<std::string> arguments, bool on_terminal) {
  Reader reader(2);
  std::ostream out(&reader);
  std::ostringstream err;
  Terminal terminal{out, err, test.environment(), on_terminal};
  CHECK(run_command_line(std::move(arguments), terminal) == ExitCode::ok);
  CHECK(err.str().empty());
  return reader.str();
}

TEST_CASE_METHOD(TransfersTest, "Where nothing moves, the transfers say so", "[cli][transfers]") {
  CHECK(text() == "Nothing arrives.\n");
}

TEST_CASE_METHOD(TransfersTest, "A transfer is shown with its nodes, and what it gives on",
                 "[cli][transfers]") {
  document["now"] = {arriving()};
  CHECK(text() ==
        "ARRIVING             REPOSITORY  CLASS     SIZE  DONE       RATE         ETA  FROM\n"
        "sha256:0123456789ab  team/app    demand  1000 B  99 %  2.0 KiB/s  1 min 12 s  "
        "host-a 2.0 KiB, host-b 1.0 KiB, https 1 B\n"
        "\n"
        "GIVEN                 SENT       RATE  TO\n"
        "sha256:0123456789ab  512 B  1.0 KiB/s  host-a 512 B\n");
}

TEST_CASE_METHOD(TransfersTest, "A transfer that has no end in sight says why",
                 "[cli][transfers]") {
  document["now"] = {arriving()};
  Json& transfer = document["now"][0];
  transfer["eta_s"] = nullptr;
  CHECK_THAT(text(), Contains("2.0 KiB/s    -  host-a"));
  transfer["stalled"] = true;
  transfer["still_ms"] = 5300;
  CHECK_THAT(text(), Contains("stalled 5.3 s"));
  transfer["stalled"] = false;
  transfer["arrived_bytes"] = 1000;
  CHECK_THAT(text(), Contains("100 %") && Contains("is checked"));
}

TEST_CASE_METHOD(TransfersTest, "What is only given to others does not arrive",
                 "[cli][transfers]") {
  document["now"] = {arriving()};
  document["now"][0]["arriving"] = false;
  document["now"][0]["class"] = nullptr;
  CHECK_THAT(text(), Contains("Nothing arrives.\n\nGIVEN ") && Contains("host-a 512 B"));
}

TEST_CASE_METHOD(TransfersTest, "Of many nodes, those that gave most are named",
                 "[cli][transfers]") {
  document["now"] = {arriving()};
  for (int i = 1; i <= 6; ++i) {
    document["now"][0]["peers"].push_back(
        {{"node", "n-" + std::to_string(i)}, {"received_bytes", i << 20}, {"sent_bytes", 0}});
  }
  CHECK_THAT(text(), Contains("n-6 6.0 MiB, n-5 5.0 MiB, n-4 4.0 MiB, n-3 3.0 MiB, 5 more\n"));
}

TEST_CASE_METHOD(TransfersTest, "Nodes that share a name go by their ids", "[cli][transfers]") {
  document["now"] = {arriving()};
  document["ended"] = {ended()};
  document["ended"][0]["sources"][0]["node"] = "n-d";
  CHECK_THAT(text(), Contains("n-a 2.0 KiB, host-b 1.0 KiB") && Contains("n-d 2.0 MiB"));
}

TEST_CASE_METHOD(TransfersTest, "The last ten transfers that ended are shown, and how",
                 "[cli][transfers]") {
  document["ended"] = {ended(), ended()};
  document["ended"][1]["over_best"] = nullptr;
  document["ended"][1]["error"] = "nobody\nhas it";
  CHECK(text() ==
        "Nothing arrives.\n"
        "\n"
        "ENDED                REPOSITORY  CLASS        SIZE     TIME       RATE  OVER BEST  FROM\n"
        "sha256:fedcba987654  base        prefetch  2.0 MiB  2000 ms  1.0 MiB/s      1.08x  "
        "host-a 2.0 MiB\n"
        "sha256:fedcba987654  base        prefetch  2.0 MiB  2000 ms  1.0 MiB/s          -  "
        "failed: nobody?has it\n");
  for (int i = 0; i < 20; ++i) document["ended"].push_back(ended());
  const auto shown = text();
  CHECK(std::count(shown.begin(), shown.end(), '\n') == 3 + 10);
}

TEST_CASE_METHOD(TransfersTest, "Transfers are watched as a document in each line",
                 "[cli][transfers]") {
  const auto line = document.dump() + "\n";
  CHECK(watched(*this, {"transfers", "--json", "--watch"}, false) == line + line);
}

TEST_CASE_METHOD(TransfersTest, "Transfers are watched in place on a terminal",
                 "[cli][transfers]") {
  CHECK(watched(*this, {"transfers", "-w"}, true) ==
        "\x1b[H\x1b[2J\x1b[HNothing arrives.\x1b[K\n\x1b[J"
        "\x1b[HNothing arrives.\x1b[K\n\x1b[J");
  CHECK(watched(*this, {"transfers", "-w"}, false) == "Nothing arrives.\n\nNothing arrives.\n");
}

}  // namespace
}  // namespace shoal
