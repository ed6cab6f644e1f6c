#include "storage/uploads.h"

#include <array>
#include <mutex>
#include <unordered_map>

#include <fmt/format.h>
#include <openssl/rand.h>

#include "storage/keys.h"
#include "storage/upload_session.h"

namespace shoal {
namespace {

constexpr std::size_t kSessionsMax = 10'000;

tl::unexpected<Error> unknown(const std::string& id) {
  return fail(Errc::upload_unknown, "upload session " + id.substr(0, 64) +
                                        " is not open in this repository: it was "
                                        "finished, cancelled, expired, or belongs to another node");
}

/// 128 random bits in the form of a UUID (RFC 9562, version 4).
std::string random_id() {
  std::array<std::uint8_t, 16> bytes;
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string id;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += fmt::format("{:02x}", bytes[i]);
  }
  return id;
}

/// A session and who holds it. The mutex of the table guards `claimed` and `closed`; the rest
/// belongs to the claim.
struct Entry {
  Entry(StoreCore& core, const std::string& id, const Repository& name, const UploadRecord& record)
      : session(core, id, record), status{id, name, record.offset} {}

  UploadSession session;
  UploadStatus status;  // As of the last acknowledgement: readable without a claim.
  bool claimed = false;
};

class SessionTable : public Uploads {
 public:
  explicit SessionTable(StoreCore& core) : core_(core) {}

  [[nodiscard]] Result<void> load();

  Result<UploadStatus> create(const Repository& repository, Algorithm algorithm) override;
  Result<UploadStatus> status(const Repository& repository, const std::string& id) override;
  Result<std::unique_ptr<Upload>> claim(const Repository& repository,
                                        const std::string& id) override;
  Result<void> cancel(const Repository& repository, const std::string& id) override;
  Result<BlobInfo> put(const Repository& repository, const Digest& expected,
                       std::string_view content) override;
  std::size_t expire_idle() override;

 private:
  class Claim;
  [[nodiscard]] Result<std::shared_ptr<Entry>> take(const Repository& repository,
                                                    const std::string& id);
  void give_back(Entry& entry, bool closed);

  StoreCore& core_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
};

class SessionTable::Claim : public Upload {
 public:
  Claim(SessionTable& table, std::shared_ptr<Entry> entry)
      : table_(table), entry_(std::move(entry)), status_(entry_->status) {}

  ~Claim() override {
    if (!closed_ && dirty_) std::ignore = pause();  // What came before the client left stays.
    table_.give_back(*entry_, closed_);
  }

  const UploadStatus& status() const override { return status_; }

  Result<void> append(std::string_view bytes) override {
    dirty_ = true;
    const auto appended = entry_->session.append(bytes);
    status_.offset = entry_->session.offset();
    return appended;
  }

  Result<UploadStatus> pause() override {
    const auto paused = entry_->session.pause();
    dirty_ = false;
    status_.offset = entry_->session.offset();
    if (!paused) return tl::unexpected(paused.error());
    return status_;
  }

  Result<BlobInfo> commit(const Digest& expected) override {
    const auto info = entry_->session.commit(entry_->status.repository, expected);
    closed_ = info || info.error().code == Errc::digest_invalid;
    return info;
  }

  Result<void> discard() {
    closed_ = true;
    return entry_->session.discard();
  }

 private:
  SessionTable& table_;
  std::shared_ptr<Entry> entry_;
  UploadStatus status_;
  bool dirty_ = false;
  bool closed_ = false;
};

Result<void> SessionTable::load() {
  const auto folder = journal_folder(core_.config);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::unordered_map<std::string, bool> journals;  // File name -> whether a session names it.
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    journals.emplace(file.path().filename().string(), false);
  }
  if (error) return fail(Errc::io, "reading " + folder.string() + ": " + error.message());

  Change lost;
  const auto scanned = core_.db->scan("u", "", [&](std::string_view id, std::string_view value) {
    const std::string name(id);
    const auto record = UploadRecord::decode(value);
    const auto repository =
        record ? Repository::parse(record->repository) : tl::unexpected(record.error());
    const std::string journal =
        record ? name + "-" + std::to_string(record->segments_end) : std::string();
    // Power loss can take the journal, which is not synced: then the session has nothing to offer.
    const bool whole = repository && (record->offset == record->segments_end ||
                                      std::filesystem::file_size(folder / journal, error) >=
                                          record->offset - record->segments_end);
    if (!whole || error) {
      error.clear();
      lost.erase(keys::upload(name));
      return true;
    }
    if (const auto found = journals.find(journal); found != journals.end()) found->second = true;
    core_.content->raise_ids(record->content_id + 1);
    entries_.emplace(name, std::make_shared<Entry>(core_, name, *repository, *record));
    // Segments that were ingested when the process was killed, and not recorded yet.
    std::ignore = core_.content->drop(record->content_id, record->chunks());
    return true;
  });
  if (!scanned) return scanned;
  for (const auto& [name, named] : journals) {
    if (!named) std::filesystem::remove(folder / name, error);
  }
  const auto applied = core_.db->apply(std::move(lost));
  if (!applied) return tl::unexpected(applied.error());
  return {};
}

