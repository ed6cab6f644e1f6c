#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "storage/store.h"

namespace shoal::bench {

/// How content goes from node to node.
enum class NodeWay {
  https,  // From the holder to who asks, as a node does it without a swarm.
  swarm,  // By BitTorrent through the port between nodes.
};

/// A node that gives other nodes what its store holds: the port between nodes as Cluster puts it
/// together, with certificates of an authority of its own, the API for content, the swarm, and this
/// node's part of the directory. It is asked by one other node; whether that is a member nobody
/// checks.
class NodeSeed {
 public:
  /// Serves at once. What the other end needs to prove who it is goes to `trust`. `store` must
  /// outlive it. Every failure ends the program.
  NodeSeed(Store& store, const std::filesystem::path& trust, NodeWay way);
  ~NodeSeed();

  [[nodiscard]] std::string address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The other end: a node that finds the content at the seed, and stores it as a blob of
/// `repository`, verified and durable. Every failure ends the program.
class NodePeer {
 public:
  /// `trust` is the folder of the seed that listens at `address`; `store` must outlive it.
  NodePeer(Store& store, const std::filesystem::path& trust, const std::string& address,
           NodeWay way);
  ~NodePeer();

  void fetch(const Repository& repository, const Digest& digest);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::bench
