// The lists of manifests.h and blobs.h: pages read from the database's own order.

#include <algorithm>

#include "storage/blobs.h"
#include "storage/core.h"
#include "storage/keys.h"
#include "storage/manifests.h"

namespace shoal {
namespace {

/// Reads one page: `decode` turns an entry into a T, skips it (nothing), or fails.
template <class T, class Decode>
Result<Page<T>> read_page(const Database& db, const std::string& prefix, const std::string& after,
                          std::size_t limit, const Decode& decode, Family family = Family::index) {
  Page<T> page;
  std::optional<Error> error;
  const auto read = [&](std::string_view rest, std::string_view value) {
    Result<std::optional<T>> entry = decode(rest, value);
    if (!entry) {
      error = entry.error();
      return false;
    }
    if (!*entry) return true;
    page.more = page.entries.size() == limit;
    if (!page.more) page.entries.push_back(std::move(**entry));
    return !page.more;
  };
  const auto scanned = db.scan(prefix, after, read, family);
  if (!scanned) return tl::unexpected(scanned.error());
  if (error) return tl::unexpected(*error);
  return page;
}

}  // namespace

Result<Page<Manifests::TagEntry>> Manifests::tags(const Repository& repository,
                                                  const std::string& after, std::size_t limit) {
  const auto known = core_.db->get(keys::catalog(repository.text()), Wait::yes);
  if (!known) return tl::unexpected(known.error());
  if (!*known) {
    return fail(Errc::name_unknown, "repository '" + repository.text() + "' is not known here");
  }
  return read_page<TagEntry>(
      *core_.db, keys::repository('t', repository.text()), after, limit,
      [](std::string_view tag, std::string_view value) -> Result<std::optional<TagEntry>> {
        const auto record = TagRecord::decode(value);
        if (!record) return tl::unexpected(record.error());
        return TagEntry{std::string(tag), record->digest, record->tagged};
      });
}

Result<Page<std::string>> Manifests::repositories(const std::string& after, std::size_t limit) {
  return read_page<std::string>(
      *core_.db, "c", after, limit,
      [](std::string_view name, std::string_view) -> Result<std::optional<std::string>> {
        return std::string(name);
      });
}

Result<Page<ManifestInfo>> Manifests::list(const Repository& repository,
                                           const std::optional<Digest>& after, std::size_t limit) {
  return read_page<ManifestInfo>(
      *core_.db, keys::repository('m', repository.text()), after ? after->key() : "", limit,
      [](std::string_view key, std::string_view value) -> Result<std::optional<ManifestInfo>> {
        const auto digest = Digest::from_key(key);
        if (!digest) return tl::unexpected(digest.error());
        const auto record = ManifestRecord::decode(value);
        if (!record) return tl::unexpected(record.error());
        return ManifestInfo{*digest, std::string(record->media_type), record->size, record->pushed};
      });
}

Result<Page<Referrer>> Manifests::referrers(const Repository& repository, const Digest& subject,
                                            const std::vector<std::string>& artifact_types,
                                            const std::optional<Digest>& after, std::size_t limit) {
  return read_page<Referrer>(
      *core_.db, keys::referrers(repository.text(), subject), after ? after->key() : "", limit,
      [&](std::string_view key, std::string_view value) -> Result<std::optional<Referrer>> {
        const auto digest = Digest::from_key(key);
        if (!digest) return tl::unexpected(digest.error());
        auto referrer = decode_referrer(*digest, value);
        if (!referrer) return tl::unexpected(referrer.error());
        const bool wanted =
            artifact_types.empty() || std::find(artifact_types.begin(), artifact_types.end(),
                                                referrer->artifact_type) != artifact_types.end();
        if (!wanted) return std::nullopt;
        return std::move(*referrer);
      });
}

Result<Page<Digest>> Blobs::list_all(const std::optional<Digest>& after, std::size_t limit) const {
  return read_page<Digest>(
      *core_.db, "", after ? after->key() : "", limit,
      [](std::string_view key, std::string_view) -> Result<std::optional<Digest>> {
        const auto digest = Digest::from_key(key);
        if (!digest) return tl::unexpected(digest.error());
        return *digest;
      },
      Family::content);
}

}  // namespace shoal
