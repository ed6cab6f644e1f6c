#include "storage/arrivals.h"

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "storage/core.h"
#include "storage/disk_space.h"
#include "storage/keys.h"
#include "storage/places.h"

namespace shoal {
namespace {

constexpr std::size_t kArrivalsMax = 10'000;

std::string key_of(const Digest& digest) { return keys::of_digest('v', digest); }

/// Bytes that somebody else owns.
struct Owned : BlobBytes::Holder {
  explicit Owned(std::shared_ptr<const void> of) : owner(std::move(of)) {}
  std::shared_ptr<const void> owner;
};

class ArrivalTable;

/// Locks: hashing_ or storing_, then mutex_.
class PieceArrival final : public Arrival {
 public:
  PieceArrival(StoreCore& core, ArrivalTable& table, ArrivalInfo info, ArrivalRecord record,
               Places places)
      : core_(core),
        table_(table),
        info_(std::move(info)),
        content_id_(record.content_id),
        pin_(core.content->pin(content_id_)),
        record_(std::move(record)),
        places_(std::move(places)),
        next_run_(places_.next_run()),
        hasher_(info_.digest.algorithm()) {
    for (std::uint32_t piece = 0; piece < info_.pieces(); ++piece) {
      if (places_.placed(piece)) arrived_ += info_.bytes_of(piece);
    }
  }
  ~PieceArrival() override;

  const ArrivalInfo& info() const override { return info_; }

  std::vector<bool> pieces() const override {
    const std::lock_guard lock(mutex_);
    std::vector<bool> pieces(info_.pieces());
    for (std::uint32_t piece = 0; piece < pieces.size(); ++piece) pieces[piece] = here(piece);
    return pieces;
  }

  bool has(std::uint32_t piece) const override {
    const std::lock_guard lock(mutex_);
    return here(piece);
  }

  std::uint64_t arrived_bytes() const override {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

  void add(std::uint32_t piece, std::string_view bytes,
           std::shared_ptr<const void> owner) override {
    const std::lock_guard lock(mutex_);
    if (here(piece)) return;
    waiting_.emplace(piece, Held{bytes, std::move(owner)});
    waiting_bytes_ += bytes.size();
    arrived_ += bytes.size();
  }

  std::uint64_t waiting_bytes() const override {
    const std::lock_guard lock(mutex_);
    return waiting_bytes_;
  }

  Result<std::uint64_t> store() override {
    const std::lock_guard storing(storing_);
    return store_waiting();
  }

  Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait) override {
    const auto piece = static_cast<std::uint32_t>(offset / info_.piece_bytes);
    std::uint64_t value = 0;
    std::uint64_t unit = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto held = waiting_.find(piece);
      if (held != waiting_.end()) {
        const auto bytes = held->second.bytes.substr(offset % info_.piece_bytes);
        return BlobBytes(std::make_unique<Owned>(held->second.owner),
                         bytes.substr(0, std::min<std::uint64_t>(max, kChunkBytes)));
      }
      if (!places_.placed(piece)) {
        return fail(Errc::unavailable, "piece " + std::to_string(piece) + " of " +
                                           info_.digest.to_string() + " has not arrived");
      }
      value = places_.value_at(offset);
      unit = places_.unit_bytes();
    }
    if (wait == Wait::no) return fail(Errc::would_block, "segments are read from the disk");
    auto bytes = core_.content->read(content_id_, value);
    if (bytes) bytes->narrow(offset % unit, max);
    return bytes;
  }

  Result<std::uint64_t> hash() override {
    const std::unique_lock hashing(hashing_, std::try_to_lock);
    if (!hashing.owns_lock()) return hashed_.load();
    return hash_on();
  }

  Result<BlobInfo> commit(const Repository& repository) override;

  /// Nothing is stored from now on; false if it became a blob before.
  bool give_up() {
    const std::lock_guard storing(storing_);
    gone_ = true;
    return !committed_;
  }

 private:
  struct Held {
    std::string_view bytes;
    std::shared_ptr<const void> owner;
  };

  /// Under `mutex_`.
  bool here(std::uint32_t piece) const { return places_.placed(piece) || waiting_.contains(piece); }

