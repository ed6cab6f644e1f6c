#include "storage/records.h"

#include <catch2/catch.hpp>

#include "storage/codec.h"

namespace shoal {
namespace {

TEST_CASE("Big-endian numbers sort as numbers", "[records]") {
  std::string former;
  for (const std::uint64_t value : {0ULL, 1ULL, 255ULL, 256ULL, 1ULL << 40, ~0ULL}) {
    std::string text;
    append_big_endian(text, value);
    CHECK(read_big_endian(text) == value);
    CHECK(former < text);
    former = text;
  }
}

TEST_CASE("A record reads back as it was written", "[records]") {
  const std::string bytes =
      RecordWriter().number(0).number(300).number(~0ULL).text("").text("abc").take();
  RecordReader reader(bytes);
  CHECK(reader.number() == 0);
  CHECK(reader.number() == 300);
  CHECK(reader.number() == ~0ULL);
  CHECK(reader.text().empty());
  CHECK(reader.text() == "abc");
  CHECK(reader.good());
  CHECK(reader.number() == 0);
  CHECK_FALSE(reader.good());
}

TEST_CASE("A record that was cut short anywhere is refused, never misread", "[records]") {
  const Digest digest = Digest::of("x");
  ManifestFacts facts;
  facts.media_type = "type";
  facts.subject = digest;
  facts.references = {{digest, 3, true}};
  const std::string manifest = ManifestRecord::encode(facts, 7, UnixTime{});
  for (std::size_t size = 0; size < manifest.size(); ++size) {
    const auto record = ManifestRecord::decode(std::string_view(manifest).substr(0, size));
    CHECK_FALSE((record && record->links()));
  }
  REQUIRE(ManifestRecord::decode(manifest));
  CHECK(ManifestRecord::decode(manifest)->links()->references == std::vector{digest});

  ContentRecord content;
  content.size = 3;
  content.inline_bytes = "abc";
  const std::string encoded = content.encode();
  // One byte less is a record of a version that knew no places.
  for (std::size_t size = 0; size + 1 < encoded.size(); ++size) {
    CHECK_FALSE(ContentRecord::decode(std::string_view(encoded).substr(0, size)));
  }
  content.places = "where";
  const std::string placed = content.encode();
  for (std::size_t size = encoded.size(); size < placed.size(); ++size) {
    CHECK_FALSE(ContentRecord::decode(std::string_view(placed).substr(0, size)));
  }
  CHECK(ContentRecord::decode(placed)->places == "where");
  CHECK(ContentRecord::decode(encoded)->inline_bytes == "abc");
}

}  // namespace
}  // namespace shoal
