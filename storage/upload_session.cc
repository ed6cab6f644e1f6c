#include "storage/upload_session.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "storage/keys.h"

namespace shoal {
namespace {

tl::unexpected<Error> system_error(const std::string& doing) {
  const int error = errno;
  return fail(error == ENOSPC || error == EDQUOT ? Errc::disk_full : Errc::io,
              doing + ": " + std::strerror(error));
}

struct File {
  int descriptor;
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

}  // namespace

std::filesystem::path journal_folder(const StoreConfig& config) {
  return config.directory / "uploads";
}

UploadSession::UploadSession(StoreCore& core, std::string id, const UploadRecord& record)
    : core_(core),
      id_(std::move(id)),
      record_(record),
      offset_(record.offset),
      loaded_(record.offset == record.segments_end),
      journalled_(record.offset - record.segments_end) {
  core_.uploads += 1;
  core_.upload_bytes += offset_;
  if (offset_ == 0) hasher_.emplace(record.algorithm);
}

UploadSession::~UploadSession() {
  core_.uploads -= 1;
  core_.upload_bytes -= offset_;
}

void UploadSession::account(std::uint64_t offset) {
  core_.upload_bytes += offset - offset_;
  offset_ = offset;
}

std::filesystem::path UploadSession::journal_file() const {
  return journal_folder(core_.config) / (id_ + "-" + std::to_string(record_.segments_end));
}

Result<void> UploadSession::append(std::string_view bytes) {
  if (record_.segments_end % kChunkBytes != 0 && !bytes.empty()) {
    return fail(Errc::range_invalid,
                "the upload was complete before the node was restarted: "
                "nothing can follow, send its digest");
  }
  const auto room = check_room(core_, bytes.size());
  if (!room) return room;
  const auto loaded = load_journal();
  if (!loaded) return loaded;
  if (!hasher_) {
    const auto so_far = digest(record_.algorithm);  // After a restart: read again, once.
    if (!so_far) return tl::unexpected(so_far.error());
  }
  hasher_->update(bytes);
  account(offset_ + bytes.size());
  const auto stored = store(bytes);
  if (stored) return {};
  rewind();
  return stored;
}

Result<void> UploadSession::store(std::string_view bytes) {
  while (!bytes.empty()) {
    const bool full_chunk = pending_.size() + bytes.size() >= kChunkBytes;
    if (!writer_ && streaming_ && full_chunk) {
      const std::uint64_t first = record_.segments_end / kChunkBytes;
      writer_ = core_.content->write(record_.content_id, first);
      const auto flushed = flush_pending(false);
      if (!flushed) return flushed;
    }
    if (!writer_) {
      pending_ += bytes;
      // A first segment shorter than the journal would put the offset back below what was
      // acknowledged.
      if (pending_.size() < std::min(kPendingBytes, core_.config.segment_bytes)) return {};
      streaming_ = true;
      bytes = {};
      writer_ = core_.content->write(record_.content_id, record_.segments_end / kChunkBytes);
      return flush_pending(false);
    }
    if (pending_.empty() && bytes.size() >= kChunkBytes) {  // The common case copies nothing.
      const auto written = write_chunk(bytes.substr(0, kChunkBytes));
      if (!written) return written;
      bytes.remove_prefix(kChunkBytes);
      continue;
    }
    const std::size_t take = std::min<std::size_t>(kChunkBytes - pending_.size(), bytes.size());
    pending_ += bytes.substr(0, take);
    bytes.remove_prefix(take);
    if (pending_.size() == kChunkBytes) {
      const auto flushed = flush_pending(false);
      if (!flushed) return flushed;
    }
  }
  return {};
}

/// Gives whole chunks of the pending bytes to the writer; with `last` also a shorter one at the
/// end.
Result<void> UploadSession::flush_pending(bool last) {
  std::string_view rest = pending_;
  while (rest.size() >= kChunkBytes || (last && !rest.empty())) {
    if (!writer_) {
      writer_ = core_.content->write(record_.content_id, record_.segments_end / kChunkBytes);
    }
    const std::string_view chunk = rest.substr(0, kChunkBytes);
    const auto written = write_chunk(chunk);
    if (!written) return written;
    rest.remove_prefix(chunk.size());
  }
  pending_.erase(0, pending_.size() - rest.size());
  return {};
}

Result<void> UploadSession::write_chunk(std::string_view chunk) {
  const auto added = writer_->add(chunk);
  if (!added) return added;
  if (writer_->size() < core_.config.segment_bytes) return {};
  return finish_segment();
}

/// The bytes of a finished segment need no journal and no acknowledgement to survive.
Result<void> UploadSession::finish_segment() {
  const auto stored = writer_->finish();
  if (!stored) return tl::unexpected(stored.error());
  const std::uint64_t size = writer_->size();
  writer_.reset();
  const auto journal = journal_file();
  record_.segments_end += size;
  record_.stored_bytes += *stored;
  record_.offset = record_.segments_end;
  const auto saved = save_record();
  if (!saved) return saved;
  if (journalled_ > 0) ::unlink(journal.c_str());
  journalled_ = 0;
  return {};
}

Result<void> UploadSession::save_record() {
  record_.used = core_.clock.now();
  Change change;
  change.put(keys::upload(id_), record_.encode());
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  return {};
}

Result<void> UploadSession::pause() {
  streaming_ = false;
  const auto paused = [&]() -> Result<void> {
    if (writer_ && writer_->size() > 0) {
      const auto finished = finish_segment();
      if (!finished) return finished;
    }
    writer_.reset();
    const auto journalled = write_journal();
    if (!journalled) return journalled;
    record_.offset = offset_;
    return save_record();
  }();
  if (!paused) {
    rewind();
    return paused;
  }
  pending_ = std::string();  // An idle session costs no memory; the journal has it.
  loaded_ = record_.offset == record_.segments_end;
  return {};
}

Result<void> UploadSession::write_journal() {
  const std::string_view fresh =
      loaded_ ? std::string_view(pending_).substr(std::min(journalled_, pending_.size())) : "";
  if (fresh.empty()) return {};
  const auto path = journal_file();
  const File file{::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
  if (file.descriptor < 0) return system_error("creating " + path.string());
  for (std::size_t done = 0; done < fresh.size();) {
    const auto n = ::pwrite(file.descriptor, fresh.data() + done, fresh.size() - done,
                            static_cast<off_t>(journalled_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("writing " + path.string());
    done += static_cast<std::size_t>(n);
  }
  journalled_ += fresh.size();
  return {};
}

Result<void> UploadSession::load_journal() {
  if (loaded_) return {};
  const auto path = journal_file();
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) return system_error("opening " + path.string());
  pending_.resize(journalled_);
  for (std::size_t done = 0; done < pending_.size();) {
    const auto n = ::pread(file.descriptor, pending_.data() + done, pending_.size() - done,
                           static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("reading " + path.string());
    if (n == 0) return fail(Errc::corrupt, path.string() + " is shorter than was acknowledged");
    done += static_cast<std::size_t>(n);
  }
  loaded_ = true;
  return {};
}

/// Back to what the record says, after a failure in the middle.
void UploadSession::rewind() {
  writer_.reset();
  hasher_.reset();
  streaming_ = false;
  pending_ = std::string();
  journalled_ = record_.offset - record_.segments_end;
  loaded_ = journalled_ == 0;
  account(record_.offset);
  if (offset_ == 0) hasher_.emplace(record_.algorithm);
}

/// The digest of all bytes. They are read again when the running hash is of another algorithm or
/// was lost in a restart; the journal must be loaded.
Result<Digest> UploadSession::digest(Algorithm algorithm) {
  if (hasher_ && hasher_->algorithm() == algorithm) return hasher_->digest();
  if (writer_ && writer_->size() > 0) {  // Readable only once it is finished.
    const auto flushed = finish_segment();
    if (!flushed) return tl::unexpected(flushed.error());
  }
  Hasher hasher(algorithm);
  for (std::uint64_t chunk = 0; chunk < record_.chunks(); ++chunk) {
    const auto bytes = core_.content->read(record_.content_id, chunk);
    if (!bytes) return tl::unexpected(bytes.error());
    hasher.update(bytes->view());
  }
  hasher.update(pending_);
  const Digest result = hasher.digest();
  if (algorithm == record_.algorithm) hasher_ = std::move(hasher);
  return result;
}

Result<BlobInfo> UploadSession::commit(const Repository& repository, const Digest& expected) {
  const auto loaded = load_journal();
  if (!loaded) return tl::unexpected(loaded.error());
  const auto actual = digest(expected.algorithm());
  if (!actual) return tl::unexpected(actual.error());
  if (*actual != expected) {
    const auto discarded = discard();
    if (!discarded) return tl::unexpected(discarded.error());
    return fail(Errc::digest_invalid, "the content is " + actual->to_string() + ", not " +
                                          expected.to_string() + ": upload it again");
  }
  ContentRecord content;
  content.size = offset_;
  content.created = core_.clock.now();
  const bool in_record = record_.segments_end == 0 && !writer_ && offset_ <= kInlineBytes;
  content.inline_bytes = in_record ? std::string_view(pending_) : std::string_view();
  content.content_id = in_record ? 0 : record_.content_id;
  content.stored_bytes = in_record ? offset_ : record_.stored_bytes;
  Publication publication;
  publication.written = in_record;
  publication.source = keys::upload(id_);
  auto published = publish_blob(core_, repository, expected, content, publication);
  const bool wanted = !published && published.error().code == Errc::blob_unknown;
  if (wanted) {  // It is not here already.
    const auto stored = [&]() -> Result<void> {
      const auto flushed = flush_pending(true);
      if (!flushed || !writer_ || writer_->size() == 0) return flushed;
      return finish_segment();
    }();
    if (!stored) {
      rewind();
      return tl::unexpected(stored.error());
    }
    content.stored_bytes = record_.stored_bytes;
    publication.written = true;
    published = publish_blob(core_, repository, expected, content, publication);
  }
  if (published && journalled_ > 0) ::unlink(journal_file().c_str());
  return published;
}

Result<void> UploadSession::discard() {
  writer_.reset();
  ::unlink(journal_file().c_str());
  Change change;
  change.erase(keys::upload(id_));
  const auto applied = core_.db->apply(std::move(change));
  if (!applied) return tl::unexpected(applied.error());
  return free_content(core_, {record_.segments_end == 0 ? 0 : record_.content_id});
}

}  // namespace shoal
