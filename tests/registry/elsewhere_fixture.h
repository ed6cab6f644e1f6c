#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "registry/fetched_manifest.h"
#include "storage/elsewhere.h"
#include "tests/registry/api_test.h"

namespace shoal {

/// The names that all nodes share, in memory.
class SharedNames {
 public:
  Result<Digest> resolve(const Repository& repository, const Tag& tag) const {
    const std::lock_guard lock(mutex_);
    const auto known = repositories_.find(repository.text());
    if (known == repositories_.end()) return fail(Errc::name_unknown, "no such repository");
    const auto found = known->second.find(tag.text());
    if (found == known->second.end()) return fail(Errc::manifest_unknown, "no such tag");
    return found->second;
  }

  void publish(const Repository& repository, const Digest& digest, const std::vector<Tag>& tags) {
    const std::lock_guard lock(mutex_);
    auto& names = repositories_[repository.text()];
    for (const auto& tag : tags) names.insert_or_assign(tag.text(), digest);
  }

  bool untag(const Repository& repository, const Tag& tag) {
    const std::lock_guard lock(mutex_);
    const auto known = repositories_.find(repository.text());
    return known != repositories_.end() && known->second.erase(tag.text()) > 0;
  }

  std::size_t untag_all(const Repository& repository, const Digest& digest) {
    const std::lock_guard lock(mutex_);
    const auto known = repositories_.find(repository.text());
    if (known == repositories_.end()) return 0;
    return std::erase_if(known->second, [&](const auto& entry) { return entry.second == digest; });
  }

  Result<Page<Manifests::TagEntry>> tags(const Repository& repository, const std::string& after,
                                         std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    const auto known = repositories_.find(repository.text());
    if (known == repositories_.end()) return fail(Errc::name_unknown, "no such repository");
    Page<Manifests::TagEntry> page;
    const auto& names = known->second;
    auto next = names.upper_bound(after);
    for (; next != names.end() && page.entries.size() < limit; ++next) {
      page.entries.push_back({next->first, next->second, UnixTime{}});
    }
    page.more = next != names.end();
    return page;
  }

  Page<std::string> repositories(const std::string& after, std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    Page<std::string> page;
    auto next = repositories_.upper_bound(after);
    for (; next != repositories_.end() && page.entries.size() < limit; ++next) {
      page.entries.push_back(next->first);
    }
    page.more = next != repositories_.end();
    return page;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, Digest>> repositories_;
};

/// What lies beyond one node of two: the shared names, and the other node's store, asked directly.
/// Each can be out of reach.
class OtherNode : public Elsewhere {
 public:
  OtherNode(SharedNames& names, Store& own, Store& other)
      : names_(names), own_(own), other_(other) {}

  std::atomic<bool> names_away{false};
  std::atomic<bool> holder_away{false};
  std::atomic<int> transfers{0};          // Blobs that were opened or fetched over there.
  std::function<void()> on_read = [] {};  // Called before each read from over there.
  std::function<void()> on_publish = [] {};

  Result<Digest> resolve(const Repository& repository, const Tag& tag) override {
    if (names_away) return away("the names are");
    return names_.resolve(repository, tag);
  }
  Result<Page<Manifests::TagEntry>> tags(const Repository& repository, const std::string& after,
                                         std::size_t limit) override {
    if (names_away) return away("the names are");
    return names_.tags(repository, after, limit);
  }
  Result<Page<std::string>> repositories(const std::string& after, std::size_t limit) override {
    if (names_away) return away("the names are");
    return names_.repositories(after, limit);
  }

  Result<void> fetch_manifest(const Repository& repository, const Digest& digest,
                              const std::vector<Tag>& tags) override {
    if (holder_away) return away("the holder is");
    const auto stored = other_.manifests().get(repository, digest, Wait::yes);
    if (!stored) return fail(Errc::manifest_unknown, stored.error().message);
    const auto copied = store_fetched_manifest(own_, repository, digest, stored->content.view(),
                                               stored->info.media_type, tags);
    if (!copied) return tl::unexpected(copied.error());
    return {};
  }

  Result<BlobInfo> stat(const Repository& repository, const Digest& digest) override {
    if (holder_away) return fail(Errc::timed_out, "the holder does not answer");
    return other_.blobs().stat(repository, digest, Wait::yes);
  }
  Result<std::shared_ptr<BlobReader>> open(const Repository& repository,
                                           const Digest& digest) override {
    if (holder_away) return fail(Errc::timed_out, "the holder does not answer");
    auto inner = other_.blobs().open(repository, digest, Wait::yes);
    if (!inner) return tl::unexpected(inner.error());
    ++transfers;
    return std::make_shared<Copying>(*this, repository, *std::move(inner));
  }
  Result<void> fetch(const Repository& repository, const Digest& digest) override {
    const auto reader = open(repository, digest);
    if (!reader) return tl::unexpected(reader.error());
    for (std::uint64_t at = 0; at < (*reader)->info().size;) {
      const auto bytes = (*reader)->read(at, SIZE_MAX, Wait::yes);
      if (!bytes) return tl::unexpected(bytes.error());
      at += bytes->view().size();
    }
    return {};
  }

