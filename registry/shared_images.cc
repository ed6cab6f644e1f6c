#include "registry/shared_images.h"

#include <algorithm>
#include <chrono>

#include <spdlog/spdlog.h>

#include "registry/manifest.h"

namespace shoal {
namespace {

constexpr std::size_t kChildrenMax = 100;  // Of a pushed index; more come when they are asked for.
constexpr int kFollowTries = 3;
constexpr std::size_t kTagsAtOnce = 1000;
constexpr std::chrono::seconds kLineEvery{10};

bool is_unknown(const Error& error) {
  return error.code == Errc::manifest_unknown || error.code == Errc::name_unknown ||
         error.code == Errc::blob_unknown;
}

/// An error of other nodes, as the client of this one should see it.
tl::unexpected<Error> of_others(const Error& error) {
  return fail(error.code == Errc::timed_out ? Errc::unavailable : error.code, error.message);
}

}  // namespace

SharedImages::SharedImages(Store& store, Elsewhere& elsewhere)
    : store_(store), elsewhere_(elsewhere) {}

Result<std::optional<Digest>> SharedImages::own_tag(const Repository& repository, const Tag& tag) {
  const auto info = store_.manifests().stat(repository, tag, Wait::yes);
  if (info) return info->digest;
  if (is_unknown(info.error())) return std::nullopt;
  return tl::unexpected(info.error());
}

/// Makes `digest` the last known name. When the own tag is no longer what it was before the shared
/// names were asked, another request was faster, and only they know whose answer is the newer one.
/// A failure is no matter: only an answer without them could be older than it had to be.
void SharedImages::follow(const Repository& repository, const Tag& tag,
                          std::optional<Digest> former, Digest digest) {
  for (int i = 0; i < kFollowTries; ++i) {
    const auto moved = store_.manifests().move_tag(repository, tag, former, digest);
    if (!moved || *moved) return;
    const auto own = own_tag(repository, tag);
    const auto named = elsewhere_.resolve(repository, tag);
    if (!own || !named) return;
    former = *own;
    digest = *named;
  }
}

Result<SharedImages::Named> SharedImages::resolve(const Repository& repository, const Tag& tag) {
  const auto former = own_tag(repository, tag);
  if (!former) return tl::unexpected(former.error());
  const auto named = elsewhere_.resolve(repository, tag);
  if (named) {
    const auto here = store_.manifests().stat(repository, *named, Wait::yes);
    if (!here) {
      const auto brought = bring_manifest(repository, *named);
      if (!brought) return tl::unexpected(brought.error());
    }
    if (*former != *named) follow(repository, tag, *former, *named);
    return Named{*named};
  }
  if (is_unknown(named.error())) {
    if (*former) {
      const auto dropped = store_.manifests().move_tag(repository, tag, *former, std::nullopt);
      if (!dropped) return tl::unexpected(dropped.error());
    }
    return of_others(named.error());
  }
  if (!*former) return fail(Errc::unavailable, named.error().message);
  say_stale(named.error());
  return Named{**former, true};
}

Result<void> SharedImages::bring_manifest(const Repository& repository, const Digest& digest) {
  const auto brought = elsewhere_.fetch_manifest(repository, digest, {});
  if (!brought) return of_others(brought.error());
  return {};
}

/// Nothing: the content is not here.
Result<std::optional<BlobInfo>> SharedImages::link_held(const Repository& repository,
                                                        const Digest& digest) {
  const auto held = store_.blobs().stat_any(digest, Wait::yes);
  if (!held && is_unknown(held.error())) return std::nullopt;
  if (!held) return tl::unexpected(held.error());
  const auto named = store_.manifests().names(repository, digest);
  if (!named) return tl::unexpected(named.error());
  if (!*named) {
    const auto known = elsewhere_.stat(repository, digest);
    if (!known) return of_others(known.error());
  }
  const auto linked = store_.blobs().mount(repository, digest, std::nullopt);
  if (!linked && is_unknown(linked.error())) return std::nullopt;  // Collected meanwhile.
  if (!linked) return tl::unexpected(linked.error());
  return *linked;
}

Result<BlobInfo> SharedImages::stat(const Repository& repository, const Digest& digest) {
  const auto linked = link_held(repository, digest);
  if (!linked) return tl::unexpected(linked.error());
  if (*linked) return **linked;
  const auto known = elsewhere_.stat(repository, digest);
  if (!known) return of_others(known.error());
  return *known;
}

Result<SharedImages::Opened> SharedImages::open(const Repository& repository,
                                                const Digest& digest) {
  const auto linked = link_held(repository, digest);
  if (!linked) return tl::unexpected(linked.error());
  if (*linked) {
    auto own = store_.blobs().open(repository, digest, Wait::yes);
    if (own) return Opened{*std::move(own), false};
    if (!is_unknown(own.error())) return tl::unexpected(own.error());
  }
  auto reader = elsewhere_.open(repository, digest);
  if (!reader) return of_others(reader.error());
  return Opened{*std::move(reader), true};
}

Result<void> SharedImages::bring(const Repository& repository, const Digest& digest) {
  const auto own = store_.blobs().stat(repository, digest, Wait::yes);
  if (own) return {};
  if (!is_unknown(own.error())) return tl::unexpected(own.error());
  const auto linked = link_held(repository, digest);
  if (!linked) return tl::unexpected(linked.error());
  if (*linked) return {};
  const auto fetched = elsewhere_.fetch(repository, digest);
  if (!fetched) return of_others(fetched.error());
  return {};
}

Result<void> SharedImages::mount(const Repository& repository, const Digest& digest,
                                 const std::optional<Repository>& from) {
  const Repository& source = from ? *from : repository;
  const auto known = stat(source, digest);
  if (!known) return tl::unexpected(known.error());
  auto brought = bring(source, digest);
  if (!brought || !from) return brought;
  const auto linked = store_.blobs().mount(repository, digest, from);
  if (!linked) return tl::unexpected(linked.error());
  return {};
}

/// What nobody has stays missing: put() names all of it.
Result<void> SharedImages::bring_references(const Repository& repository,
                                            const ManifestFacts& facts) {
  for (const auto& wanted : facts.references) {
    if (!wanted.required) continue;
    if (store_.manifests().stat(repository, wanted.digest, Wait::yes)) continue;
    auto brought = bring(repository, wanted.digest);
    if (!brought && !is_unknown(brought.error())) return brought;
  }
  return {};
}

/// The children of an index may come later, and so this is done as far as it goes.
void SharedImages::bring_children(const Repository& repository, const ManifestFacts& facts) {
  if (facts.media_type != kOciIndex && facts.media_type != kDockerList) return;
  const auto count = std::min(facts.references.size(), kChildrenMax);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& digest = facts.references[i].digest;
    const bool here = store_.manifests().stat(repository, digest, Wait::yes) ||
                      store_.blobs().stat(repository, digest, Wait::yes);
    if (here) continue;
    const auto brought = bring_manifest(repository, digest);
    if (!brought && !is_unknown(brought.error())) return;
  }
}

