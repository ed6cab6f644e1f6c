#include "p2p/holder_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "storage/number.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kChunk = 256 << 10;
// Readers leave in mid-blob, or want a small range: so a request asks for a stretch and not for all
// the rest, and for four times as much each time that the reader came to its end.
constexpr std::uint64_t kFirstWindow = 2 << 20;
constexpr std::uint64_t kWindowMax = 512 << 20;
constexpr milliseconds kFirstPause{250};
constexpr unsigned kRoundsWithoutHolder = 2;  // While some nodes do not answer.

struct OwnBytes : BlobBytes::Holder {
  std::unique_ptr<char[]> memory;
};

std::string target_of(const Digest& digest) { return "/cluster/v1/blobs/" + digest.to_string(); }

tl::unexpected<Error> wrong(const std::string& peer, const std::string& what) {
  return fail(Errc::io, "node " + peer + " answered " + what);
}

Result<void> check_status(const std::string& peer, const Digest& digest, int status) {
  if (status == 200 || status == 206) return {};
  if (status == 404) {
    return fail(Errc::blob_unknown, "node " + peer + " does not hold " + digest.to_string());
  }
  if (status == 403) return fail(Errc::denied, "node " + peer + " refuses to serve this node");
  return fail(Errc::unavailable, fmt::format("node {} answered {}", peer, status));
}

}  // namespace

HolderReader::HolderReader(PeerClients& clients, const Digest& digest, FindHolders find)
    : clients_(clients), info_{digest, 0, 0}, find_(std::move(find)) {}

HolderReader::~HolderReader() = default;

Result<std::unique_ptr<HolderReader>> HolderReader::open(PeerClients& clients, const Digest& digest,
                                                         FindHolders find) {
  std::unique_ptr<HolderReader> reader(new HolderReader(clients, digest, std::move(find)));
  const auto learned = reader->learn_size();
  if (!learned) return tl::unexpected(learned.error());
  return reader;
}

Result<void> HolderReader::learn_size() {
  return try_holders([this](const std::string& peer) -> Result<void> {
    const auto answer = clients_.send(peer, "HEAD", target_of(info_.digest));
    if (!answer) return tl::unexpected(answer.error());
    const auto good = check_status(peer, info_.digest, answer->status);
    if (!good) return good;
    const auto length = answer->headers.find("Content-Length");
    const auto size = length ? parse_number(*length) : std::nullopt;
    if (!size) return wrong(peer, "without the length of the content");
    info_.size = info_.stored_bytes = *size;
    return {};
  });
}

Error HolderReader::no_holder(const std::map<std::string, Error>& failures, bool sure) const {
  const auto digest = info_.digest.to_string();
  if (failures.empty()) {
    if (sure) return {Errc::blob_unknown, "no node holds " + digest};
    return {Errc::unavailable, "no node that answers holds " + digest + ", and not all answer"};
  }
  Error error{sure ? Errc::blob_unknown : Errc::unavailable, "no holder of " + digest + " is left"};
  for (const auto& [peer, failure] : failures) {
    if (failure.code != Errc::blob_unknown) error.code = failure.code;
    error.message += "; " + failure.message;
  }
  return error;
}

Result<void> HolderReader::try_holders(
    const std::function<Result<void>(const std::string&)>& attempt) {
  std::map<std::string, Error> failures;  // The last one of each holder.
  bool sure = true;
  for (unsigned round = 0; round < kHolderRounds; ++round) {
    if (round > 0 && !clients_.pause(kFirstPause * (1 << 2 * (round - 1)))) {
      return fail(Errc::unavailable, "this node is shutting down");
    }
    const auto found = find_();
    sure = found.sure;
    auto holders = found.holders;
    const auto move_to = [&holders](const std::string& peer, bool front) {
      const auto place = std::find(holders.begin(), holders.end(), peer);
      if (place == holders.end()) return;
      if (front) {
        std::rotate(holders.begin(), place, place + 1);
      } else {
        std::rotate(place, place + 1, holders.end());
      }
    };
    move_to(favorite_, true);
    move_to(failed_, false);
    for (const auto& peer : holders) {
      const auto done = attempt(peer);
      if (done) {
        favorite_ = peer;
        if (failed_ == peer) failed_.clear();
        return {};
      }
      spdlog::debug("holder failed peer={} digest={} error=\"{}\"", peer, info_.digest.to_string(),
                    done.error().message);
      failures.insert_or_assign(peer, done.error());
      if (peer == favorite_) favorite_.clear();
    }
    // Nobody has it, and everybody said so: a further round would hear the same.
    const bool unknown = std::all_of(failures.begin(), failures.end(), [](const auto& failure) {
      return failure.second.code == Errc::blob_unknown;
    });
    if (unknown && (sure || round + 1 == kRoundsWithoutHolder)) break;
  }
  return tl::unexpected(no_holder(failures, sure));
}

