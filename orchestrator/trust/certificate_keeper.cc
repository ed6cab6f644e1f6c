#include "orchestrator/trust/certificate_keeper.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "registry/rfc3339.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// The wall clock may be set, and the machine may sleep: it is looked at again so often.
constexpr std::chrono::minutes kLookEvery{1};
constexpr milliseconds kRetryMin{500};
constexpr milliseconds kRetryMax = std::chrono::hours(1);

}  // namespace

struct CertificateKeeper::Impl {
  Impl(NodeIdentity first, std::filesystem::path folder_in, std::shared_ptr<TlsContext> server_in,
       std::shared_ptr<TlsContext> client_in, Renew renew_in)
      : folder(std::move(folder_in)),
        server(std::move(server_in)),
        client(std::move(client_in)),
        renew(std::move(renew_in)),
        identity(std::move(first)) {}

  void run();
  [[nodiscard]] system_clock::time_point due();
  [[nodiscard]] Result<void> renew_now();

  const std::filesystem::path folder;
  const std::shared_ptr<TlsContext> server;
  const std::shared_ptr<TlsContext> client;
  const Renew renew;

  mutable std::mutex mutex;  // Guards what is below.
  std::condition_variable wake;
  NodeIdentity identity;
  bool stopping = false;

  std::random_device random;
  std::thread thread;
};

/// When the certificate in use should be renewed.
system_clock::time_point CertificateKeeper::Impl::due() {
  const std::lock_guard lock(mutex);
  const auto lifetime = milliseconds(identity.expires - identity.issued);
  const double early = 0.1 * random() / static_cast<double>(std::random_device::max());
  return identity.expires - std::chrono::duration_cast<milliseconds>(lifetime * (1.0 / 3 + early));
}

void CertificateKeeper::Impl::run() {
  auto at = due();
  auto pause = kRetryMin;
  std::unique_lock lock(mutex);
  for (;;) {
    const auto look = std::min<system_clock::time_point>(at, system_clock::now() + kLookEvery);
    wake.wait_until(lock, look, [this] { return stopping; });
    if (stopping) return;
    if (system_clock::now() < at) continue;
    const auto expires = identity.expires;
    lock.unlock();
    if (const auto renewed = renew_now(); renewed) {
      at = due();
      pause = kRetryMin;
    } else {
      const bool late = system_clock::now() >= expires;
      spdlog::log(late ? spdlog::level::err : spdlog::level::warn,
                  "certificate not renewed, trying again in_ms={} {}={} error=\"{}\"",
                  pause.count(), late ? "expired" : "expires", rfc3339(expires),
                  renewed.error().message);
      at = system_clock::now() + pause;
      pause = std::min(pause * 2, kRetryMax);
    }
    lock.lock();
  }
}

Result<void> CertificateKeeper::Impl::renew_now() {
  NodeIdentity current;
  {
    const std::lock_guard lock(mutex);
    current = identity;
  }
  const auto certificate = renew(current);
  if (!certificate) return tl::unexpected(certificate.error());
  auto next = current.renewed(*certificate);
  if (!next) return tl::unexpected(next.error());
  if (const auto saved = next->save(folder); !saved) return saved;
  const auto tls = next->tls();
  if (const auto replaced = server->replace(tls); !replaced) return replaced;
  if (const auto replaced = client->replace(tls); !replaced) return replaced;
  spdlog::info("certificate renewed node={} expires={}", next->node_id, rfc3339(next->expires));
  const std::lock_guard lock(mutex);
  identity = *std::move(next);
  return {};
}

CertificateKeeper::CertificateKeeper(NodeIdentity identity, std::filesystem::path folder,
                                     std::shared_ptr<TlsContext> server,
                                     std::shared_ptr<TlsContext> client, Renew renew)
    : impl_(std::make_unique<Impl>(std::move(identity), std::move(folder), std::move(server),
                                   std::move(client), std::move(renew))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

CertificateKeeper::~CertificateKeeper() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

NodeIdentity CertificateKeeper::identity() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->identity;
}

}  // namespace shoal
