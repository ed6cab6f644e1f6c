#include "orchestrator/images/replicas.h"

#include <algorithm>
#include <optional>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "orchestrator/images/own_images.h"
#include "p2p/rendezvous.h"
#include "registry/error_response.h"
#include "storage/run_on.h"

namespace shoal {
namespace {

using Json = nlohmann::ordered_json;
using Steady = std::chrono::steady_clock;

constexpr unsigned kCopiesAtOnce = 4;
constexpr std::chrono::milliseconds kPatience{2000};  // Of one request about a copy.
// Until the next pass after one that left something undone; doubles each time.
constexpr std::chrono::seconds kAgainFirst{5};

Error copy_error(const std::string& peer, const HttpAnswer& answer) {
  std::string reason = fmt::format("it answered {}", answer.status);
  const Json document = Json::parse(answer.body, nullptr, false);
  if (document.is_object() && document.contains("errors") && document["errors"].is_array() &&
      !document["errors"].empty()) {
    reason = document["errors"][0].value("message", reason);
  }
  const bool full = answer.status == 507;
  return {full ? Errc::disk_full : Errc::unavailable, fmt::format("node {}: {}", peer, reason)};
}

}  // namespace

Replicas::Replicas(ReplicasConfig config, ReplicasParts parts)
    : config_(std::move(config)), parts_(parts), jobs_(kCopiesAtOnce) {
  status_.wanted = config_.policy.replicas;
  subscription_ = parts_.peers.subscribe([this] {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    status_.checked = false;
    wake_.notify_all();
  });
  repair_ = std::thread([this] { repair(); });
}

Replicas::~Replicas() { stop(); }

void Replicas::stop() {
  subscription_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  jobs_.stop();
  if (repair_.joinable()) repair_.join();
}

Replicas::Status Replicas::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

bool Replicas::expendable(const Digest& digest) {
  const auto found = parts_.directory.lookup(digest);
  const auto set = parts_.peers.now();
  return is_expendable(ranked(digest, set->peers), {found.holders.begin(), found.holders.end()},
                       set->self, config_.policy.replicas_max());
}

/// Whether the own store has all of the image.
bool Replicas::holds(const Image& image, const ImageParts& parts) {
  if (!parts.absent_manifests.empty()) return false;
  return std::all_of(parts.blobs.begin(), parts.blobs.end(), [&](const Digest& blob) {
    return parts_.store.blobs().stat(image.repository, blob, Wait::yes).has_value();
  });
}

Result<std::size_t> Replicas::replicate(const Repository& repository, const Digest& manifest,
                                        const std::vector<Tag>& tags) {
  const Image image{repository, manifest, tags};
  return spread(image, {parts_.peers.now()->self});
}

void Replicas::replicate_later(const Repository& repository, const Digest& manifest,
                               const std::vector<Tag>& tags) {
  const Image image{repository, manifest, tags};
  const auto name = fmt::format("spread {}@{}", repository.text(), manifest.to_string());
  jobs_.start(name, [this, image](auto&, const auto&) -> Result<void> {
    const auto done = replicate(image.repository, image.manifest, image.tags);
    if (done) return {};
    spdlog::warn("image not copied repository={} digest={} reason=\"{}\"", image.repository.text(),
                 image.manifest.to_string(), done.error().message);
    return tl::unexpected(done.error());
  });
}

/// Who should get one, of those that have not refused to.
std::vector<Peer> Replicas::missing_copies(const Image& image, const std::set<std::string>& holders,
                                           const std::set<std::string>& refused) const {
  auto candidates = parts_.peers.now()->peers;
  std::erase_if(candidates, [&](const Peer& peer) { return refused.contains(peer.id); });
  return replica_targets(ranked(image.manifest, std::move(candidates)), holders,
                         config_.policy.replicas_of(image.repository), config_.policy.spread);
}

/// `holders` have all of it. Targets that refuse are passed over for the next.
Result<std::size_t> Replicas::spread(const Image& image, std::set<std::string> holders) {
  std::set<std::string> refused;
  std::string reasons;
  const unsigned wanted = config_.policy.replicas_of(image.repository);
  for (;;) {
    const auto targets = missing_copies(image, holders, refused);
    if (targets.empty()) break;
    const std::string& target = targets.front().id;
    const auto copied = copy_to(target, image);
    if (copied) {
      holders.insert(target);
      const std::lock_guard lock(mutex_);
      ++status_.copies;
      continue;
    }
    const std::lock_guard lock(mutex_);
    if (stopping_) return tl::unexpected(copied.error());
    refused.insert(target);
    reasons += (reasons.empty() ? ": " : "; ") + copied.error().message;
  }
  // Those that live and refused are the ones that are missing: a cluster that is too small is as
  // good as it can be.
  if (refused.empty() || holders.size() >= wanted) return holders.size();
  return fail(Errc::unavailable,
              fmt::format("{} of {} copies of {} could be made{}", holders.size(), wanted,
                          image.manifest.to_string(), reasons));
}

Result<void> Replicas::copy_to(const std::string& peer, const Image& image) {
  auto target = fmt::format("/cluster/v1/replicate?repository={}&digest={}&from={}",
                            percent_encode(image.repository.text()),
                            percent_encode(image.manifest.to_string()),
                            percent_encode(parts_.peers.now()->self));
  for (const auto& tag : image.tags) target += "&tag=" + percent_encode(tag.text());

  auto moved = Steady::now();
  std::uint64_t steps = 0;
  for (;;) {
    const auto answer = parts_.clients.send(peer, "POST", target);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) return tl::unexpected(copy_error(peer, *answer));
    const Json standing = Json::parse(answer->body, nullptr, false);
    if (!standing.is_object()) return fail(Errc::io, fmt::format("node {}: no JSON", peer));
    if (standing.value("ended", false)) return {};
    const auto now = standing.value("steps", std::uint64_t{0});
    if (now != std::exchange(steps, now)) moved = Steady::now();
    if (Steady::now() - moved > config_.progress_timeout) {
      return fail(Errc::timed_out, fmt::format("node {}: no progress for {} s", peer,
                                               config_.progress_timeout.count()));
    }
  }
}

