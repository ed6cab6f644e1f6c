#include "storage/blobs.h"

#include <thread>

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

std::uint64_t segment_bytes(const std::filesystem::path& folder) {
  std::uint64_t sum = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder / "content")) {
    if (file.path().extension() == ".sst") sum += file.file_size();
  }
  return sum;
}

TEST_CASE_METHOD(StoreTest, "Bytes out are the bytes in, at every size that matters", "[blobs]") {
  config.segment_bytes = 2 << 20;
  reopen();
  const std::size_t chunk = 256 << 10;
  const auto size =
      GENERATE_COPY(as<std::size_t>(), 0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, chunk - 1,
                    chunk, chunk + 1, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, (9 << 20) + 17);
  const bool compressible = GENERATE(true, false);
  const std::string content = compressible ? text_bytes(size) : random_bytes(size, size);
  for (const Algorithm algorithm : {Algorithm::sha256, Algorithm::sha512}) {
    const Digest digest = Digest::of(content, algorithm);
    const auto info = push(*store, repo("a/b"), content, digest, 777'777);
    REQUIRE(info);
    CHECK(info->size == size);
    CHECK(read_blob(*store, repo("a/b"), digest) == content);
    CHECK(store->blobs().stat(repo("a/b"), digest, Wait::yes)->size == size);
  }
  reopen();
  CHECK(read_blob(*store, repo("a/b"), Digest::of(content)) == content);
}

TEST_CASE_METHOD(StoreTest, "Any range of a blob can be read", "[blobs]") {
  config.segment_bytes = 1 << 20;
  reopen();
  const std::string content = random_bytes((3 << 20) + 5, 1);
  const Digest digest = Digest::of(content);
  REQUIRE(push(*store, repo("r"), content, digest));
  const auto reader = store->blobs().open(repo("r"), digest, Wait::yes);
  REQUIRE(reader);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    const std::size_t offset = random() % content.size();
    const std::size_t max = 1 + random() % (600 << 10);
    const auto bytes = (*reader)->read(offset, max, Wait::yes);
    REQUIRE(bytes);
    REQUIRE_FALSE(bytes->view().empty());
    REQUIRE(bytes->view().size() <= max);
    REQUIRE(bytes->view() == std::string_view(content).substr(offset, bytes->view().size()));
  }
}

TEST_CASE_METHOD(StoreTest, "Content that compresses is stored smaller, other content as it is",
                 "[blobs]") {
  const std::string text = text_bytes(4 << 20);
  const auto small = push(*store, repo("r"), text, Digest::of(text));
  REQUIRE(small);
  CHECK(small->stored_bytes < text.size() / 3);
  const std::string noise = random_bytes(4 << 20, 3);
  const auto large = push(*store, repo("r"), noise, Digest::of(noise));
  REQUIRE(large);
  CHECK(large->stored_bytes >= noise.size());
  CHECK(large->stored_bytes < noise.size() + noise.size() / 100);
}

TEST_CASE_METHOD(StoreTest, "A blob is reached only through a repository that links it",
                 "[blobs]") {
  const std::string content = "hello";
  const Digest digest = Digest::of(content);
  REQUIRE(store->uploads().put(repo("here"), digest, content));
  const auto elsewhere = store->blobs().stat(repo("there"), digest, Wait::yes);
  REQUIRE_FALSE(elsewhere);
  CHECK(elsewhere.error().code == Errc::blob_unknown);
  CHECK_FALSE(store->blobs().mount(repo("there"), digest, repo("nowhere")));
  REQUIRE(store->blobs().mount(repo("there"), digest, repo("here")));
  REQUIRE(store->blobs().mount(repo("third"), digest, std::nullopt));
  CHECK(read_blob(*store, repo("there"), digest) == content);
  REQUIRE(store->blobs().remove(repo("here"), digest));
  CHECK_FALSE(store->blobs().stat(repo("here"), digest, Wait::yes));
  CHECK(read_blob(*store, repo("third"), digest) == content);
}

TEST_CASE_METHOD(StoreTest, "The last delete frees the disk at once", "[blobs]") {
  const std::string content = random_bytes(3 << 20, 4);
  const Digest digest = Digest::of(content);
  REQUIRE(push(*store, repo("a"), content, digest));
  REQUIRE(store->blobs().mount(repo("b"), digest, repo("a")));
  CHECK(segment_bytes(folder.path()) > content.size());
  REQUIRE(store->blobs().remove(repo("a"), digest));
  CHECK(segment_bytes(folder.path()) > content.size());
  REQUIRE(store->blobs().remove(repo("b"), digest));
  CHECK(segment_bytes(folder.path()) == 0);
  CHECK(store->usage().stored_bytes == 0);
  CHECK(store->usage().blobs == 0);
  CHECK(store->blobs().remove(repo("b"), digest).error().code == Errc::blob_unknown);
}