Result<void> HolderReader::request(const std::string& peer, std::uint64_t offset,
                                   std::size_t wanted) {
  const bool goes_on = source_ && source_->at == offset;
  window_ = goes_on ? std::min(4 * window_, kWindowMax) : kFirstWindow;
  source_.reset();
  const auto end =
      std::min<std::uint64_t>(info_.size, offset + std::max<std::uint64_t>(window_, wanted));
  Headers headers;
  headers.add("Range", fmt::format("bytes={}-{}", offset, end - 1));
  auto stream = clients_.open(peer, "GET", target_of(info_.digest), headers);
  if (!stream) return tl::unexpected(stream.error());
  const auto& head = (*stream)->head();
  const auto good = check_status(peer, info_.digest, head.status);
  if (!good) return good;
  if (head.status == 206) {
    const auto range = head.headers.find("Content-Range");
    const auto expected = fmt::format("bytes {}-{}/{}", offset, end - 1, info_.size);
    if (!range || *range != expected) return wrong(peer, "another range than was asked for");
  } else {
    const auto length = head.headers.find("Content-Length");
    if (!length || parse_number(*length) != info_.size) return wrong(peer, "with another length");
    if (offset != 0) return wrong(peer, "with all of the content instead of a range");
  }
  source_ = Source{peer, std::move(*stream), offset, head.status == 206 ? end : info_.size};
  return {};
}

Result<std::size_t> HolderReader::read_stream(std::span<char> room) {
  const auto left = source_->end - source_->at;
  if (room.size() > left) room = room.first(static_cast<std::size_t>(left));
  const auto count = source_->stream->read(room);
  if (!count) return tl::unexpected(count.error());
  if (*count < room.size()) return wrong(source_->peer, "fewer bytes than it announced");
  source_->at += *count;
  sources_.insert(source_->peer);
  return count;
}

Result<BlobBytes> HolderReader::read(std::uint64_t offset, std::size_t max, Wait wait) {
  if (wait == Wait::no) return fail(Errc::would_block, "the content is on another node");
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>({max, kChunk, info_.size - offset}));
  auto bytes = std::make_unique<OwnBytes>();
  bytes->memory = std::make_unique_for_overwrite<char[]>(wanted);
  const std::span<char> room(bytes->memory.get(), wanted);
  std::size_t count = 0;
  const auto attempt = [&](const std::string& peer) -> Result<void> {
    const bool ready =
        source_ && source_->peer == peer && source_->at == offset && source_->at < source_->end;
    if (!ready) {
      const auto requested = request(peer, offset, wanted);
      if (!requested) return requested;
    }
    const auto read = read_stream(room);
    if (!read) {
      source_.reset();
      return tl::unexpected(read.error());
    }
    count = *read;
    return {};
  };
  // The holder that serves goes on; the others are looked up only when it fails.
  const bool serving = source_ && source_->at == offset;
  const auto current = serving ? source_->peer : favorite_;
  auto done = current.empty() ? Result<void>(fail(Errc::io, "")) : attempt(current);
  if (!done) {
    if (!current.empty()) {
      spdlog::info("holder failed, another is sought digest={} offset={} peer={} error=\"{}\"",
                   info_.digest.to_string(), offset, current, done.error().message);
    }
    favorite_.clear();
    failed_ = current;
    done = try_holders(attempt);
  }
  if (!done) return tl::unexpected(done.error());
  const std::string_view view(room.data(), count);
  return BlobBytes(std::move(bytes), view);
}

}  // namespace shoal
