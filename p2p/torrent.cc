#include "p2p/torrent.h"

#include <algorithm>
#include <initializer_list>

#include <openssl/evp.h>

#include "p2p/bencode.h"
#include "p2p/sha256_pair.h"
#include "storage/codec.h"

namespace shoal {
namespace {

constexpr std::uint64_t kPieceBytesMin = 64 << 10;
constexpr std::uint64_t kPieceBytesMax = 4 << 20;
constexpr std::uint64_t kHugeBytes = std::uint64_t{8} << 30;
constexpr std::uint64_t kHugePieceBytesMax = 16 << 20;
constexpr std::uint64_t kPiecesMax = 500;
// The forms in which they travel, by what the pieces' hashes are.
constexpr std::uint64_t kTreeForm = 1;
constexpr std::uint64_t kSha1Form = 2;

template <class Hash>
std::string_view text_of(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

template <class Hash>
std::string text_of(const std::vector<Hash>& hashes) {
  std::string text;
  for (const auto& hash : hashes) text += text_of(hash);
  return text;
}

/// The inverse; as many as fit.
template <class Hash>
std::vector<Hash> hashes_of(std::string_view text) {
  std::vector<Hash> hashes(text.size() / sizeof(Hash));
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const auto hash = text.substr(i * sizeof(Hash), sizeof(Hash));
    std::copy(hash.begin(), hash.end(), hashes[i].begin());
  }
  return hashes;
}

/// One hash function of OpenSSL, used again and again.
template <class Hash>
class Function {
 public:
  explicit Function(const char* name)
      : type_(EVP_MD_fetch(nullptr, name, nullptr)), context_(EVP_MD_CTX_new()) {
    begin();
  }
  ~Function() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(type_);
  }
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;

  void update(std::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  /// Of all that came since the last one.
  Hash take() {
    Hash hash;
    EVP_DigestFinal_ex(context_, hash.data(), nullptr);
    begin();
    return hash;
  }

 private:
  void begin() { EVP_DigestInit_ex2(context_, type_, nullptr); }

  EVP_MD* const type_;
  EVP_MD_CTX* const context_;
};

Sha1Hash sha1(std::string_view bytes) {
  Function<Sha1Hash> function("SHA1");
  function.update(bytes);
  return function.take();
}

/// A node of a tree over nothing: what fills a layer up whose nodes have so many leaves.
TreeHash filling_of(BlockHasher& hasher, std::uint64_t leaves) {
  TreeHash node{};
  for (; leaves > 1; leaves /= 2) node = hasher.join(node, node);
  return node;
}

std::size_t power_of_two(std::size_t at_least) {
  std::size_t power = 1;
  while (power < at_least) power *= 2;
  return power;
}

}  // namespace

std::uint64_t piece_bytes_for(std::uint64_t size) {
  const std::uint64_t max = size > kHugeBytes ? kHugePieceBytesMax : kPieceBytesMax;
  std::uint64_t bytes = kPieceBytesMin;
  while (bytes < max && size > bytes * kPiecesMax) bytes *= 2;
  return bytes;
}

struct BlockHasher::Context {
  Function<TreeHash> sha256{"SHA256"};

