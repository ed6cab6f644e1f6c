#include "p2p/fetch/blob_fetch.h"

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

/// What open() gives for content that comes by the swarm.
class BlobFetch::SwarmReader final : public BlobReader {
 public:
  SwarmReader(BlobFetch& fetch, const Repository& repository,
              std::shared_ptr<SwarmTransfer> transfer)
      : fetch_(fetch),
        repository_(repository),
        transfer_(std::move(transfer)),
        info_{transfer_->torrent().digest, transfer_->torrent().size, 0} {}

  const BlobInfo& info() const override { return info_; }

  Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait) override {
    if (holder_) return read_holder(offset, max, wait);
    const bool in_order = offset == at_;
    const auto& torrent = transfer_->torrent();
    const bool last_piece = offset / torrent.piece_bytes + 1 == torrent.piece_count();
    if (in_order && last_piece && !verified_) {
      if (wait == Wait::no) return fail(Errc::would_block, "the whole is not verified yet");
      const auto ended = transfer_->wait();
      if (!ended) return go_on(offset, max, ended.error());
      const auto linked = fetch_.link_stored(repository_, info_.digest);
      if (!linked) return tl::unexpected(linked.error());
      verified_ = true;
    }
    auto bytes = transfer_->read(offset, max, wait);
    if (!bytes && bytes.error().code != Errc::would_block) {
      return go_on(offset, max, bytes.error());
    }
    if (bytes && in_order) at_ += bytes->view().size();
    return bytes;
  }

 private:
  /// At a holder. What was given in order is hashed again, and goes into the check of the whole.
  Result<BlobBytes> go_on(std::uint64_t offset, std::size_t max, const Error& error) {
    if (error.code == Errc::digest_invalid && at_ > 0) return tl::unexpected(error);
    for (std::uint64_t at = 0; at < at_;) {
      const auto given = transfer_->arrival()->read(at, at_ - at, Wait::yes);
      if (!given) return tl::unexpected(error);
      hasher_.update(given->view());
      at += given->view().size();
    }
    auto holder = fetch_.open_holder(info_.digest);
    const bool fits = holder && (*holder)->info().size == info_.size;
    if (!fits) return tl::unexpected(error);
    spdlog::warn("a client reads on at a holder digest={} offset={} reason=\"{}\"",
                 info_.digest.to_string(), offset, error.message);
    holder_ = *std::move(holder);
    return read_holder(offset, max, Wait::yes);
  }

  Result<BlobBytes> read_holder(std::uint64_t offset, std::size_t max, Wait wait) {
    auto bytes = holder_->read(offset, max, wait);
    if (!bytes || offset != at_) return bytes;
    hasher_.update(bytes->view());
    at_ += bytes->view().size();
    if (at_ < info_.size || hasher_.digest() == info_.digest) return bytes;
    return fail(Errc::digest_invalid, "what other nodes gave is not " + info_.digest.to_string());
  }

  BlobFetch& fetch_;
  const Repository repository_;
  const std::shared_ptr<SwarmTransfer> transfer_;
  const BlobInfo info_;
  std::uint64_t at_ = 0;  // So far it has read from the start on.
  bool verified_ = false;
  std::unique_ptr<HolderReader> holder_;
  Hasher hasher_{info_.digest.algorithm()};  // Of [0, at_), once there is a holder.
};

BlobFetch::BlobFetch(BlobFetchConfig config, Store& store, Directory& directory,
                     PeerClients& clients, Swarm* swarm)
    : config_(config),
      store_(store),
      directory_(directory),
      clients_(clients),
      swarm_(swarm),
      dropper_([this] { drop_copies(); }) {}

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
    barred_.bar(source, duration);
  }
  const std::lock_guard lock(mutex_);
  ++done_.wrong;
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
  const auto coming = swarm_ == nullptr ? nullptr : swarm_->find(digest);
  if (coming) return BlobInfo{digest, coming->torrent().size, 0};
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

std::optional<Result<void>> BlobFetch::fetch_by_swarm(const Repository& repository,
                                                      const Digest& digest, SwarmClass of_class) {
  std::optional<Result<void>> done;
  for (unsigned attempt = 0; swarm_ != nullptr && attempt < kWrongContentsMax; ++attempt) {
    const auto linked = link_stored(repository, digest);
    if (!linked) return tl::unexpected(linked.error());
    if (*linked) return Result<void>();
    const auto transfer = swarm_->join(repository, digest, of_class);
    if (!transfer || !*transfer) return std::nullopt;
    done = (*transfer)->wait();
    if (!*done && done->error().code != Errc::digest_invalid) return done;
  }
  return done;
}

void BlobFetch::begin(const Repository& repository, const std::vector<Digest>& digests) {
  if (swarm_ == nullptr) return;
  auto missing = digests;
  std::erase_if(missing, [&](const Digest& digest) {
    return store_.blobs().stat_any(digest, Wait::yes).has_value();
  });
  swarm_->begin(repository, missing, SwarmClass::demand);
}

Result<void> BlobFetch::fetch(const Repository& repository, const Digest& digest,
                              SwarmClass of_class) {
  const auto came = fetch_by_swarm(repository, digest, of_class);
  if (came) return *came;
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
  if (swarm_ != nullptr) {
    auto transfer = swarm_->join(repository, digest, SwarmClass::demand);
    if (transfer && *transfer) {
      return std::make_shared<SwarmReader>(*this, repository, *std::move(transfer));
    }
    const auto come = link_stored(repository, digest);  // Meanwhile.
    if (!come) return tl::unexpected(come.error());
    if (*come) return store_.blobs().open(repository, digest, Wait::yes);
  }
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
  Status status;
  {
    const std::lock_guard lock(mutex_);
    status = done_;
    status.transfers = flights_.size();
  }
  if (swarm_ == nullptr) return status;
  const auto swarm = swarm_->totals().transfers;
  status.transfers += swarm.now;
  status.stored += swarm.finished;
  status.bytes += swarm.finished_bytes;
  status.wrong += swarm.wrong;
  return status;
}

std::uint64_t BlobFetch::moved() const {
  return moved_ + (swarm_ == nullptr ? 0 : swarm_->moved());
}

}  // namespace shoal