/// Points the own tags at a manifest that is here; one that moves meanwhile is left to its mover.
Result<void> Replicas::name_here(const Image& image) {
  auto& manifests = parts_.store.manifests();
  for (const auto& tag : image.tags) {
    std::optional<Digest> former;
    if (const auto info = manifests.stat(image.repository, tag, Wait::yes)) former = info->digest;
    if (former == image.manifest) continue;
    const auto moved = manifests.move_tag(image.repository, tag, former, image.manifest);
    if (!moved) return tl::unexpected(moved.error());
  }
  return {};
}

/// Fetches what is missing of an image that `from` holds.
Result<void> Replicas::receive(const Image& image, const std::string& from,
                               std::atomic<std::uint64_t>& steps, const std::atomic<bool>& stop) {
  parts_.directory.hint({image.manifest}, from);
  const auto known = parts_.store.manifests().stat(image.repository, image.manifest, Wait::yes);
  const auto named = known ? name_here(image)
                           : parts_.manifests.fetch(image.repository, image.manifest, image.tags);
  if (!named) return named;
  ++steps;
  std::set<Digest> tried;  // Children that nobody has: an index may name what was never pushed.
  for (;;) {
    const auto parts = image_parts(parts_.store, image.repository, image.manifest);
    if (!parts) return tl::unexpected(parts.error());
    const auto child = std::find_if(parts->absent_manifests.begin(), parts->absent_manifests.end(),
                                    [&](const Digest& digest) { return !tried.contains(digest); });
    if (child != parts->absent_manifests.end()) {
      tried.insert(*child);
      parts_.directory.hint({*child}, from);
      const auto fetched = parts_.manifests.fetch(image.repository, *child, {});
      if (!fetched && fetched.error().code != Errc::manifest_unknown) return fetched;
      ++steps;
      continue;
    }
    for (const auto& blob : parts->blobs) {
      if (stop) return fail(Errc::unavailable, "the node is stopping");
      if (parts_.store.blobs().stat(image.repository, blob, Wait::yes)) continue;
      parts_.directory.hint({blob}, from);
      const auto fetched = parts_.blobs.fetch(image.repository, blob, SwarmClass::replication);
      if (!fetched) return fetched;
      ++steps;
    }
    return {};
  }
}

asio::awaitable<Response> Replicas::serve(Request& request) {
  if (request.method != Method::post) co_return method_not_allowed("POST");
  const auto repository = Repository::parse(request.parameter("repository").value_or(""));
  if (!repository) co_return error_response(repository.error());
  const auto digest = Digest::parse(request.parameter("digest").value_or(""));
  if (!digest) co_return error_response(digest.error());
  Image image{*repository, *digest, {}};
  for (const auto text : request.parameters("tag")) {
    const auto tag = Tag::parse(text);
    if (!tag) co_return error_response(tag.error());
    image.tags.push_back(*tag);
  }
  const std::string from(request.parameter("from").value_or(""));

  const auto ask = [&] {
    const auto name = fmt::format("{}@{}", image.repository.text(), image.manifest.to_string());
    const auto work = [this, image, from](auto& steps, const auto& stop) {
      return receive(image, from, steps, stop);
    };
    return jobs_.run(name, work, kPatience);
  };
  const auto standing = co_await run_on(parts_.pool.get_executor(), ask);
  if (!standing) co_return error_response(standing.error());
  if (standing->error) co_return error_response(*standing->error);
  Response response;
  response.headers.add("Content-Type", "application/json");
  response.body =
      Json{{"ended", standing->ended}, {"steps", standing->steps + parts_.blobs.moved()}}.dump();
  co_return response;
}

