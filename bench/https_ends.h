#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "storage/store.h"

namespace shoal::bench {

/// A node that gives other nodes what its store holds over HTTPS: the port between nodes as
/// Cluster puts it together, with certificates of an authority of its own, the API for content and
/// this node's part of the directory. It knows nobody and is asked by one other node; whether that
/// is a member nobody checks.
class HttpsSeed {
 public:
  /// Serves at once. What the other end needs to prove who it is goes to `trust`. `store` must
  /// outlive it. Every failure ends the program.
  HttpsSeed(Store& store, const std::filesystem::path& trust);
  ~HttpsSeed();

  [[nodiscard]] std::string address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The other end: a node without a swarm that finds the content at the seed, and stores it as a
/// blob of `repository`, verified and durable. Every failure ends the program.
class HttpsPeer {
 public:
  /// `trust` is the folder of the seed that listens at `address`; `store` must outlive it.
  HttpsPeer(Store& store, const std::filesystem::path& trust, const std::string& address);
  ~HttpsPeer();

  void fetch(const Repository& repository, const Digest& digest);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::bench
