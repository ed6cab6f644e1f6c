#include "p2p/blob_fetch.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr unsigned kWrongContentsMax = 8;  // Of one fetch(): each bars at least one holder.

std::string join(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

}  // namespace

/// One stored transfer: its owner moves the bytes, others wait for its end.
class BlobFetch::Flight {
 public:
  enum class End { none, stored, failed, dropped };

  /// A revocable flight is taken away from an owner that does not move.
  explicit Flight(bool revocable) : revocable_(revocable) {}

  /// The owner has moved some bytes; false: the flight is no longer its own.
  [[nodiscard]] bool progress() {
    ++steps_;
    return !revoked_;
  }
  [[nodiscard]] bool revoked() const { return revoked_; }

  void end(End how, std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    if (end_ != End::none) return;
    end_ = how;
    error_ = std::move(error);
    ended_.notify_all();
  }
  /// `dropped` also when it was taken away.
  [[nodiscard]] End wait(std::chrono::milliseconds stall) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto before = steps_.load();
      ended_.wait_for(lock, stall, [this] { return end_ != End::none || revoked_; });
      if (end_ != End::none) return end_;
      if (!revoked_ && (!revocable_ || steps_ != before)) continue;
      revoked_ = true;
      ended_.notify_all();
      return End::dropped;
    }
  }
  /// After `failed`.
  [[nodiscard]] Error error() {
    const std::lock_guard lock(mutex_);
    return *error_;
  }

 private:
  const bool revocable_;
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<bool> revoked_{false};
  std::mutex mutex_;
  std::condition_variable ended_;
  End end_ = End::none;
  std::optional<Error> error_;
};

/// The owner's hold on a flight, which ends with it at the latest.
class BlobFetch::Ownership {
 public:
  Ownership(BlobFetch& fetch, const Digest& digest, std::shared_ptr<Flight> flight)
      : fetch_(fetch), digest_(digest), flight_(std::move(flight)) {}
  ~Ownership() { end(Flight::End::dropped); }  // Unless it has ended already.
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  [[nodiscard]] bool progress() { return flight_->progress(); }
  void end(Flight::End how, std::optional<Error> error = std::nullopt) {
    fetch_.land(digest_, flight_);
    flight_->end(how, std::move(error));
  }

 private:
  BlobFetch& fetch_;
  const Digest digest_;
  const std::shared_ptr<Flight> flight_;
};

/// What open() gives for content that is elsewhere.
class BlobFetch::Reader final : public BlobReader {
 public:
  Reader(BlobFetch& fetch, const Repository& repository, std::unique_ptr<HolderReader> holder)
      : fetch_(fetch), repository_(repository), holder_(std::move(holder)) {}
  ~Reader() override { give_up(); }

  const BlobInfo& info() const override { return holder_->info(); }

  Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait) override {
    if (wait == Wait::no) return holder_->read(offset, max, wait);
    if (!std::exchange(begun_, true) && offset == 0) begin();
    if (copy_ && offset != copy_->size()) give_up();
    auto bytes = holder_->read(offset, max, wait);
    if (!copy_) return bytes;
    if (!bytes) {
      give_up(bytes.error());
      return bytes;
    }
    const auto kept = keep(bytes->view());
    if (!kept) return tl::unexpected(kept.error());
    return bytes;
  }

 private:
  void begin() {
    bool owner = false;
    auto flight = fetch_.board(info().digest, true, owner);
    if (!owner) return;
    flight_ = std::make_unique<Ownership>(fetch_, info().digest, std::move(flight));
    if (fetch_.store_.blobs().stat_any(info().digest, Wait::yes)) {  // It has come meanwhile.
      flight_.reset();
      return;
    }
    started_ = Steady::now();
    copy_ = std::make_unique<BlobCopy>(fetch_.store_, repository_, info().digest);
  }

  void give_up(std::optional<Error> error = std::nullopt) {
    if (!copy_) return;
    fetch_.drop_later(std::move(copy_));
    flight_->end(error ? Flight::End::failed : Flight::End::dropped, std::move(error));
    flight_.reset();
  }

  /// Fails only where the client must not get these bytes.
  Result<void> keep(std::string_view bytes) {
    if (!flight_->progress()) {
      give_up();
      return {};
    }
    auto kept = copy_->append(bytes);
    if (kept) fetch_.moved_ += bytes.size();
    const bool last = kept && copy_->size() == info().size;
    if (last) kept = copy_->commit();
    if (!kept && kept.error().code == Errc::digest_invalid) {
      fetch_.bar(holder_->sources(), info().digest);
      give_up();
      return kept;
    }
    if (!kept) {
      spdlog::warn("content is passed on and not kept digest={} error=\"{}\"",
                   info().digest.to_string(), kept.error().message);
      give_up(kept.error());
    } else if (last) {
      fetch_.note_stored(info(), holder_->sources(), started_);
      copy_.reset();
      flight_->end(Flight::End::stored);
      flight_.reset();
    }
    return {};
  }

  BlobFetch& fetch_;
  const Repository repository_;
  const std::unique_ptr<HolderReader> holder_;
  bool begun_ = false;
  std::unique_ptr<Ownership> flight_;  // With copy_, or neither.
  std::unique_ptr<BlobCopy> copy_;
  Steady::time_point started_;
};