TEST_CASE_METHOD(StoreTest, "A reader is not cut off by a delete", "[blobs]") {
  const std::string content = random_bytes(3 << 20, 5);
  const Digest digest = Digest::of(content);
  REQUIRE(push(*store, repo("a"), content, digest));
  auto reader = store->blobs().open(repo("a"), digest, Wait::yes);
  REQUIRE(reader);
  REQUIRE(store->blobs().remove(repo("a"), digest));
  CHECK_FALSE(store->blobs().open(repo("a"), digest, Wait::yes));
  CHECK(read_all(**reader) == content);

  SECTION("and the bytes go when it is done, also at the next start") {
    reader->reset();
    reopen();
    CHECK(segment_bytes(folder.path()) == 0);
  }
  SECTION("and the same content can be pushed meanwhile") {
    REQUIRE(push(*store, repo("a"), content, digest));
    reader->reset();
    CHECK(read_blob(*store, repo("a"), digest) == content);
    reopen();
    CHECK(read_blob(*store, repo("a"), digest) == content);
  }
}

TEST_CASE_METHOD(StoreTest, "A call that must not wait says so instead of reading the disk",
                 "[blobs]") {
  const std::string content = random_bytes(1 << 20, 6);
  const Digest digest = Digest::of(content);
  REQUIRE(push(*store, repo("a"), content, digest));
  const auto reader = store->blobs().open(repo("a"), digest, Wait::no);
  REQUIRE(reader);  // Fresh metadata are in memory.
  const auto bytes = (*reader)->read(0, 10, Wait::no);
  REQUIRE_FALSE(bytes);
  CHECK(bytes.error().code == Errc::would_block);
}

TEST_CASE_METHOD(StoreTest, "Many readers and a delete go on at once", "[blobs]") {
  const std::string content = random_bytes(5 << 20, 8);
  const Digest digest = Digest::of(content);
  REQUIRE(push(*store, repo("a"), content, digest));
  std::atomic<int> whole{0}, gone{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 6; ++i) {
    readers.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        const auto reader = store->blobs().open(repo("a"), digest, Wait::yes);
        if (!reader) {
          ++gone;
          continue;
        }
        std::string bytes;
        while (bytes.size() < content.size()) {
          const auto piece = (*reader)->read(bytes.size(), SIZE_MAX, Wait::yes);
          if (!piece) break;
          bytes += piece->view();
        }
        ++(bytes == content ? whole : wrong);
      }
    });
  }
  CHECK(store->blobs().remove(repo("a"), digest));
  for (auto& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(whole + gone == 30);
}

TEST_CASE_METHOD(StoreTest, "All content is listed page by page, manifests and both hashes too",
                 "[blobs]") {
  std::vector<Digest> held;
  for (int i = 0; i < 5; ++i) {
    const auto text = "blob " + std::to_string(i);
    const auto algorithm = i % 2 == 0 ? Algorithm::sha256 : Algorithm::sha512;
    held.push_back(Digest::of(text, algorithm));
    REQUIRE(store->uploads().put(repo(i < 3 ? "a" : "b"), held.back(), text));
  }
  const std::string large = random_bytes(1 << 20, 4);
  held.push_back(Digest::of(large));
  REQUIRE(push(*store, repo("a"), large, held.back()));
  held.push_back(push_manifest(*store, repo("a"), "{}", {}, {}));
  REQUIRE(store->blobs().remove(repo("a"), held.front()));
  held.erase(held.begin());
  std::sort(held.begin(), held.end(),
            [](const Digest& a, const Digest& b) { return a.key() < b.key(); });

  std::vector<Digest> listed;
  std::optional<Digest> after;
  for (bool more = true; more;) {
    const auto page = store->blobs().list_all(after, 2);
    REQUIRE(page);
    CHECK(page->entries.size() <= 2);
    listed.insert(listed.end(), page->entries.begin(), page->entries.end());
    after = listed.back();
    more = page->more;
  }
  CHECK(listed == held);
}

}  // namespace
}  // namespace shoal
