#include "p2p/swarm/blob_disk.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <libtorrent/disk_buffer_holder.hpp>
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/disk_observer.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/hasher.hpp>
#include <libtorrent/peer_request.hpp>
#include <libtorrent/storage_defs.hpp>

namespace shoal {
namespace {

using lt::operation_t;
using lt::storage_error;

storage_error failure(const Error& error, operation_t operation) {
  const auto code = error.code == Errc::disk_full ? boost::system::errc::no_space_on_device
                                                  : boost::system::errc::io_error;
  return {make_error_code(code), lt::file_index_t{0}, operation};
}

storage_error unsupported(operation_t operation) {
  return {make_error_code(boost::system::errc::operation_not_supported), lt::file_index_t{0},
          operation};
}

/// The part of a request that is content: libtorrent 2.0 fills the last piece of a torrent of
/// version 2 up with zeros to a whole block, and asks for them.
std::size_t content_bytes(const SwarmBlob& blob, const lt::peer_request& request) {
  const auto& torrent = blob.torrent();
  const std::uint64_t start =
      static_cast<std::uint64_t>(static_cast<int>(request.piece)) * torrent.piece_bytes +
      static_cast<std::uint64_t>(request.start);
  const auto length = static_cast<std::uint64_t>(request.length);
  return start >= torrent.size ? 0 : std::min(length, torrent.size - start);
}

std::uint32_t number(lt::piece_index_t piece) {
  return static_cast<std::uint32_t>(static_cast<int>(piece));
}

BlockHasher& block_hasher() {
  thread_local BlockHasher hasher;
  return hasher;
}

lt::sha256_hash lt_hash(const TreeHash& hash) {
  return lt::sha256_hash(reinterpret_cast<const char*>(hash.data()));
}

/// Calls come on the network thread, and so do their answers, later: through the context.
class BlobDisk final : public lt::disk_interface, private lt::buffer_allocator_interface {
 public:
  BlobDisk(lt::io_context& context, SwarmStore& store, FindSwarmBlob find)
      : context_(context), store_(store), find_(std::move(find)) {
    link_->context = &context;
  }
  ~BlobDisk() override {
    const std::lock_guard lock(link_->mutex);
    link_->context = nullptr;
  }

  lt::storage_holder new_torrent(const lt::storage_params& params,
                                 const std::shared_ptr<void>&) override {
    auto blob = find_(params.info_hash);
    const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
    const auto index = static_cast<std::uint32_t>(free - slots_.begin());
    if (free == slots_.end()) slots_.emplace_back();
    slots_[index] = std::make_shared<Slot>(Slot{std::move(blob)});
    return {lt::storage_index_t{index}, *this};
  }
  void remove_torrent(lt::storage_index_t storage) override {
    slots_[static_cast<std::uint32_t>(storage)] = nullptr;
  }

  void async_read(lt::storage_index_t storage, const lt::peer_request& request,
                  std::function<void(lt::disk_buffer_holder, const storage_error&)> handler,
                  lt::disk_job_flags_t) override {
    auto blob = this->blob(storage);
    const auto size = static_cast<std::size_t>(request.length);
    lt::disk_buffer_holder buffer(*this, new char[size], request.length);
    const std::size_t content = blob ? content_bytes(*blob, request) : 0;
    std::memset(buffer.data() + content, 0, size - content);
    if (blob &&
        blob->read_recent(number(request.piece), offset(request), {buffer.data(), content})) {
      asio::post(context_, [handler = std::move(handler), buffer = std::move(buffer)]() mutable {
        handler(std::move(buffer), storage_error());
      });
      return;
    }
    run([blob, request, content, buffer = std::move(buffer),
         handler = std::move(handler)]() mutable {
      const std::span<char> room(buffer.data(), content);
      const auto done = blob ? blob->read(number(request.piece), offset(request), room) : gone();
      const auto error = done ? storage_error() : failure(done.error(), operation_t::file_read);
      return [handler = std::move(handler), buffer = std::move(buffer), error]() mutable {
        handler(std::move(buffer), error);
      };
    });
  }

