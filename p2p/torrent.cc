#include "p2p/torrent.h"

#include <algorithm>
#include <initializer_list>

#include <openssl/evp.h>

#include "storage/codec.h"

namespace shoal {
namespace {

constexpr std::uint64_t kPieceBytesMin = 64 << 10;
constexpr std::uint64_t kPieceBytesMax = 4 << 20;
constexpr std::uint64_t kHugeBytes = std::uint64_t{8} << 30;
constexpr std::uint64_t kHugePieceBytesMax = 16 << 20;
constexpr std::uint64_t kPiecesMax = 500;
constexpr std::uint64_t kTorrentVersion = 1;

std::string_view text_of(const TreeHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

/// Bencoded (BEP 3).
std::string bencoded(std::string_view text) {
  return std::to_string(text.size()) + ':' + std::string(text);
}
std::string bencoded(std::uint64_t number) { return 'i' + std::to_string(number) + 'e'; }

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
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Context() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
  }
  TreeHash hash(std::initializer_list<std::string_view> parts) {
    TreeHash hash;
    EVP_DigestInit_ex2(context, sha256, nullptr);
    for (const auto part : parts) EVP_DigestUpdate(context, part.data(), part.size());
    EVP_DigestFinal_ex(context, hash.data(), nullptr);
    return hash;
  }
};

BlockHasher::BlockHasher() : context_(std::make_unique<Context>()) {}
BlockHasher::~BlockHasher() = default;

TreeHash BlockHasher::hash(std::string_view bytes) { return context_->hash({bytes}); }

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
  const auto pieces_root = root();
  const auto name = bencoded(digest.to_string());
  return "d9:file treed" + name + "d0:d6:length" + bencoded(size) + "11:pieces root" +
         bencoded(text_of(pieces_root)) + "eee12:meta versioni2e4:name" + name + "12:piece length" +
         bencoded(piece_bytes) + "7:privatei1ee";
}

TreeHash Torrent::info_hash() const { return BlockHasher().hash(info()); }

bool Torrent::matches(std::uint32_t piece, std::string_view bytes) const {
  BlockHasher hasher;
  std::vector<TreeHash> blocks;
  for (std::size_t at = 0; at < bytes.size(); at += kBlockBytes) {
    blocks.push_back(hasher.hash(bytes.substr(at, kBlockBytes)));
  }
  return piece < pieces.size() && hasher.piece(blocks, piece_bytes) == pieces[piece];
}

std::string Torrent::file() const {
  const auto pieces_root = root();
  std::string layer;
  for (const auto& piece : pieces) layer += text_of(piece);
  return "d4:info" + info() + "12:piece layersd" + bencoded(text_of(pieces_root)) +
         bencoded(layer) + "ee";
}

std::string Torrent::encode() const {
  std::string layer;
  for (const auto& piece : pieces) layer += text_of(piece);
  return RecordWriter().number(kTorrentVersion).number(size).text(layer).take();
}

Result<Torrent> Torrent::parse(const Digest& digest, std::string_view text) {
  RecordReader reader(text);
  const std::uint64_t version = reader.number();
  Torrent torrent{digest, reader.number(), 0, {}};
  const std::string_view layer = reader.text();
  torrent.piece_bytes = piece_bytes_for(torrent.size);
  const std::uint64_t count =
      torrent.size / torrent.piece_bytes + (torrent.size % torrent.piece_bytes > 0 ? 1 : 0);
  const bool good = reader.good() && !reader.more() && version == kTorrentVersion && count > 1 &&
                    layer.size() / sizeof(TreeHash) == count &&
                    layer.size() % sizeof(TreeHash) == 0;
  if (!good) {
    return fail(Errc::bad_request, "what was given as the torrent of " + digest.to_string() +
                                       " is none, or one of another version of shoal");
  }
  torrent.pieces.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto hash = layer.substr(i * sizeof(TreeHash), sizeof(TreeHash));
    std::copy(hash.begin(), hash.end(), torrent.pieces[i].begin());
  }
  return torrent;
}

TorrentMaker::TorrentMaker(const Digest& digest, std::uint64_t size)
    : torrent_{digest, size, piece_bytes_for(size), {}} {}

void TorrentMaker::update(std::string_view bytes) {
  while (!bytes.empty()) {
    if (block_.empty() && bytes.size() >= kBlockBytes) {
      end_block(bytes.substr(0, kBlockBytes));
      bytes.remove_prefix(kBlockBytes);
      continue;
    }
    const auto part = bytes.substr(0, kBlockBytes - block_.size());
    block_ += part;
    bytes.remove_prefix(part.size());
    if (block_.size() < kBlockBytes) continue;
    end_block(block_);
    block_.clear();
  }
}

void TorrentMaker::end_block(std::string_view bytes) {
  blocks_.push_back(hasher_.hash(bytes));
  if (blocks_.size() == torrent_.piece_bytes / kBlockBytes) end_piece();
}

void TorrentMaker::end_piece() {
  torrent_.pieces.push_back(hasher_.piece(blocks_, torrent_.piece_bytes));
  blocks_.clear();
}

Torrent TorrentMaker::finish() {
  if (!block_.empty()) end_block(block_);
  block_.clear();
  if (!blocks_.empty()) end_piece();
  return std::move(torrent_);
}

}  // namespace shoal
