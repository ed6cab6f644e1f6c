#include "storage/uploads.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/storage/fixture.h"

namespace shoal {
namespace {

TEST_CASE_METHOD(StoreTest, "A session resumes at the acknowledged offset after a restart",
                 "[uploads]") {
  config.segment_bytes = 8 << 20;
  reopen();
  // Below a chunk, in the journal, at the threshold of a segment, over several segments.
  const auto first = GENERATE(as<std::size_t>(), 1, 100'000, 3 << 20, (4 << 20) + 1, 20'000'000);
  const std::string content = random_bytes(first + 1'234'567, first);
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  REQUIRE(session);
  {
    auto upload = store->uploads().claim(repo("a"), session->id);
    REQUIRE((*upload)->append(std::string_view(content).substr(0, first)));
    CHECK((*upload)->pause()->offset == first);
  }
  reopen();
  CHECK(store->uploads().status(repo("a"), session->id)->offset == first);
  {
    auto upload = store->uploads().claim(repo("a"), session->id);
    REQUIRE((*upload)->append(std::string_view(content).substr(first)));
    REQUIRE((*upload)->commit(Digest::of(content)));
  }
  CHECK(read_blob(*store, repo("a"), Digest::of(content)) == content);
  CHECK(store->uploads().status(repo("a"), session->id).error().code == Errc::upload_unknown);
  CHECK(std::filesystem::is_empty(folder.path() / "uploads"));
  CHECK(std::filesystem::is_empty(folder.path() / "staging"));
}

TEST_CASE_METHOD(StoreTest, "With small segments, too, a kill loses nothing acknowledged",
                 "[uploads]") {
  config.segment_bytes = GENERATE(1 << 20, 3 << 20);
  reopen();
  // Below a segment, at its end, behind it, and just below what waits for large segments.
  const auto first = GENERATE(as<std::size_t>(), 900'000, 1 << 20, (3 << 20) + 1, 4'100'000);
  const std::string content = random_bytes(first + 1'500'000, first);
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  auto upload = store->uploads().claim(repo("a"), session->id);
  REQUIRE((*upload)->append(std::string_view(content).substr(0, first)));
  REQUIRE((*upload)->pause());
  // A segment ends, or not, in the middle of what is never acknowledged.
  REQUIRE((*upload)->append(std::string_view(content).substr(first, 200'000)));

  // What a kill now would leave, opened by another process.
  TempFolder copy;
  std::filesystem::copy(folder.path(), copy.path(), std::filesystem::copy_options::recursive);
  StoreConfig copied = config;
  copied.directory = copy.path();
  const auto survivor = Store::open(copied, clock);
  REQUIRE(survivor);
  auto& uploads = (*survivor)->uploads();
  const auto offset = uploads.status(repo("a"), session->id)->offset;
  CHECK(offset >= first);
  {
    auto resumed = uploads.claim(repo("a"), session->id);
    REQUIRE((*resumed)->append(std::string_view(content).substr(offset)));
    REQUIRE((*resumed)->commit(Digest::of(content)));
  }
  CHECK(read_blob(**survivor, repo("a"), Digest::of(content)) == content);
}

/// What a kill would leave each time that one thread looks at the clock: at each step of its work.
class KillClock : public Clock {
 public:
  explicit KillClock(std::filesystem::path folder) : folder_(std::move(folder)) {}

  UnixTime now() const override {
    if (std::this_thread::get_id() == watched_) {
      left_.push_back(std::make_unique<TempFolder>());
      const auto options = std::filesystem::copy_options::recursive;
      std::filesystem::copy(folder_, left_.back()->path(), options);
    }
    return UnixTime(std::chrono::seconds(1'700'000'000));
  }
  /// The calling thread, until release(). Its alone, as is what was left.
  void watch() { watched_ = std::this_thread::get_id(); }
  void release() { watched_ = std::thread::id(); }
  [[nodiscard]] const std::vector<std::unique_ptr<TempFolder>>& left() const { return left_; }

 private:
  const std::filesystem::path folder_;
  std::atomic<std::thread::id> watched_{};
  mutable std::vector<std::unique_ptr<TempFolder>> left_;
};

TEST_CASE("A commit that is cut off by a kill can be made again", "[uploads]") {
  // With a part of a chunk at the end, without, and of less than a chunk.
  const auto size = GENERATE(as<std::size_t>(), 300'000, 2 << 18, 100'000, (9 << 20) + 1);
  CAPTURE(size);
  const auto content = random_bytes(size, size);
  const auto digest = Digest::of(content);
  TempFolder folder;
  KillClock clock(folder.path());
  StoreConfig config;
  config.directory = folder.path();
  config.scrub_bytes_per_second = 0;
  config.segment_bytes = 1 << 20;
  const auto store = Store::open(config, clock);
  REQUIRE(store);
  const auto id = (*store)->uploads().create(repo("a"), Algorithm::sha256)->id;
  {
    auto upload = (*store)->uploads().claim(repo("a"), id);
    REQUIRE((*upload)->append(content));
    REQUIRE((*upload)->pause());
    clock.watch();
    const auto committed = (*upload)->commit(digest);
    clock.release();
    REQUIRE(committed);
  }
  bool half_way = false;
  for (const auto& left : clock.left()) {
    StoreConfig config_left = config;
    config_left.directory = left->path();
    const auto survivor = Store::open(config_left);
    REQUIRE(survivor);
    auto& uploads = (*survivor)->uploads();
    if (const auto session = uploads.status(repo("a"), id)) {
      CHECK(session->offset == size);
      auto resumed = uploads.claim(repo("a"), id);
      REQUIRE(resumed);
      REQUIRE((*resumed)->commit(digest));
      half_way = true;
    }
    CHECK(read_blob(**survivor, repo("a"), digest) == content);
  }
  CHECK(half_way);
}

TEST_CASE_METHOD(StoreTest, "Many small acknowledged pieces make one blob of few segments",
                 "[uploads]") {
  const std::string content = random_bytes(9'000'000, 1);
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  for (std::size_t at = 0; at < content.size(); at += 100'000) {
    auto upload = store->uploads().claim(repo("a"), session->id);
    REQUIRE((*upload)->append(std::string_view(content).substr(at, 100'000)));
    REQUIRE((*upload)->pause());
  }
  auto upload = store->uploads().claim(repo("a"), session->id);
  REQUIRE((*upload)->commit(Digest::of(content)));
  CHECK(read_blob(*store, repo("a"), Digest::of(content)) == content);
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path() / "content")) {
    files += file.path().extension() == ".sst";
  }
  CHECK(files <= 3);
  CHECK(std::filesystem::is_empty(folder.path() / "uploads"));
}

TEST_CASE_METHOD(StoreTest, "Content that does not match its digest is refused and forgotten",
                 "[uploads]") {
  const auto size = GENERATE(as<std::size_t>(), 5, 5'000'000);
  const std::string content = random_bytes(size, 2);
  const auto refused = push(*store, repo("a"), content, Digest::of("other"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::digest_invalid);
  CHECK(refused.error().message.find(Digest::of(content).to_string()) != std::string::npos);
  CHECK(store->usage().blobs == 0);
  CHECK(store->usage().uploads == 0);
  CHECK(store->usage().upload_bytes == 0);
  CHECK_FALSE(store->uploads().put(repo("a"), Digest::of("other"), content));
}

TEST_CASE_METHOD(StoreTest, "sha512 that is only named at the end is computed all the same",
                 "[uploads]") {
  const auto size = GENERATE(as<std::size_t>(), 10, 5'000'000, 40'000'000);
  const std::string content = random_bytes(size, 3);
  const Digest digest = Digest::of(content, Algorithm::sha512);
  REQUIRE(push(*store, repo("a"), content, digest));
  CHECK(read_blob(*store, repo("a"), digest) == content);
  CHECK_FALSE(store->blobs().stat(repo("a"), Digest::of(content), Wait::yes));
}

TEST_CASE_METHOD(StoreTest, "One request at a time holds a session", "[uploads]") {
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  auto first = store->uploads().claim(repo("a"), session->id);
  REQUIRE(first);
  CHECK(store->uploads().claim(repo("a"), session->id).error().code == Errc::upload_busy);
  CHECK(store->uploads().cancel(repo("a"), session->id).error().code == Errc::upload_busy);
  CHECK(store->uploads().claim(repo("b"), session->id).error().code == Errc::upload_unknown);
  first->reset();
  CHECK(store->uploads().claim(repo("a"), session->id));
}

TEST_CASE_METHOD(StoreTest, "A client that leaves in the middle loses nothing it sent",
                 "[uploads]") {
  const std::string content = random_bytes(700'000, 4);
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  {
    auto upload = store->uploads().claim(repo("a"), session->id);
    REQUIRE((*upload)->append(content));
  }
  CHECK(store->uploads().status(repo("a"), session->id)->offset == content.size());
  reopen();
  CHECK(store->uploads().status(repo("a"), session->id)->offset == content.size());
}

TEST_CASE_METHOD(StoreTest, "Cancelling and expiring free the bytes at once", "[uploads]") {
  const std::string content = random_bytes(6'000'000, 5);
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  {
    auto upload = store->uploads().claim(repo("a"), session->id);
    REQUIRE((*upload)->append(content));
    REQUIRE((*upload)->pause());
  }
  CHECK(store->usage().upload_bytes == content.size());
  SECTION("by the client") { REQUIRE(store->uploads().cancel(repo("a"), session->id)); }
  SECTION("by time") {
    clock.advance(config.upload_ttl - std::chrono::seconds(1));
    CHECK(store->uploads().expire_idle() == 0);
    clock.advance(std::chrono::seconds(2));
    CHECK(store->uploads().expire_idle() == 1);
  }
  CHECK(store->uploads().status(repo("a"), session->id).error().code == Errc::upload_unknown);
  CHECK(store->usage().upload_bytes == 0);
  CHECK(std::filesystem::is_empty(folder.path() / "uploads"));
  for (const auto& file : std::filesystem::directory_iterator(folder.path() / "content")) {
    CHECK(file.path().extension() != ".sst");
  }
}

TEST_CASE_METHOD(StoreTest, "A journal that a power loss took ends its session, and nothing else",
                 "[uploads]") {
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  {
    auto upload = store->uploads().claim(repo("a"), session->id);
    REQUIRE((*upload)->append("some bytes"));
    REQUIRE((*upload)->pause());
  }
  REQUIRE(store->uploads().put(repo("a"), Digest::of("kept"), "kept"));
  store.reset();
  for (const auto& file : std::filesystem::directory_iterator(folder.path() / "uploads")) {
    std::filesystem::resize_file(file.path(), 3);
  }
  open();
  CHECK(store->uploads().status(repo("a"), session->id).error().code == Errc::upload_unknown);
  CHECK(read_blob(*store, repo("a"), Digest::of("kept")) == "kept");
}

TEST_CASE_METHOD(StoreTest, "The same blob pushed by many at once is kept once", "[uploads]") {
  const std::string content = random_bytes(2'000'000, 6);
  const Digest digest = Digest::of(content);
  std::vector<std::thread> clients;
  std::atomic<int> accepted{0};
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
      auto upload = store->uploads().claim(repo("a"), session->id);
      if (!(*upload)->append(content)) return;
      if ((*upload)->commit(digest)) ++accepted;
    });
  }
  for (auto& client : clients) client.join();
  CHECK(accepted == 8);
  CHECK(store->usage().blobs == 1);
  CHECK(store->usage().stored_bytes < content.size() * 11 / 10);
  CHECK(read_blob(*store, repo("a"), digest) == content);
  std::uint64_t on_disk = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path() / "content")) {
    if (file.path().extension() == ".sst") on_disk += file.file_size();
  }
  CHECK(on_disk == store->usage().stored_bytes);
}

TEST_CASE_METHOD(StoreTest, "A quota refuses what is above it, and says what to do", "[uploads]") {
  config.quota_bytes = 1'000'000;
  reopen();
  REQUIRE(store->uploads().put(repo("a"), Digest::of("x"), "x"));
  const std::string content = random_bytes(1'500'000, 9);
  const auto session = store->uploads().create(repo("a"), Algorithm::sha256);
  auto upload = store->uploads().claim(repo("a"), session->id);
  const auto refused = (*upload)->append(content);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::quota_exceeded);
  CHECK(refused.error().message.find("shoal gc") != std::string::npos);
  CHECK((*upload)->append(content.substr(0, 500'000)));
}

TEST_CASE_METHOD(StoreTest, "A disk without room refuses writes and serves reads", "[uploads]") {
  REQUIRE(store->uploads().put(repo("a"), Digest::of("x"), "x"));
  config.reserve_bytes = std::uint64_t{1} << 60;
  reopen();
  const auto refused = store->uploads().put(repo("a"), Digest::of("y"), "y");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::disk_full);
  CHECK(read_blob(*store, repo("a"), Digest::of("x")) == "x");
  CHECK(store->blobs().remove(repo("a"), Digest::of("x")));
}

}  // namespace
}  // namespace shoal