  TreeHash hash(std::initializer_list<std::string_view> parts) {
    for (const auto part : parts) sha256.update(part);
    return sha256.take();
  }
};

BlockHasher::BlockHasher() : context_(std::make_unique<Context>()) {}
BlockHasher::~BlockHasher() = default;

TreeHash BlockHasher::hash(std::string_view bytes) { return context_->hash({bytes}); }

std::vector<TreeHash> BlockHasher::blocks(std::string_view bytes) {
  std::vector<TreeHash> hashes((bytes.size() + kBlockBytes - 1) / kBlockBytes);
  std::size_t i = 0;
  while (has_sha256_pair() && bytes.size() >= 2 * kBlockBytes) {
    sha256_pair(bytes.substr(0, kBlockBytes), bytes.substr(kBlockBytes, kBlockBytes), hashes[i],
                hashes[i + 1]);
    i += 2;
    bytes.remove_prefix(2 * kBlockBytes);
  }
  for (; i < hashes.size(); ++i) {
    hashes[i] = hash(bytes.substr(0, kBlockBytes));
    bytes.remove_prefix(std::min<std::size_t>(kBlockBytes, bytes.size()));
  }
  return hashes;
}

TreeHash BlockHasher::join(const TreeHash& left, const TreeHash& right) {
  return context_->hash({text_of(left), text_of(right)});
}

TreeHash BlockHasher::top(std::vector<TreeHash> nodes, std::size_t leaves,
                          const TreeHash& filling) {
  TreeHash filler = filling;
  while (leaves > 1) {
    if (nodes.size() % 2 == 1) nodes.push_back(filler);
    for (std::size_t i = 0; i < nodes.size(); i += 2) nodes[i / 2] = join(nodes[i], nodes[i + 1]);
    nodes.resize(nodes.size() / 2);
    filler = join(filler, filler);
    leaves /= 2;
  }
  return nodes.empty() ? filler : nodes[0];
}

TreeHash BlockHasher::piece(std::span<const TreeHash> blocks, std::uint64_t piece_bytes) {
  return top({blocks.begin(), blocks.end()}, piece_bytes / kBlockBytes, TreeHash{});
}

TreeHash Torrent::root() const {
  BlockHasher hasher;
  const auto filling = filling_of(hasher, piece_bytes / kBlockBytes);
  return hasher.top(pieces, power_of_two(pieces.size()), filling);
}

std::string Torrent::info() const {
  const auto name = bencoded(digest.to_string());
  const auto length = "6:length" + bencoded(size);
  const auto name_and_piece = "4:name" + name + "12:piece length" + bencoded(piece_bytes);
  if (kind() == TorrentKind::v1) {
    return "d" + length + name_and_piece + "6:pieces" + bencoded(text_of(v1_pieces)) +
           "7:privatei1ee";
  }
  const auto pieces_root = root();
  return "d9:file treed" + name + "d0:d" + length + "11:pieces root" +
         bencoded(text_of(pieces_root)) + "eee12:meta versioni2e" + name_and_piece +
         "7:privatei1ee";
}

Sha1Hash Torrent::info_hash() const {
  if (kind() == TorrentKind::v1) return sha1(info());
  const auto whole = BlockHasher().hash(info());
  Sha1Hash hash;
  std::copy_n(whole.begin(), hash.size(), hash.begin());
  return hash;
}

bool Torrent::matches(std::uint32_t piece, std::string_view bytes) const {
  if (piece >= piece_count()) return false;
  if (kind() == TorrentKind::v1) return sha1(bytes) == v1_pieces[piece];
  BlockHasher hasher;
  return hasher.piece(hasher.blocks(bytes), piece_bytes) == pieces[piece];
}

std::string Torrent::file(std::string_view tracker) const {
  const auto announce = tracker.empty() ? "" : "8:announce" + bencoded(tracker);
  const auto start = "d" + announce + "4:info" + info();
  if (kind() == TorrentKind::v1) return start + "e";
  const auto pieces_root = root();
  return start + "12:piece layersd" + bencoded(text_of(pieces_root)) + bencoded(text_of(pieces)) +
         "ee";
}

std::string Torrent::encode() const {
  const bool v1 = kind() == TorrentKind::v1;
  return RecordWriter()
      .number(v1 ? kSha1Form : kTreeForm)
      .number(size)
      .text(v1 ? text_of(v1_pieces) : text_of(pieces))
      .take();
}

Result<Torrent> Torrent::parse(const Digest& digest, std::string_view text) {
  RecordReader reader(text);
  const std::uint64_t form = reader.number();
  Torrent torrent{digest, reader.number(), 0, {}};
  const std::string_view hashes = reader.text();
  const std::size_t hash_bytes = form == kSha1Form ? sizeof(Sha1Hash) : sizeof(TreeHash);
  torrent.piece_bytes = piece_bytes_for(torrent.size);
  const std::uint64_t count =
      torrent.size / torrent.piece_bytes + (torrent.size % torrent.piece_bytes > 0 ? 1 : 0);
  const bool good = reader.good() && !reader.more() && (form == kTreeForm || form == kSha1Form) &&
                    count > 1 && hashes.size() / hash_bytes == count &&
                    hashes.size() % hash_bytes == 0;
  if (!good) {
    return fail(Errc::bad_request, "what was given as the torrent of " + digest.to_string() +
                                       " is none, or one of another version of shoal");
  }
  if (form == kTreeForm) torrent.pieces = hashes_of<TreeHash>(hashes);
  if (form == kSha1Form) torrent.v1_pieces = hashes_of<Sha1Hash>(hashes);
  return torrent;
}

struct TorrentMaker::Sha1 {
  Function<Sha1Hash> function{"SHA1"};
};

TorrentMaker::TorrentMaker(const Digest& digest, std::uint64_t size, TorrentKind kind)
    : sha1_(kind == TorrentKind::v1 ? std::make_unique<Sha1>() : nullptr),
      torrent_{digest, size, piece_bytes_for(size), {}} {}

TorrentMaker::~TorrentMaker() = default;

void TorrentMaker::update(std::string_view bytes) {
  while (!bytes.empty()) {
    if (block_.empty() && bytes.size() >= kBlockBytes) {
      const auto left = torrent_.piece_bytes - blocks_.size() * kBlockBytes;
      const auto whole = std::min<std::uint64_t>(left, bytes.size() / kBlockBytes * kBlockBytes);
      end_blocks(bytes.substr(0, whole));
      bytes.remove_prefix(whole);
      continue;
    }
    const auto part = bytes.substr(0, kBlockBytes - block_.size());
    block_ += part;
    bytes.remove_prefix(part.size());
    if (block_.size() < kBlockBytes) continue;
    end_blocks(block_);
    block_.clear();
  }
}

/// Of one piece.
void TorrentMaker::end_blocks(std::string_view bytes) {
  if (sha1_) {
    sha1_->function.update(bytes);
    blocks_.resize(blocks_.size() + (bytes.size() + kBlockBytes - 1) / kBlockBytes);
  } else {
    const auto hashes = hasher_.blocks(bytes);
    blocks_.insert(blocks_.end(), hashes.begin(), hashes.end());
  }
  if (blocks_.size() == torrent_.piece_bytes / kBlockBytes) end_piece();
}

void TorrentMaker::end_piece() {
  if (sha1_) {
    torrent_.v1_pieces.push_back(sha1_->function.take());
  } else {
    torrent_.pieces.push_back(hasher_.piece(blocks_, torrent_.piece_bytes));
  }
  blocks_.clear();
}

Torrent TorrentMaker::finish() {
  if (!block_.empty()) end_blocks(block_);
  block_.clear();
  if (!blocks_.empty()) end_piece();
  return std::move(torrent_);
}

}  // namespace shoal