  bool async_write(lt::storage_index_t storage, const lt::peer_request& request, const char* bytes,
                   std::shared_ptr<lt::disk_observer> observer,
                   std::function<void(const storage_error&)> handler,
                   lt::disk_job_flags_t) override {
    const auto blob = this->blob(storage);
    if (blob) {
      blob->write(number(request.piece), offset(request), {bytes, content_bytes(*blob, request)});
    }
    const auto error = blob ? storage_error() : failure(gone_error(), operation_t::file_write);
    const bool full = observer && hold_up(observer);
    auto written = [handler = std::move(handler), error] { handler(error); };
    if (full) {
      // libtorrent reads on from a peer whose blocks are all written, whatever this call returns.
      held_up_writes_.push_back(std::move(written));
    } else {
      asio::post(context_, std::move(written));
    }
    return full;
  }

  void async_hash(lt::storage_index_t storage, lt::piece_index_t piece,
                  lt::span<lt::sha256_hash> blocks, lt::disk_job_flags_t flags,
                  std::function<void(lt::piece_index_t, const lt::sha1_hash&, const storage_error&)>
                      handler) override {
    const bool v1 = static_cast<bool>(flags & lt::disk_interface::v1_hash);
    auto blob = this->blob(storage);
    const std::uint64_t bytes = blob ? blob->torrent().piece_bytes : 0;  // About.
    store_.check_begins(bytes);
    run([this, blob = std::move(blob), piece, blocks, v1, bytes,
         handler = std::move(handler)]() mutable {
      lt::sha1_hash sha1;
      const auto done = blob ? hash(*blob, number(piece), blocks, v1, sha1) : gone();
      store_.check_ends(bytes);
      const auto error = done ? storage_error() : failure(done.error(), operation_t::file_read);
      return [handler = std::move(handler), piece, sha1, error] { handler(piece, sha1, error); };
    });
  }

  void async_hash2(
      lt::storage_index_t storage, lt::piece_index_t piece, int offset, lt::disk_job_flags_t,
      std::function<void(lt::piece_index_t, const lt::sha256_hash&, const storage_error&)> handler)
      override {
    run([blob = this->blob(storage), piece, offset, handler = std::move(handler)]() mutable {
      Result<TreeHash> hash = TreeHash{};
      if (blob) {
        hash = blob->check_block(number(piece), static_cast<std::uint64_t>(offset), block_hasher());
      } else {
        hash = tl::unexpected(gone_error());
      }
      const auto error = hash ? storage_error() : failure(hash.error(), operation_t::file_read);
      const auto value = hash ? lt_hash(*hash) : lt::sha256_hash();
      return [handler = std::move(handler), piece, value, error] { handler(piece, value, error); };
    });
  }

  void async_clear_piece(lt::storage_index_t storage, lt::piece_index_t piece,
                         std::function<void(lt::piece_index_t)> handler) override {
    // Behind the hash that is under way, if there is one.
    run([blob = this->blob(storage), piece, handler = std::move(handler)]() mutable {
      if (blob) blob->clear(number(piece));
      return [handler = std::move(handler), piece] { handler(piece); };
    });
  }

  void async_check_files(lt::storage_index_t storage, const lt::add_torrent_params*,
                         lt::aux::vector<std::string, lt::file_index_t>,
                         std::function<void(lt::status_t, const storage_error&)> handler) override {
    // What is there is in the torrent's parameters already, from the store.
    const bool known = blob(storage) != nullptr;
    asio::post(context_, [handler = std::move(handler), known] {
      handler(known ? lt::status_t::no_error : lt::status_t::fatal_disk_error,
              known ? storage_error() : failure(gone_error(), operation_t::file_open));
    });
  }

  void async_stop_torrent(lt::storage_index_t, std::function<void()> handler) override {
    if (handler) asio::post(context_, std::move(handler));
  }
  void async_release_files(lt::storage_index_t, std::function<void()> handler) override {
    if (handler) asio::post(context_, std::move(handler));
  }
  void async_delete_files(lt::storage_index_t, lt::remove_flags_t,
                          std::function<void(const storage_error&)> handler) override {
    asio::post(context_, [handler = std::move(handler)] { handler(storage_error()); });
  }
  void async_set_file_priority(
      lt::storage_index_t, lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities,
      std::function<void(const storage_error&,
                         lt::aux::vector<lt::download_priority_t, lt::file_index_t>)>
          handler) override {
    asio::post(context_, [handler = std::move(handler), priorities = std::move(priorities)] {
      handler(storage_error(), priorities);
    });
  }
  void async_move_storage(
      lt::storage_index_t, std::string path, lt::move_flags_t,
      std::function<void(lt::status_t, const std::string&, const storage_error&)> handler)
      override {
    asio::post(context_, [handler = std::move(handler), path = std::move(path)] {
      handler(lt::status_t::fatal_disk_error, path, unsupported(operation_t::file_rename));
    });
  }
  void async_rename_file(
      lt::storage_index_t, lt::file_index_t file, std::string name,
      std::function<void(const std::string&, lt::file_index_t, const storage_error&)> handler)
      override {
    asio::post(context_, [handler = std::move(handler), file, name = std::move(name)] {
      handler(name, file, unsupported(operation_t::file_rename));
    });
  }