  /// Under `storing_`.
  Result<std::uint64_t> store_waiting();
  [[nodiscard]] Result<std::uint64_t> write_run(const std::map<std::uint32_t, Held>& pieces,
                                                std::uint16_t run);

  /// Under `hashing_`.
  Result<std::uint64_t> hash_on() {
    while (hashed_ < info_.size) {
      const std::uint64_t at = hashed_;
      if (!has(static_cast<std::uint32_t>(at / info_.piece_bytes))) break;
      const auto bytes = read(at, SIZE_MAX, Wait::yes);
      if (!bytes) return tl::unexpected(bytes.error());
      hasher_.update(bytes->view());
      hashed_ = at + bytes->view().size();
    }
    return hashed_.load();
  }

  tl::unexpected<Error> dropped() const {
    return fail(Errc::blob_unknown, info_.digest.to_string() + " was dropped while it arrived");
  }

  [[nodiscard]] Result<void> check_digest();
  [[nodiscard]] Result<BlobInfo> publish(const Repository& repository);

  StoreCore& core_;
  ArrivalTable& table_;
  const ArrivalInfo info_;

  const std::uint64_t content_id_;
  const std::shared_ptr<void> pin_;

  std::mutex storing_;  // Guards the next three.
  ArrivalRecord record_;
  bool gone_ = false;
  bool committed_ = false;

  mutable std::mutex mutex_;  // Guards the next five.
  Places places_;
  std::uint16_t next_run_;
  std::map<std::uint32_t, Held> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t arrived_ = 0;

  std::mutex hashing_;
  Hasher hasher_;  // Of [0, hashed_).
  std::atomic<std::uint64_t> hashed_{0};
};

Result<std::uint64_t> PieceArrival::write_run(const std::map<std::uint32_t, Held>& pieces,
                                              std::uint16_t run) {
  Places places(info_.size, info_.piece_bytes);
  const auto writer = core_.content->write(content_id_, 0);
  for (const auto& [piece, held] : pieces) {
    places.place(piece, run);
    const std::uint64_t start = piece * info_.piece_bytes;
    for (std::uint64_t at = 0; at < held.bytes.size(); at += places.unit_bytes()) {
      writer->seek(places.value_at(start + at));
      const auto added = writer->add(held.bytes.substr(at, places.unit_bytes()));
      if (!added) return tl::unexpected(added.error());
    }
  }
  return writer->finish();
}

Result<std::uint64_t> PieceArrival::store_waiting() {
  std::map<std::uint32_t, Held> pieces;
  std::uint64_t bytes = 0;
  Places places;
  std::uint16_t run = 0;
  {
    const std::lock_guard lock(mutex_);
    pieces = waiting_;
    bytes = waiting_bytes_;
    places = places_;
    run = next_run_;
  }
  if (pieces.empty()) return 0;
  if (gone_) return dropped();
  if (run == Places::kNowhere) return fail(Errc::io, "the content came in too many parts");
  const auto room = check_free(core_.config.directory, bytes, core_.config.reserve_bytes);
  if (!room) return tl::unexpected(room.error());
  const auto stored = write_run(pieces, run);
  if (!stored) return tl::unexpected(stored.error());
  {
    // Used up, also when the record cannot be written: what is there now is not written over.
    const std::lock_guard lock(mutex_);
    ++next_run_;
  }
  for (const auto& [piece, held] : pieces) places.place(piece, run);
  auto record = record_;
  record.stored_bytes += *stored;
  record.used = core_.clock.now();
  record.places = places.encode();
  Change change;
  change.put(key_of(info_.digest), record.encode());
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  record_ = std::move(record);

  const std::lock_guard lock(mutex_);
  places_ = std::move(places);
  for (const auto& [piece, held] : pieces) waiting_.erase(piece);
  waiting_bytes_ -= bytes;
  return bytes;
}

Result<void> PieceArrival::check_digest() {
  const std::lock_guard hashing(hashing_);
  const auto hashed = hash_on();
  if (!hashed) return tl::unexpected(hashed.error());
  if (*hashed < info_.size) {
    return fail(Errc::unavailable, "not all pieces of " + info_.digest.to_string() + " are here");
  }
  const Digest actual = hasher_.digest();
  if (actual == info_.digest) return {};
  return fail(Errc::digest_invalid,
              "the content is " + actual.to_string() + ", not " + info_.digest.to_string());
}

Result<BlobInfo> PieceArrival::publish(const Repository& repository) {
  const std::lock_guard storing(storing_);
  const auto stored = store_waiting();
  if (!stored) return tl::unexpected(stored.error());
  ContentRecord record;
  record.size = info_.size;
  record.stored_bytes = record_.stored_bytes;
  record.content_id = record_.content_id;
  record.created = core_.clock.now();
  if (!places_.plain()) record.places = record_.places;
  Publication publication;
  publication.source = key_of(info_.digest);
  publication.attachment = info_.attachment;
  auto published = publish_blob(core_, repository, info_.digest, record, publication);
  gone_ = committed_ = published.has_value();
  return published;
}

/// The arrivals of a store. Its lock comes before no other: an arrival's are never waited for
/// under it.
class ArrivalTable final : public Arrivals {
 public:
  explicit ArrivalTable(StoreCore& core) : core_(core) {}

