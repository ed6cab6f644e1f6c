#include "storage/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "storage/background.h"
#include "storage/core.h"
#include "storage/disk_space.h"
#include "storage/keys.h"

namespace shoal {
namespace {

/// The folder's lock file, held while the process lives; it names its holder.
class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  Result<void> take(const std::filesystem::path& folder) {
    const auto path = folder / "LOCK";
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) {
      return fail(Errc::io, "opening " + path.string() + ": " + std::strerror(errno));
    }
    char holder[32] = {};
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      std::ignore = ::pread(descriptor_, holder, sizeof(holder) - 1, 0);
      return fail(Errc::unavailable, "the data folder " + folder.string() +
                                         " is in use by another node (process " + holder +
                                         "): stop it, or choose another folder with --data");
    }
    const std::string self = std::to_string(::getpid());
    const bool written =
        ::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, self.data(), self.size(), 0) > 0;
    if (!written) return fail(Errc::io, "writing " + path.string() + ": " + std::strerror(errno));
    return {};
  }

 private:
  int descriptor_ = -1;
};

/// Frees segments that no record, upload session or arrival names: a process was interrupted
/// between writing and recording, or between erasing and freeing.
Result<void> free_orphans(StoreCore& core) {
  std::set<std::uint64_t> coming;
  auto scanned = core.db->scan("u", "", [&](std::string_view, std::string_view value) {
    const auto record = UploadRecord::decode(value);
    if (record) coming.insert(record->content_id);
    return true;
  });
  if (!scanned) return scanned;
  scanned = core.db->scan("v", "", [&](std::string_view, std::string_view value) {
    const auto record = ArrivalRecord::decode(value);
    if (record) coming.insert(record->content_id);
    return true;
  });
  if (!scanned) return scanned;
  for (const std::uint64_t id : core.content->ids()) {
    const auto named = core.db->get(keys::numbered('i', id), Wait::yes);
    if (!named) return tl::unexpected(named.error());
    if (*named || coming.contains(id)) continue;
    const auto freed = free_content(core, {id});
    if (!freed) return freed;
  }
  return {};
}

}  // namespace

struct Store::Parts {
  Parts(const StoreConfig& config, const Clock& clock)
      : core(config, clock),
        blobs(core),
        manifests(core),
        events(core),
        collector(core),
        scrubber(core) {}

  FolderLock lock;
  StoreCore core;
  Blobs blobs;
  Manifests manifests;
  Events events;
  Collector collector;
  Scrubber scrubber;
  std::unique_ptr<Uploads> uploads;
  std::unique_ptr<Arrivals> arrivals;
  std::unique_ptr<Background> background;
};

Store::Store() = default;

Store::~Store() {
  if (parts_) parts_->background.reset();
}

Result<std::unique_ptr<Store>> Store::open(const StoreConfig& config, const Clock& clock) {
  std::error_code error;
  std::filesystem::create_directories(config.directory, error);
  if (error) {
    return fail(Errc::io,
                "creating the data folder " + config.directory.string() + ": " + error.message());
  }
  std::unique_ptr<Store> store(new Store);
  store->parts_ = std::make_unique<Parts>(config, clock);
  Parts& parts = *store->parts_;
  const auto locked = parts.lock.take(config.directory);
  if (!locked) return tl::unexpected(locked.error());

  auto database = Database::open(config.directory / "meta", config.cache_bytes, config.events_kept);
  if (!database) return tl::unexpected(database.error());
  parts.core.db = std::move(*database);
  auto content = Content::open(config.directory / "content", config.directory / "staging");
  if (!content) return tl::unexpected(content.error());
  parts.core.content = std::move(*content);

  auto uploads = open_uploads(parts.core);
  if (!uploads) return tl::unexpected(uploads.error());
  parts.uploads = std::move(*uploads);
  auto arrivals = open_arrivals(parts.core);
  if (!arrivals) return tl::unexpected(arrivals.error());
  parts.arrivals = std::move(*arrivals);
  const auto freed = free_orphans(parts.core);
  if (!freed) return tl::unexpected(freed.error());
  parts.background = std::make_unique<Background>(parts.core, *parts.uploads, *parts.arrivals);
  parts.core.poke = [background = parts.background.get()] { background->poke(); };
  return store;
}

Blobs& Store::blobs() { return parts_->blobs; }
Uploads& Store::uploads() { return *parts_->uploads; }
Arrivals& Store::arrivals() { return *parts_->arrivals; }
Manifests& Store::manifests() { return parts_->manifests; }
Events& Store::events() { return parts_->events; }
Collector& Store::collector() { return parts_->collector; }
Scrubber& Store::scrubber() { return parts_->scrubber; }

Usage Store::usage() const {
  const StoreCore& core = parts_->core;
  const Counters counters = core.db->counters();
  return {counters.blobs,          counters.content_bytes,
          counters.stored_bytes,   core.uploads,
          core.upload_bytes,       core.arrivals,
          core.arrival_bytes,      counters.quarantined,
          core.config.quota_bytes, free_bytes(core.config.directory)};
}

}  // namespace shoal