Result<ManifestInfo> SharedImages::push(const Repository& repository, const Digest& digest,
                                        std::string_view content, const ManifestFacts& facts,
                                        const std::vector<Tag>& tags) {
  auto& manifests = store_.manifests();
  auto stored = manifests.put(repository, digest, content, facts, {});
  if (!stored && stored.error().code == Errc::manifest_blob_unknown) {
    const auto brought = bring_references(repository, facts);
    if (!brought) return tl::unexpected(brought.error());
    stored = manifests.put(repository, digest, content, facts, {});
  }
  if (!stored) return stored;
  bring_children(repository, facts);

  std::vector<std::optional<Digest>> formers;
  formers.reserve(tags.size());
  for (const auto& tag : tags) {
    auto former = own_tag(repository, tag);
    if (!former) return tl::unexpected(former.error());
    formers.push_back(*std::move(former));
  }
  const auto published = elsewhere_.publish(repository, *stored, tags);
  if (!published) return of_others(published.error());
  for (std::size_t i = 0; i < tags.size(); ++i) follow(repository, tags[i], formers[i], digest);
  return stored;
}

Result<Digest> SharedImages::named(const Repository& repository, const Tag& tag) {
  const auto named = elsewhere_.resolve(repository, tag);
  if (!named) return of_others(named.error());
  return *named;
}