BlobFetch::BlobFetch(BlobFetchConfig config, Store& store, Directory& directory,
                     PeerClients& clients)
    : config_(config), store_(store), directory_(directory), clients_(clients), dropper_([this] {
        drop_copies();
      }) {}

BlobFetch::~BlobFetch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  dropper_.join();
}

void BlobFetch::drop_later(std::unique_ptr<BlobCopy> copy) {
  const std::lock_guard lock(mutex_);
  dropped_.push_back(std::move(copy));
  wake_.notify_one();
}

void BlobFetch::drop_copies() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !dropped_.empty(); });
    if (dropped_.empty()) return;
    auto copies = std::exchange(dropped_, {});
    lock.unlock();
    copies.clear();
    lock.lock();
  }
}

/// The flight of the digest; `owner` says whether it is the caller who has to move it.
std::shared_ptr<BlobFetch::Flight> BlobFetch::board(const Digest& digest, bool revocable,
                                                    bool& owner) {
  const std::lock_guard lock(mutex_);
  auto& flight = flights_[digest];
  owner = !flight || flight->revoked();
  if (owner) flight = std::make_shared<Flight>(revocable);
  return flight;
}

void BlobFetch::land(const Digest& digest, const std::shared_ptr<Flight>& flight) {
  const std::lock_guard lock(mutex_);
  const auto found = flights_.find(digest);
  if (found != flights_.end() && found->second == flight) flights_.erase(found);
}

Result<bool> BlobFetch::link_stored(const Repository& repository, const Digest& digest) {
  const auto linked = store_.blobs().mount(repository, digest, std::nullopt);
  if (linked) return true;
  if (linked.error().code == Errc::blob_unknown) return false;
  return tl::unexpected(linked.error());
}

Directory::Found BlobFetch::find(const Digest& digest, std::set<std::string>& barred) {
  auto found = directory_.lookup(digest);
  const std::lock_guard lock(mutex_);
  const auto now = Steady::now();
  std::erase_if(barred_, [now](const auto& entry) { return entry.second <= now; });
  std::erase_if(found.holders, [&](const std::string& holder) {
    if (!barred_.contains(holder)) return false;
    barred.insert(holder);
    found.sure = false;
    return true;
  });
  return found;
}

Result<std::unique_ptr<HolderReader>> BlobFetch::open_holder(const Digest& digest) {
  const auto barred = std::make_shared<std::set<std::string>>();
  auto opened = HolderReader::open(clients_, digest,
                                   [this, digest, barred] { return find(digest, *barred); });
  if (!opened && !barred->empty()) {
    opened.error().message += "; not asked, since they gave wrong content: " + join(*barred);
  }
  return opened;
}

