#include "cli/human.h"

#include <sstream>

#include <catch2/catch.hpp>

#include "cli/progress.h"

namespace shoal {
namespace {

using std::chrono::seconds;

TEST_CASE("Bytes are shown in the unit that leaves one to four digits", "[cli]") {
  const auto [bytes, text] = GENERATE(table<std::uint64_t, std::string>({
      {0, "0 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {12'900'000, "12.3 MiB"},
      {(1ULL << 20) - 1, "1.0 MiB"},
      {5ULL << 40, "5.0 TiB"},
      {~0ULL, "16.0 EiB"},
  }));
  CHECK(human_bytes(bytes) == text);
}

TEST_CASE("An age is shown in the largest unit that fits", "[cli]") {
  const auto [age, text] = GENERATE(table<int, std::string>({
      {-5, "just now"},
      {9, "just now"},
      {59, "59 seconds ago"},
      {60, "1 minute ago"},
      {3 * 3600 + 1, "3 hours ago"},
      {8 * 86400, "1 week ago"},
      {800 * 86400, "2 years ago"},
  }));
  const UnixTime now{seconds(2'000'000'000)};
  CHECK(human_age(now - seconds(age), now) == text);
}

TEST_CASE("A duration is shown in one unit or two", "[cli]") {
  const auto [ms, text] = GENERATE(table<std::int64_t, std::string>({
      {0, "0 ms"},
      {999, "999 ms"},
      {4290, "4.2 s"},
      {9999, "9.9 s"},
      {42'900, "42 s"},
      {200'000, "3 min 20 s"},
      {7'500'000, "2 h 5 min"},
      {(3 * 86400 + 3600) * 1000, "3 d 1 h"},
  }));
  CHECK(human_duration(std::chrono::milliseconds(ms)) == text);
}

TEST_CASE("A table aligns its columns and lets nothing steer the terminal", "[cli]") {
  Table table({"NAME", ">SIZE", "NOTE"});
  table.add({"a", "1", "x"});
  table.add({"caf\xc3\xa9", "100", "\x1b[31m\xc2\x9bred\n"});
  std::ostringstream out;
  table.print(out);
  CHECK(out.str() ==
        "NAME  SIZE  NOTE\n"
        "a        1  x\n"
        "caf\xc3\xa9   100  ?[31m??red?\n");
}

struct ProgressTest {
  Progress::Now clock() {
    return [this] { return now; };
  }
  std::ostringstream err;
  std::chrono::steady_clock::time_point now{};
};

TEST_CASE_METHOD(ProgressTest, "Without a terminal progress is a line every five seconds",
                 "[cli]") {
  Progress progress(err, false, "scrub", clock());
  progress.show(1, 100, "1 blob");
  CHECK(err.str().empty());
  now += seconds(5);
  progress.show(50, 100, "50 blobs");
  progress.show(51, 100, "51 blobs");
  CHECK(err.str() == "scrub:  50 %  50 blobs\n");
  now += seconds(5);
  progress.show(0, 0, "60 blobs");
  CHECK(err.str() == "scrub:  50 %  50 blobs\nscrub: 60 blobs\n");
}

TEST_CASE_METHOD(ProgressTest, "On a terminal progress is a bar that is gone at the end", "[cli]") {
  {
    Progress progress(err, true, "scrub", clock());
    progress.show(50, 100, "50 blobs");
    CHECK(err.str() == "\r\x1b[2Kscrub  [###############---------------]  50 %  50 blobs");
    progress.show(200, 100, "more than there was");
    CHECK_THAT(err.str(), Catch::Contains("[##############################] 100 %"));
  }
  CHECK_THAT(err.str(), Catch::EndsWith("\r\x1b[2K"));
}

}  // namespace
}  // namespace shoal
