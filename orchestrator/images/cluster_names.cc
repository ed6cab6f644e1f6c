#include "orchestrator/images/cluster_names.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/keys.h"

namespace shoal {
namespace {

constexpr int kAttempts = 64;       // Of a change that others overtake again and again.
constexpr std::size_t kPage = 500;  // Tags read at once.
constexpr std::size_t kBatch = 50;  // Tags changed at once.

/// Whatever keeps the state from answering is one thing to those who ask for names.
Error away(const Error& error) {
  return {Errc::unavailable, "the cluster's state does not answer: " + error.message};
}

bool overtaken(const Error& error) {
  return error.code == Errc::conflict || error.code == Errc::outcome_unknown;
}

Error too_busy(const Repository& repository) {
  return {Errc::unavailable,
          fmt::format("the tags of '{}' change all the time; try again", repository.text())};
}

}  // namespace

ClusterNames::ClusterNames(State& state, std::string self, const Clock& clock)
    : state_(state), self_(std::move(self)), clock_(clock) {}

Error ClusterNames::not_found(const Repository& repository, const Tag& tag) {
  const auto known = state_.get(state_keys::repository(repository));
  if (!known) return away(known.error());
  if (!*known) {
    return {Errc::name_unknown,
            fmt::format("repository '{}' is not known in this cluster", repository.text())};
  }
  return {Errc::manifest_unknown,
          fmt::format("repository '{}' has no tag '{}'", repository.text(), tag.text())};
}

Result<ClusterTag> ClusterNames::resolve(const Repository& repository, const Tag& tag) {
  const auto key = state_keys::tag(repository, tag.text());
  const auto entry = state_.get(key);
  if (!entry) return tl::unexpected(away(entry.error()));
  if (!*entry) return tl::unexpected(not_found(repository, tag));
  return decode_cluster_tag(key, (*entry)->value);
}

Result<Page<Manifests::TagEntry>> ClusterNames::tags(const Repository& repository,
                                                     const std::string& after, std::size_t limit) {
  const auto prefix = state_keys::tags(repository);
  const auto list = state_.list(prefix, after.empty() ? "" : prefix + after, limit);
  if (!list) return tl::unexpected(away(list.error()));
  Page<Manifests::TagEntry> page;
  page.more = list->more;
  for (const auto& entry : list->entries) {
    auto tag = decode_cluster_tag(entry.key, entry.value);
    if (!tag) return tl::unexpected(tag.error());
    page.entries.push_back({entry.key.substr(prefix.size()), tag->digest, tag->pushed});
  }
  if (!page.entries.empty()) return page;
  const auto known = state_.get(state_keys::repository(repository));
  if (!known) return tl::unexpected(away(known.error()));
  if (*known) return page;
  return fail(Errc::name_unknown,
              fmt::format("repository '{}' is not known in this cluster", repository.text()));
}

Result<Page<std::string>> ClusterNames::repositories(const std::string& after, std::size_t limit) {
  const std::string prefix = state_keys::kRepositories;
  const auto list = state_.list(prefix, after.empty() ? "" : prefix + after, limit);
  if (!list) return tl::unexpected(away(list.error()));
  Page<std::string> page;
  page.more = list->more;
  for (const auto& entry : list->entries) page.entries.push_back(entry.key.substr(prefix.size()));
  return page;
}

Result<bool> ClusterNames::try_publish(const Repository& repository, const ManifestInfo& manifest,
                                       const std::vector<Tag>& tags, bool replace,
                                       std::size_t& written) {
  written = 0;
  Transaction transaction;
  const auto name = state_keys::repository(repository);
  const auto known = state_.get(name);
  if (!known) return tl::unexpected(away(known.error()));
  const UnixTime now = clock_.now();
  if (!*known) {
    transaction.conditions.push_back(Condition::absent(name));
    transaction.writes.push_back({name, std::to_string(now.time_since_epoch().count()), 0});
  }
  const ClusterTag record{manifest.digest, manifest.media_type, manifest.size, self_, now};
  for (const auto& tag : tags) {
    const auto key = state_keys::tag(repository, tag.text());
    const auto entry = state_.get(key);
    if (!entry) return tl::unexpected(away(entry.error()));
    if (*entry && !replace) continue;
    transaction.conditions.push_back(*entry ? Condition::unchanged(**entry)
                                            : Condition::absent(key));
    transaction.writes.push_back({key, encode(record), 0});
    ++written;
  }
  if (transaction.writes.empty()) return true;
  const auto committed = state_.commit(transaction);
  if (committed) return true;
  if (overtaken(committed.error())) return false;
  return tl::unexpected(away(committed.error()));
}

Result<void> ClusterNames::publish(const Repository& repository, const ManifestInfo& manifest,
                                   const std::vector<Tag>& tags) {
  std::vector<Tag> distinct = tags;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::size_t written = 0;
    const auto done = try_publish(repository, manifest, distinct, true, written);
    if (!done) return tl::unexpected(done.error());
    if (*done) return {};
  }
  return tl::unexpected(too_busy(repository));
}