  [[nodiscard]] Result<void> load();

  Result<std::shared_ptr<Arrival>> open(const ArrivalInfo& info) override;
  std::vector<ArrivalInfo> list() override;
  std::optional<ArrivalInfo> find(const Digest& digest) override;
  Result<void> discard(const Digest& digest) override;
  std::size_t expire_idle() override;

  /// It became a blob.
  void forget(const Digest& digest);
  /// Nobody has it open any more.
  void closed(const Digest& digest);

 private:
  struct Entry {
    ArrivalInfo info;
    std::uint64_t content_id = 0;
    UnixTime used{};
    std::weak_ptr<PieceArrival> open;
  };

  void enter(const ArrivalInfo& info, const ArrivalRecord& record);
  void leave(std::map<Digest, Entry>::iterator entry);
  [[nodiscard]] Result<std::shared_ptr<PieceArrival>> begin(const ArrivalInfo& info);
  [[nodiscard]] Result<std::shared_ptr<PieceArrival>> resume(const Entry& entry);
  [[nodiscard]] Result<void> drop(std::map<Digest, Entry>::iterator entry);

  StoreCore& core_;
  std::mutex mutex_;
  std::map<Digest, Entry> entries_;
};

PieceArrival::~PieceArrival() { table_.closed(info_.digest); }

Result<BlobInfo> PieceArrival::commit(const Repository& repository) {
  const auto checked = check_digest();
  if (!checked) {
    const auto error = checked.error();
    if (error.code == Errc::digest_invalid) {
      const auto discarded = table_.discard(info_.digest);
      if (!discarded) return tl::unexpected(discarded.error());
    }
    return tl::unexpected(error);
  }
  auto published = publish(repository);
  if (published) table_.forget(info_.digest);
  return published;
}

void ArrivalTable::enter(const ArrivalInfo& info, const ArrivalRecord& record) {
  entries_.emplace(info.digest, Entry{info, record.content_id, record.used, {}});
  core_.arrivals += 1;
  core_.arrival_bytes += info.size;
}

void ArrivalTable::leave(std::map<Digest, Entry>::iterator entry) {
  core_.arrivals -= 1;
  core_.arrival_bytes -= entry->second.info.size;
  entries_.erase(entry);
}

Result<void> ArrivalTable::load() {
  Change lost;
  const auto scanned = core_.db->scan("v", "", [&](std::string_view key, std::string_view value) {
    const auto digest = Digest::from_key(key);
    const auto record = ArrivalRecord::decode(value);
    const auto places = record ? Places::decode(record->places) : tl::unexpected(record.error());
    if (!digest || !places) {
      lost.erase('v' + std::string(key));
      return true;
    }
    core_.content->raise_ids(record->content_id + 1);
    enter({*digest, record->size, record->piece_bytes, record->attachment}, *record);
    // A run that was ingested when the process was killed, and not recorded yet.
    std::ignore = core_.content->drop(record->content_id, Places::run_start(places->next_run()));
    return true;
  });
  if (!scanned) return scanned;
  const auto applied = core_.db->apply(std::move(lost));
  if (!applied) return tl::unexpected(applied.error());
  return {};
}

Result<std::shared_ptr<PieceArrival>> ArrivalTable::begin(const ArrivalInfo& info) {
  if (entries_.size() >= kArrivalsMax) {
    return fail(Errc::too_many, "too many contents are on their way here: try again later");
  }
  const auto room = check_room(core_, info.size);
  if (!room) return tl::unexpected(room.error());
  Places places(info.size, info.piece_bytes);
  ArrivalRecord record;
  record.size = info.size;
  record.piece_bytes = info.piece_bytes;
  record.attachment = info.attachment;
  record.content_id = core_.content->new_id();
  record.used = core_.clock.now();
  record.places = places.encode();
  Change change;
  change.put(key_of(info.digest), record.encode());
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  enter(info, record);
  return std::make_shared<PieceArrival>(core_, *this, info, std::move(record), std::move(places));
}

Result<std::shared_ptr<PieceArrival>> ArrivalTable::resume(const Entry& entry) {
  const auto stored = core_.db->get(key_of(entry.info.digest), Wait::yes);
  if (!stored) return tl::unexpected(stored.error());
  auto record = ArrivalRecord::decode(stored->value_or(""));
  if (!record) return tl::unexpected(record.error());
  auto places = Places::decode(record->places);
  if (!places) return tl::unexpected(places.error());
  return std::make_shared<PieceArrival>(core_, *this, entry.info, *std::move(record),
                                        *std::move(places));
}

Result<std::shared_ptr<Arrival>> ArrivalTable::open(const ArrivalInfo& info) {
  std::shared_ptr<PieceArrival> arrival;  // Destroyed behind the lock, which closed() takes.
  const std::lock_guard lock(mutex_);
  auto found = entries_.find(info.digest);
  if (found != entries_.end()) {
    arrival = found->second.open.lock();
    const bool same = found->second.info == info;
    if (arrival && same) return arrival;
    if (arrival) {
      return fail(Errc::conflict, info.digest.to_string() + " is on its way with other pieces");
    }
    if (!same) {
      const auto dropped = drop(found);
      if (!dropped) return tl::unexpected(dropped.error());
      found = entries_.end();
    }
  }
  auto opened = found == entries_.end() ? begin(info) : resume(found->second);
  if (!opened) return tl::unexpected(opened.error());
  auto& entry = entries_.at(info.digest);
  entry.open = *opened;
  entry.used = core_.clock.now();
  return *std::move(opened);
}

std::vector<ArrivalInfo> ArrivalTable::list() {
  const std::lock_guard lock(mutex_);
  std::vector<ArrivalInfo> infos;
  for (const auto& [digest, entry] : entries_) infos.push_back(entry.info);
  return infos;
}

std::optional<ArrivalInfo> ArrivalTable::find(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  return found->second.info;
}

Result<void> ArrivalTable::drop(std::map<Digest, Entry>::iterator entry) {
  Change change;
  change.erase(key_of(entry->first));
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  const std::uint64_t id = entry->second.content_id;
  leave(entry);
  return free_content(core_, {id});  // Later, if somebody still reads it.
}

Result<void> ArrivalTable::discard(const Digest& digest) {
  std::shared_ptr<PieceArrival> open;  // Both destroyed behind the lock, which closed() takes.
  std::shared_ptr<PieceArrival> again;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(digest);
    if (found == entries_.end()) return {};
    open = found->second.open.lock();
  }
  if (open && !open->give_up()) return {};  // A run that is being written is waited for.
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return {};
  again = found->second.open.lock();
  if (again != open) return {};  // Begun anew meanwhile.
  return drop(found);
}

void ArrivalTable::forget(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found != entries_.end()) leave(found);
}

void ArrivalTable::closed(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(digest);
  if (found != entries_.end()) found->second.used = core_.clock.now();
}

std::size_t ArrivalTable::expire_idle() {
  const std::lock_guard lock(mutex_);
  const UnixTime limit = core_.clock.now() - core_.config.upload_ttl;
  std::size_t dropped = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    const bool idle = entry->second.open.expired() && entry->second.used <= limit;
    if (idle && drop(entry)) ++dropped;
    entry = next;
  }
  return dropped;
}

}  // namespace

Result<std::unique_ptr<Arrivals>> open_arrivals(StoreCore& core) {
  auto table = std::make_unique<ArrivalTable>(core);
  const auto loaded = table->load();
  if (!loaded) return tl::unexpected(loaded.error());
  return table;
}

}  // namespace shoal
