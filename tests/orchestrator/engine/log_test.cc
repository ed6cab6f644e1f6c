#include <random>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "orchestrator/engine/line_splitter.h"
#include "orchestrator/engine/log_cursor.h"
#include "orchestrator/engine/log_frames.h"
#include "tests/orchestrator/engine/recorded.h"

namespace shoal {
namespace {

using Entries = std::vector<std::pair<LogStream, std::string>>;

std::string frame(LogStream stream, const std::string& text) {
  std::string bytes{static_cast<char>(stream), 0, 0, 0};
  const auto size = static_cast<std::uint32_t>(text.size());
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
  return bytes + text;
}

TEST_CASE("Frames are the same however their bytes are cut", "[engine]") {
  std::mt19937 chance(7);
  Entries sent;
  std::string bytes;
  for (int i = 0; i < 50; ++i) {
    const auto stream = i % 3 == 0 ? LogStream::error : LogStream::out;
    sent.emplace_back(stream, std::string(chance() % 300, static_cast<char>('a' + i % 26)));
    bytes += frame(stream, sent.back().second);
  }
  for (int round = 0; round < 50; ++round) {
    LogFrames frames;
    Entries got;
    for (std::size_t at = 0; at < bytes.size();) {
      const auto size = std::min<std::size_t>(1 + chance() % (round + 2), bytes.size() - at);
      REQUIRE(frames.add(
          std::string_view(bytes).substr(at, size),
          [&](LogStream stream, std::string_view text) { got.emplace_back(stream, text); }));
      at += size;
    }
    CHECK(frames.between_frames());
    CHECK(got == sent);
  }
}

TEST_CASE("A log that is no stream of frames, or has an endless one, is refused", "[engine]") {
  const LogFrames::Sink sink = [](LogStream, std::string_view) {};
  CHECK(LogFrames().add("hello world", sink).error().code == Errc::io);
  CHECK(LogFrames().add(std::string("\1\0\0\1\0\0\0\1x", 9), sink).error().code == Errc::io);
  const std::string endless("\1\0\0\0\xff\xff\xff\xff", 8);
  CHECK(LogFrames().add(endless, sink).error().code == Errc::io);
  LogFrames half;
  CHECK(half.add(frame(LogStream::out, "text").substr(0, 9), sink));
  CHECK_FALSE(half.between_frames());
}

TEST_CASE("What both engines recorded as a log has two entries with times", "[engine]") {
  const auto kind = GENERATE(EngineKind::docker, EngineKind::podman);
  Entries got;
  LogFrames frames;
  REQUIRE(frames.add(recorded(kind, "logs").body, [&](LogStream stream, std::string_view text) {
    const auto blank = text.find(' ');
    CHECK(parse_engine_time(text.substr(0, blank)));
    got.emplace_back(stream, text.substr(blank + 1));
  }));
  CHECK(got == Entries{{LogStream::out, "out\n"}, {LogStream::error, "err\n"}});
}

TEST_CASE("Times of both engines are read to the nanosecond, with offsets", "[engine]") {
  CHECK(parse_engine_time("1970-01-01T00:00:00Z") == EngineTime{0, 0});
  CHECK(parse_engine_time("2026-11-27T12:17:26.762371924Z") == EngineTime{1795781846, 762371924});
  CHECK(parse_engine_time("2026-11-27T13:17:26.5+01:00") == EngineTime{1795781846, 500000000});
  CHECK(parse_engine_time("2026-11-27T10:47:26-01:30") == EngineTime{1795781846, 0});
  for (const auto* bad : {"", "2026-11-27", "2026-13-27T12:17:26Z", "2026-02-30T12:17:26Z",
                          "2026-11-27T12:17:26", "2026-11-27T12:17:26.Z", "2026-11-27T12:17:26Zx",
                          "2026-11-27T24:17:26Z", "-026-11-27T12:17:26Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_engine_time(bad));
  }
}

TEST_CASE("A log's cursor has one spelling", "[engine]") {
  const LogCursor cursor{{1795781846, 7}, 3};
  CHECK(cursor.text() == "1795781846.000000007+3");
  CHECK(LogCursor::parse(cursor.text()) == cursor);
  for (const auto* bad : {"", "1", "1.2+3", "1.000000007", "1.000000007+", "1.000000007+x",
                          "-1.000000007+3", "1.000000007+3 "}) {
    CAPTURE(bad);
    CHECK(LogCursor::parse(bad).error().code == Errc::bad_request);
  }
}

TEST_CASE("A log that is read in parts gives each entry once, also within one second", "[engine]") {
  std::mt19937 chance(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<EngineTime> log;
    std::int64_t second = 100;
    for (int i = 0; i < 30; ++i) {
      second += chance() % 4 == 0 ? 1 : 0;
      log.push_back({second, 0});
    }
    LogCursor cursor;
    std::size_t taken = 0;
    while (taken < log.size()) {
      // The engine sends from the cursor's second on; the stream breaks somewhere.
      LogResume resume(cursor);
      auto left = chance() % 10;
      for (const auto& time : log) {
        if (time.seconds < cursor.time.seconds) continue;
        if (!resume.take(time)) continue;
        ++taken;
        if (left-- == 0) break;
      }
      cursor = resume.cursor();
    }
    CHECK(taken == log.size());
    CHECK(cursor.time == log.back());
  }
}

TEST_CASE("Lines are the same however their bytes are cut, and a long one comes in parts",
          "[engine]") {
  const std::string text = "one\r\ntwo\n\nthree is long\nrest";
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    LineSplitter lines(8);
    std::vector<std::string> got;
    const auto take = [&](std::string_view line) { got.emplace_back(line); };
    for (std::size_t at = 0; at < text.size(); at += cut) {
      lines.add(std::string_view(text).substr(at, cut), take);
    }
    lines.finish(take);
    CHECK(got == std::vector<std::string>{"one", "two", "", "three is", " long", "rest"});
  }
}

}  // namespace
}  // namespace shoal