  Result<void> publish(const Repository& repository, const ManifestInfo& manifest,
                       const std::vector<Tag>& tags) override {
    if (names_away) return away("the names are");
    names_.publish(repository, manifest.digest, tags);
    on_publish();
    return {};
  }
  Result<void> untag(const Repository& repository, const Tag& tag) override {
    if (names_away) return away("the names are");
    if (names_.untag(repository, tag)) return {};
    return fail(Errc::manifest_unknown, "no such tag");
  }
  Result<void> remove(const Repository& repository, const Digest& digest) override {
    if (names_away) return away("the names are");
    const auto untagged = names_.untag_all(repository, digest);
    const auto removed = other_.manifests().remove(repository, digest);
    if (untagged > 0 || removed) return {};
    return fail(Errc::manifest_unknown, "no such manifest");
  }
  Result<void> remove_blob(const Repository& repository, const Digest& digest) override {
    return other_.blobs().remove(repository, digest);
  }

 private:
  static tl::unexpected<Error> away(const std::string& who) {
    return fail(Errc::unavailable, who + " out of reach");
  }

  /// Reads over there; what was read from start to end is kept here.
  class Copying : public BlobReader {
   public:
    Copying(OtherNode& node, const Repository& repository, std::shared_ptr<BlobReader> inner)
        : node_(node), repository_(repository), inner_(std::move(inner)) {}

    const BlobInfo& info() const override { return inner_->info(); }

    Result<BlobBytes> read(std::uint64_t offset, std::size_t max, Wait wait) override {
      if (wait == Wait::no) return fail(Errc::would_block, "it is on the net");
      node_.on_read();
      if (node_.holder_away) return away("the holder is");
      auto bytes = inner_->read(offset, max, wait);
      if (!bytes || offset != content_.size()) return bytes;
      content_ += bytes->view();
      if (content_.size() < info().size) return bytes;
      const auto kept = node_.own_.uploads().put(repository_, info().digest, content_);
      if (!kept) return tl::unexpected(kept.error());
      return bytes;
    }

   private:
    OtherNode& node_;
    const Repository repository_;
    const std::shared_ptr<BlobReader> inner_;
    std::string content_;
  };

  SharedNames& names_;
  Store& own_;
  Store& other_;
};

/// Two nodes in one process, each with a store and an API of its own.
struct TwoNodes {
  TwoNodes() {
    a.elsewhere = &beyond_a;
    b.elsewhere = &beyond_b;
  }
  ~TwoNodes() {
    // What was read ahead for a client that left reads on.
    a.remote.join();
    b.remote.join();
  }

  void names_away(bool away) { beyond_a.names_away = beyond_b.names_away = away; }

  /// An image of a config and a layer; its manifest's text.
  static std::string push_image(ApiTest& node, const std::string& name, const std::string& tag,
                                const std::string& layer) {
    const auto text =
        image_of(node.push_blob(name, "{}"), {node.push_blob(name, layer)}).dump(1) + "\n";
    const auto pushed = push_manifest(node, name, tag, text);
    INFO(pushed.body);
    REQUIRE(pushed.status == 201);
    return text;
  }
  static Answer push_manifest(ApiTest& node, const std::string& name, const std::string& reference,
                              const std::string& text, const std::string& type = kManifestType) {
    return node.put("/v2/" + name + "/manifests/" + reference, text, {{"Content-Type", type}});
  }

  ApiTest a, b;
  SharedNames names;
  OtherNode beyond_a{names, *a.store, *b.store};
  OtherNode beyond_b{names, *b.store, *a.store};
};

inline bool is_stale(const Answer& answer) {
  const bool warned = answer.header("Warning") == "110 - \"Response is Stale\"";
  const bool marked = answer.header("Shoal-Stale") == "true";
  REQUIRE(warned == marked);
  return marked;
}

/// All that a client sees.
inline void check_equal(const Answer& one, const Answer& other) {
  CHECK(one.status == other.status);
  CHECK(one.body == other.body);
  CHECK(one.length == other.length);
  std::vector<std::pair<std::string, std::string>> fields[2];
  for (const auto& field : one.headers.fields()) fields[0].emplace_back(field.name, field.value);
  for (const auto& field : other.headers.fields()) fields[1].emplace_back(field.name, field.value);
  CHECK(fields[0] == fields[1]);
}

}  // namespace shoal