Result<void> SharedImages::untag(const Repository& repository, const Tag& tag) {
  const auto untagged = elsewhere_.untag(repository, tag);
  if (!untagged && !is_unknown(untagged.error())) return of_others(untagged.error());
  auto own = store_.manifests().untag(repository, tag);
  if (!own && !is_unknown(own.error())) return own;
  if (!untagged) return of_others(untagged.error());
  return {};
}

Result<void> SharedImages::remove(const Repository& repository, const Digest& digest) {
  const auto removed = elsewhere_.remove(repository, digest);
  if (!removed && !is_unknown(removed.error())) return of_others(removed.error());
  auto own = store_.manifests().remove(repository, digest);
  // Nobody else need know a manifest that was pushed by its digest alone.
  if (own || !is_unknown(own.error()) || !removed) return own;
  return {};
}

Result<void> SharedImages::remove_blob(const Repository& repository, const Digest& digest) {
  const auto removed = elsewhere_.remove_blob(repository, digest);
  if (!removed && !is_unknown(removed.error())) return of_others(removed.error());
  auto own = store_.blobs().remove(repository, digest);
  if (own || !is_unknown(own.error()) || !removed) return own;
  return {};
}

Result<bool> SharedImages::remove_unused(const Repository& repository, const Digest& digest) {
  std::string after;
  for (bool more = true; more;) {
    const auto page = elsewhere_.tags(repository, after, kTagsAtOnce);
    if (!page && is_unknown(page.error())) break;
    if (!page) return of_others(page.error());
    for (const auto& entry : page->entries) {
      if (entry.digest == digest) return false;
    }
    more = page->more && !page->entries.empty();
    if (more) after = page->entries.back().tag;
  }
  return store_.manifests().remove_unused(repository, digest);
}

Result<SharedImages::Listed<Manifests::TagEntry>> SharedImages::tags(const Repository& repository,
                                                                     const std::string& after,
                                                                     std::size_t limit) {
  auto shared = elsewhere_.tags(repository, after, limit);
  if (shared) return Listed<Manifests::TagEntry>{*std::move(shared)};
  auto own = store_.manifests().tags(repository, after, limit);
  if (is_unknown(shared.error())) {
    // A repository may have manifests here, and no tag anywhere.
    if (!own) return tl::unexpected(own.error());
    return Listed<Manifests::TagEntry>{};
  }
  if (!own && is_unknown(own.error())) return fail(Errc::unavailable, shared.error().message);
  if (!own) return tl::unexpected(own.error());
  say_stale(shared.error());
  return Listed<Manifests::TagEntry>{*std::move(own), true};
}

Result<SharedImages::Listed<std::string>> SharedImages::repositories(const std::string& after,
                                                                     std::size_t limit) {
  auto shared = elsewhere_.repositories(after, limit);
  if (shared) return Listed<std::string>{*std::move(shared)};
  auto own = store_.manifests().repositories(after, limit);
  if (!own) return tl::unexpected(own.error());
  say_stale(shared.error());
  return Listed<std::string>{*std::move(own), true};
}

void SharedImages::say_stale(const Error& error) {
  ++stale_answers_;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  auto due = next_line_.load();
  const auto next = std::chrono::duration_cast<std::chrono::steady_clock::duration>(kLineEvery);
  if (now.count() < due) return;
  if (!next_line_.compare_exchange_strong(due, (now + next).count())) return;
  spdlog::warn("stale answers: the cluster's names cannot be reached answers={} error=\"{}\"",
               stale_answers_.exchange(0), error.message);
}

}  // namespace shoal