void Replicas::repair() {
  std::minstd_rand random(std::random_device{}());
  // Nodes that saw the same change do not all begin at the same moment.
  const auto soon = [&] {
    const auto delay = std::chrono::milliseconds(config_.repair_delay);
    return delay + delay / 2 * static_cast<int>(random() % 256) / 256;
  };
  std::unique_lock lock(mutex_);
  auto due = Steady::now() + soon();
  std::chrono::seconds again = kAgainFirst;
  while (!stopping_) {
    if (std::exchange(changed_, false)) {
      due = Steady::now() + soon();
      again = kAgainFirst;
    }
    if (wake_.wait_until(lock, due, [this] { return stopping_ || changed_; })) continue;
    lock.unlock();
    const bool complete = pass();
    lock.lock();
    due = Steady::now() + (complete ? config_.repair_interval : again);
    again = complete ? kAgainFirst : std::min(again * 2, config_.repair_interval);
  }
}

/// Looks after all images that are here. False when something is short or could not be found out.
bool Replicas::pass() {
  Status counted;
  bool sure = true;
  const auto passed =
      for_each_repository(parts_.store, [&](const Repository& repository) -> Result<void> {
        const auto looked = look_after(repository, counted);
        if (!looked) return tl::unexpected(looked.error());
        sure = sure && *looked;
        return {};
      });
  if (!passed) return false;
  const std::lock_guard lock(mutex_);
  status_.images = counted.images;
  status_.short_here = counted.short_here;
  status_.checked = sure && !changed_;
  return sure && counted.short_here == 0;
}

/// Says whether all of the repository could be found out; fails when the pass is to end.
Result<bool> Replicas::look_after(const Repository& repository, Status& counted) {
  std::optional<TagsByManifest> tags;
  const TagsOf tags_of = [&](const Digest& manifest) -> Result<std::vector<Tag>> {
    if (!tags) {
      auto read = read_tags([&](const std::string& after, std::size_t limit) {
        return parts_.names.tags(repository, after, limit);
      });
      const bool none = !read && read.error().code == Errc::name_unknown;
      if (!read && !none) return tl::unexpected(read.error());
      tags = none ? TagsByManifest() : *std::move(read);
    }
    const auto found = tags->find(manifest);
    return found == tags->end() ? std::vector<Tag>() : found->second;
  };
  bool sure = true;
  const auto looked =
      for_each_manifest(parts_.store, repository, [&](const Digest& manifest) -> Result<void> {
        {
          const std::lock_guard lock(mutex_);
          if (stopping_ || changed_) return fail(Errc::unavailable, "the members changed");
        }
        const Care care = care_for({repository, manifest, {}}, tags_of);
        counted.images += care == Care::enough || care == Care::short_of_copies ? 1 : 0;
        counted.short_here += care == Care::short_of_copies ? 1 : 0;
        sure = sure && care != Care::unsure;
        return {};
      });
  if (!looked) return tl::unexpected(looked.error());
  return sure;
}

Replicas::Care Replicas::care_for(Image image, const TagsOf& tags_of) {
  const auto parts = image_parts(parts_.store, image.repository, image.manifest);
  if (!parts) return Care::not_ours;

  const auto set = parts_.peers.now();
  auto digests = parts->all();
  const auto found = parts_.directory.lookup(digests);
  // Who holds every part of it, and who its manifest.
  std::set<std::string> whole, with_manifest;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (!found[i].sure) return Care::unsure;
    const std::set<std::string> holders(found[i].holders.begin(), found[i].holders.end());
    if (digests[i] == image.manifest) with_manifest = holders;
    if (i == 0) {
      whole = holders;
    } else {
      std::erase_if(whole, [&](const std::string& id) { return !holders.contains(id); });
    }
  }
  const bool whole_here = holds(image, *parts);
  if (whole_here) whole.insert(set->self);
  with_manifest.insert(set->self);

  // Its keeper: the first of those that can copy it, or that can at least begin with it.
  const auto& keepers = whole.empty() ? with_manifest : whole;
  const auto ranking = ranked(image.manifest, set->peers);
  const auto keeper = std::find_if(ranking.begin(), ranking.end(),
                                   [&](const Peer& peer) { return keepers.contains(peer.id); });
  if (keeper == ranking.end() || keeper->id != set->self) return Care::not_ours;
  if (!whole.empty() && missing_copies(image, whole, {}).empty()) return Care::enough;

  auto tags = tags_of(image.manifest);
  if (!tags) return Care::unsure;
  if (tags->empty()) return Care::not_ours;  // Nobody asked for copies of what has no name.
  image.tags = *std::move(tags);
  return make_copies(image, std::move(whole));
}

Replicas::Care Replicas::make_copies(const Image& image, std::set<std::string> holders) {
  if (holders.empty()) {
    const auto self = parts_.peers.now()->self;
    std::atomic<std::uint64_t> steps{0};
    const std::atomic<bool> stop{false};  // A stop interrupts the requests.
    const auto completed = receive(image, self, steps, stop);
    if (!completed) return Care::short_of_copies;
    holders.insert(self);
  }
  const auto copies = spread(image, std::move(holders));
  if (copies) return Care::enough;
  spdlog::warn("image short of copies repository={} digest={} reason=\"{}\"",
               image.repository.text(), image.manifest.to_string(), copies.error().message);
  return Care::short_of_copies;
}

}  // namespace shoal