  void update_stats_counters(lt::counters&) const override {}
  std::vector<lt::open_file_state> get_status(lt::storage_index_t) const override { return {}; }
  void abort(bool) override { end_writes(); }
  void submit_jobs() override {}
  void settings_updated() override {}

 private:
  struct Slot {
    std::shared_ptr<SwarmBlob> blob;
  };

  /// The session's context, as long as the disk lives.
  struct Link {
    std::mutex mutex;
    lt::io_context* context;
  };

  static Error gone_error() {
    return {Errc::blob_unknown, "the content of this torrent is not open"};
  }
  static Result<void> gone() { return tl::unexpected(gone_error()); }
  static std::uint64_t offset(const lt::peer_request& request) {
    return static_cast<std::uint64_t>(request.start);
  }

  std::shared_ptr<SwarmBlob> blob(lt::storage_index_t storage) const {
    const auto& slot = slots_[static_cast<std::uint32_t>(storage)];
    return slot ? slot->blob : nullptr;
  }

  /// Whether the peer must wait for the disk. Each is told once that it need not any more: told
  /// twice, it would go on while the disk is full again.
  bool hold_up(const std::shared_ptr<lt::disk_observer>& peer) {
    const bool full = held_up_.empty() ? store_.full(eased()) : store_.full();
    const auto same = [&](const auto& other) { return other.lock() == peer; };
    if (full && std::none_of(held_up_.begin(), held_up_.end(), same)) held_up_.push_back(peer);
    return full;
  }

  /// Lets the peers go on; from any thread.
  std::function<void()> eased() {
    return [this, link = link_] {
      const std::lock_guard lock(link->mutex);
      if (link->context == nullptr) return;
      asio::post(*link->context, [this, link] {
        if (link->context == nullptr) return;
        end_writes();
        for (const auto& peer : std::exchange(held_up_, {})) {
          if (const auto waiting = peer.lock()) waiting->on_disk();
        }
      });
    };
  }

  void end_writes() {
    for (auto& written : std::exchange(held_up_writes_, {})) {
      asio::post(context_, std::move(written));
    }
  }

  /// Does `work` on a thread of the store, and what it returns, a handler, on the network thread;
  /// the session does not end before.
  template <class Work>
  void run(Work work) {
    asio::post(store_.checking(),
               [this, work = std::move(work), guard = asio::make_work_guard(context_)]() mutable {
                 asio::post(context_, work());
               });
  }

  Result<void> hash(SwarmBlob& blob, std::uint32_t piece, lt::span<lt::sha256_hash> blocks, bool v1,
                    lt::sha1_hash& sha1) {
    if (v1) {
      const auto buffer = blob.whole_piece(piece);
      if (!buffer) return tl::unexpected(buffer.error());
      const auto bytes = (*buffer)->bytes();
      sha1 = lt::hasher(bytes.data(), static_cast<int>(bytes.size())).final();
    }
    std::vector<TreeHash> hashes(static_cast<std::size_t>(blocks.size()));
    const auto right = blob.check(piece, hashes, block_hasher());
    if (!right) return tl::unexpected(right.error());
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      blocks[static_cast<std::ptrdiff_t>(i)] = lt_hash(hashes[i]);
    }
    return {};
  }

  void free_disk_buffer(char* buffer) override { delete[] buffer; }

  lt::io_context& context_;
  SwarmStore& store_;
  const FindSwarmBlob find_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>();
  // The network thread's.
  std::vector<std::shared_ptr<Slot>> slots_;  // By storage index.
  std::vector<std::weak_ptr<lt::disk_observer>> held_up_;
  std::vector<std::function<void()>> held_up_writes_;
};

}  // namespace

std::unique_ptr<lt::disk_interface> make_blob_disk(lt::io_context& context, SwarmStore& store,
                                                   FindSwarmBlob find) {
  return std::make_unique<BlobDisk>(context, store, std::move(find));
}

}  // namespace shoal