Result<std::size_t> ClusterNames::import(const Repository& repository, const ManifestInfo& manifest,
                                         const std::vector<Tag>& tags) {
  std::size_t imported = 0;
  for (std::size_t first = 0; first < tags.size() || first == 0; first += kBatch) {
    const auto last = std::min(first + kBatch, tags.size());
    const std::vector<Tag> batch(tags.begin() + static_cast<std::ptrdiff_t>(first),
                                 tags.begin() + static_cast<std::ptrdiff_t>(last));
    bool done = false;
    for (int attempt = 0; attempt < kAttempts && !done; ++attempt) {
      std::size_t written = 0;
      const auto tried = try_publish(repository, manifest, batch, false, written);
      if (!tried) return tl::unexpected(tried.error());
      done = *tried;
      if (done) imported += written;
    }
    if (!done) return tl::unexpected(too_busy(repository));
  }
  return imported;
}

Result<void> ClusterNames::untag(const Repository& repository, const Tag& tag) {
  const auto key = state_keys::tag(repository, tag.text());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto entry = state_.get(key);
    if (!entry) return tl::unexpected(away(entry.error()));
    // Gone after an attempt whose outcome nobody knew: it was ours, or as good as ours.
    if (!*entry && attempt > 0) return {};
    if (!*entry) return tl::unexpected(not_found(repository, tag));
    const auto committed =
        state_.commit({{Condition::unchanged(**entry)}, {{key, std::nullopt, 0}}});
    if (committed) return {};
    if (!overtaken(committed.error())) return tl::unexpected(away(committed.error()));
  }
  return tl::unexpected(too_busy(repository));
}

Result<std::size_t> ClusterNames::untag_all(const Repository& repository, const Digest& digest) {
  const auto prefix = state_keys::tags(repository);
  std::size_t erased = 0;
  std::string after;
  for (int attempt = 0; attempt < kAttempts;) {
    const auto list = state_.list(prefix, after, kPage);
    if (!list) return tl::unexpected(away(list.error()));
    Transaction transaction;
    bool rest = false;  // More of this page than one transaction takes.
    for (const auto& entry : list->entries) {
      const auto tag = decode_cluster_tag(entry.key, entry.value);
      if (!tag || tag->digest != digest) continue;
      rest = transaction.writes.size() == kBatch;
      if (rest) break;
      transaction.conditions.push_back(Condition::unchanged(entry));
      transaction.writes.push_back({entry.key, std::nullopt, 0});
    }
    if (!transaction.writes.empty()) {
      const auto committed = state_.commit(transaction);
      if (!committed && !overtaken(committed.error())) {
        return tl::unexpected(away(committed.error()));
      }
      if (!committed) ++attempt;
      if (committed) erased += transaction.writes.size();
      if (!committed || rest) continue;  // The same page again.
    }
    if (!list->more) return erased;
    after = list->entries.back().key;
  }
  return tl::unexpected(too_busy(repository));
}

}  // namespace shoal