void BlobFetch::bar(const std::set<std::string>& sources, const Digest& digest) {
  const auto duration = sources.size() == 1 ? config_.barred : config_.barred_in_company;
  for (const auto& source : sources) {
    spdlog::warn("content does not match its digest digest={} from={} among={} barred_ms={}",
                 digest.to_string(), source, sources.size(), duration.count());
  }
  const std::lock_guard lock(mutex_);
  ++done_.wrong;
  for (const auto& source : sources) {
    auto& until = barred_[source];
    until = std::max(until, Steady::now() + duration);
  }
}

void BlobFetch::note_stored(const BlobInfo& info, const std::set<std::string>& sources,
                            Steady::time_point started) {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - started);
  spdlog::info("blob fetched digest={} bytes={} from={} ms={}", info.digest.to_string(), info.size,
               join(sources), elapsed.count());
  const std::lock_guard lock(mutex_);
  ++done_.stored;
  done_.bytes += info.size;
}

Result<BlobInfo> BlobFetch::stat(const Digest& digest) {
  const auto holder = open_holder(digest);
  if (!holder) return tl::unexpected(holder.error());
  return (*holder)->info();
}

Result<void> BlobFetch::transfer(const Repository& repository, const Digest& digest) {
  Result<void> wrong;
  for (unsigned attempt = 0; attempt < kWrongContentsMax; ++attempt) {
    const auto started = Steady::now();
    const auto holder = open_holder(digest);
    if (!holder) return tl::unexpected(holder.error());
    const auto size = (*holder)->info().size;
    BlobCopy copy(store_, repository, digest);
    while (copy.size() < size) {
      const auto bytes = (*holder)->read(copy.size(), kPieceBytes, Wait::yes);
      if (!bytes) return tl::unexpected(bytes.error());
      const auto kept = copy.append(bytes->view());
      if (!kept) return kept;
      moved_ += bytes->view().size();
    }
    const auto stored = copy.commit();
    if (stored) {
      note_stored((*holder)->info(), (*holder)->sources(), started);
      return {};
    }
    if (stored.error().code != Errc::digest_invalid) return stored;
    wrong = stored;
    bar((*holder)->sources(), digest);
  }
  return fail(Errc::unavailable, "every holder gave wrong content: " + wrong.error().message);
}

Result<void> BlobFetch::fetch(const Repository& repository, const Digest& digest) {
  for (;;) {
    bool owner = false;
    const auto flight = board(digest, false, owner);
    if (!owner) {
      const auto end = flight->wait(config_.stall);
      if (end == Flight::End::failed) return tl::unexpected(flight->error());
      if (end == Flight::End::dropped) continue;
    }
    std::optional<Ownership> ownership;
    if (owner) ownership.emplace(*this, digest, flight);
    const auto linked = link_stored(repository, digest);
    if (!linked) return tl::unexpected(linked.error());
    if (*linked) return {};
    if (!owner) continue;  // It was stored, and is gone again.
    const auto done = transfer(repository, digest);
    if (done) {
      ownership->end(Flight::End::stored);
    } else {
      ownership->end(Flight::End::failed, done.error());
    }
    return done;
  }
}

Result<std::shared_ptr<BlobReader>> BlobFetch::open(const Repository& repository,
                                                    const Digest& digest) {
  const auto linked = link_stored(repository, digest);
  if (!linked) return tl::unexpected(linked.error());
  if (*linked) return store_.blobs().open(repository, digest, Wait::yes);
  auto holder = open_holder(digest);
  if (!holder) return tl::unexpected(holder.error());
  if ((*holder)->info().size == 0) {  // There is nothing to read, and so no end of it.
    const auto fetched = fetch(repository, digest);
    if (!fetched) return tl::unexpected(fetched.error());
    return store_.blobs().open(repository, digest, Wait::yes);
  }
  return std::make_shared<Reader>(*this, repository, std::move(*holder));
}

BlobFetch::Status BlobFetch::status() const {
  const std::lock_guard lock(mutex_);
  auto status = done_;
  status.transfers = flights_.size();
  return status;
}

}  // namespace shoal