Result<UploadStatus> SessionTable::create(const Repository& repository, Algorithm algorithm) {
  const auto room = check_room(core_, 0);
  if (!room) return tl::unexpected(room.error());
  UploadRecord record;
  record.repository = repository.text();
  record.algorithm = algorithm;
  record.content_id = core_.content->new_id();
  record.used = core_.clock.now();
  const std::string id = random_id();
  auto entry = std::make_shared<Entry>(core_, id, repository, record);
  {
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kSessionsMax) {
      return fail(Errc::too_many, "too many open upload sessions: finish or cancel some");
    }
    entries_.emplace(id, entry);
  }
  Change change;
  change.put(keys::upload(id), record.encode());
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) {
    const std::lock_guard lock(mutex_);
    entries_.erase(id);
    return tl::unexpected(applied.error());
  }
  return entry->status;
}

Result<UploadStatus> SessionTable::status(const Repository& repository, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second->status.repository != repository) return unknown(id);
  return found->second->status;
}

Result<std::shared_ptr<Entry>> SessionTable::take(const Repository& repository,
                                                  const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second->status.repository != repository) return unknown(id);
  if (found->second->claimed) {
    return fail(Errc::upload_busy,
                "another request is writing to upload session " + id + ": retry when it ended");
  }
  found->second->claimed = true;
  return found->second;
}

void SessionTable::give_back(Entry& entry, bool closed) {
  const std::lock_guard lock(mutex_);
  entry.claimed = false;
  entry.status.offset = entry.session.offset();
  if (closed) entries_.erase(std::string(entry.status.id));
}

Result<std::unique_ptr<Upload>> SessionTable::claim(const Repository& repository,
                                                    const std::string& id) {
  auto entry = take(repository, id);
  if (!entry) return tl::unexpected(entry.error());
  return std::make_unique<Claim>(*this, std::move(*entry));
}

Result<void> SessionTable::cancel(const Repository& repository, const std::string& id) {
  auto entry = take(repository, id);
  if (!entry) return tl::unexpected(entry.error());
  return Claim(*this, std::move(*entry)).discard();
}

Result<BlobInfo> SessionTable::put(const Repository& repository, const Digest& expected,
                                   std::string_view content) {
  if (content.size() > kInlineBytes) {  // Segments need a session's record to be found again.
    const auto session = create(repository, expected.algorithm());
    if (!session) return tl::unexpected(session.error());
    const auto upload = claim(repository, session->id);
    if (!upload) return tl::unexpected(upload.error());
    const auto appended = (*upload)->append(content);
    if (!appended) return tl::unexpected(appended.error());
    return (*upload)->commit(expected);
  }
  const Digest actual = Digest::of(content, expected.algorithm());
  if (actual != expected) {
    return fail(Errc::digest_invalid,
                "the content is " + actual.to_string() + ", not " + expected.to_string());
  }
  const auto room = check_room(core_, content.size());
  if (!room) return tl::unexpected(room.error());
  ContentRecord record;
  record.size = record.stored_bytes = content.size();
  record.created = core_.clock.now();
  record.inline_bytes = content;
  return publish_blob(core_, repository, expected, record, {});
}

std::size_t SessionTable::expire_idle() {
  std::vector<std::shared_ptr<Entry>> expired;
  {
    const std::lock_guard lock(mutex_);
    const UnixTime limit = core_.clock.now() - core_.config.upload_ttl;
    for (auto& [id, entry] : entries_) {
      if (entry->claimed || entry->session.used() > limit) continue;
      entry->claimed = true;
      expired.push_back(entry);
    }
  }
  for (auto& entry : expired) std::ignore = Claim(*this, entry).discard();
  return expired.size();
}

}  // namespace

Result<std::unique_ptr<Uploads>> open_uploads(StoreCore& core) {
  auto table = std::make_unique<SessionTable>(core);
  const auto loaded = table->load();
  if (!loaded) return tl::unexpected(loaded.error());
  return table;
}

}  // namespace shoal
