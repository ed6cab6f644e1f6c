#include "registry/http/client_link.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace shoal {
namespace {

constexpr const char* kStuck = "took no byte of the request";

bool must_wait() { return errno == EAGAIN || errno == EWOULDBLOCK; }

void set_option(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

/// Three unanswered probes within `dead_after` end the connection.
void keep_alive(int socket, std::chrono::seconds dead_after) {
  if (dead_after.count() <= 0) return;
  const int third = std::max(1, static_cast<int>(dead_after.count() / 3));
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, third);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, third);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

}  // namespace

Result<std::unique_ptr<ClientLink>> ClientLink::to(ClientLinkConfig config) {
  const int wakeup = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wakeup < 0) return fail(Errc::unavailable, std::generic_category().message(errno));
  return std::unique_ptr<ClientLink>(new ClientLink(std::move(config), wakeup));
}

ClientLink::ClientLink(ClientLinkConfig config, int wakeup)
    : config_(std::move(config)), wakeup_(wakeup) {}

ClientLink::~ClientLink() {
  close();
  ::close(wakeup_);
}

void ClientLink::close() {
  if (tls_) tls_->finish();
  tls_.reset();
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  in_order_ = false;
  unread_bound_ = 0;
}

void ClientLink::interrupt() {
  interrupted_ = true;
  ::eventfd_write(wakeup_, 1);
}

tl::unexpected<Error> ClientLink::give_up(Errc code, const std::string& message) {
  close();
  return fail(code, fmt::format("{}: {}", config_.authority, message));
}

tl::unexpected<Error> ClientLink::give_up_tls(Errc otherwise) {
  const std::string why = tls_->failure();
  if (!tls_->denied()) return give_up(otherwise, why);
  return give_up(Errc::denied, "no trust by TLS: " + why);
}

Result<void> ClientLink::check_interrupted() {
  if (!interrupted_) return {};
  return give_up(Errc::unavailable, "interrupted");
}

Result<void> ClientLink::wait(short events, const char* what) {
  std::array<pollfd, 2> descriptors = {pollfd{socket_, events, 0}, pollfd{wakeup_, POLLIN, 0}};
  const auto milliseconds = std::chrono::milliseconds(config_.timeout).count();
  int ready = -1;
  do {
    ready = ::poll(descriptors.data(), descriptors.size(),
                   patient_ ? -1 : static_cast<int>(milliseconds));
  } while (ready < 0 && errno == EINTR);
  if (auto free = check_interrupted(); !free) return free;
  if (ready > 0) return {};
  return give_up(Errc::timed_out, fmt::format("{} for {} s", what, config_.timeout.count()));
}

Result<void> ClientLink::wait_tls(TlsStream::State state, const char* what) {
  return wait(state == TlsStream::State::wants_output ? POLLOUT : POLLIN, what);
}

Result<void> ClientLink::connect(std::shared_ptr<ssl_ctx_st> tls) {
  close();
  if (auto free = check_interrupted(); !free) return free;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(config_.host.c_str(), config_.port.c_str(), &hints, &found);
  if (error != 0) {
    return give_up(Errc::unavailable, fmt::format("no such host: {}", ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  Result<void> connected;
  for (const auto* address = found; address != nullptr; address = address->ai_next) {
    connected = connect_to(*address);
    if (connected || interrupted_) break;
  }
  if (!connected) return connected;
  set_option(socket_, IPPROTO_TCP, TCP_NODELAY, 1);
  keep_alive(socket_, config_.dead_after);
  if (!tls) return {};
  return shake_hands(std::move(tls));
}

Result<void> ClientLink::connect_to(const addrinfo& address) {
  close();
  const auto failed = [&](int error) {
    return give_up(Errc::unavailable,
                   fmt::format("cannot connect: {}", std::generic_category().message(error)));
  };
  socket_ = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return failed(errno);
  if (::connect(socket_, address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS && errno != EINTR) return failed(errno);
  if (auto ready = wait(POLLOUT, "no connection"); !ready) return ready;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failed(error);
  return {};
}

Result<void> ClientLink::shake_hands(std::shared_ptr<ssl_ctx_st> context) {
  using State = TlsStream::State;
  tls_ = TlsStream::connect(std::move(context), socket_, config_.peer);
  for (;;) {
    const State state = tls_->handshake();
    switch (state) {
      case State::ready: return {};
      case State::wants_input:
      case State::wants_output: break;
      case State::ended: return give_up(Errc::unavailable, "the server ended the TLS handshake");
      case State::lost:
        return give_up(Errc::unavailable, "cannot connect by TLS: " + tls_->failure());
      case State::failed: return give_up_tls(Errc::io);
    }
    if (auto ready = wait_tls(state, "no TLS handshake"); !ready) return ready;
  }
}

bool ClientLink::alive() {
  if (socket_ < 0) return false;
  // Between an answer and the next request there is nothing to read: neither bytes nor an end.
  char byte = 0;
  if (tls_) return tls_->read({&byte, 1}).state == TlsStream::State::wants_input;
  return ::recv(socket_, &byte, 1, MSG_PEEK) < 0 && must_wait();
}

Result<void> ClientLink::write(std::string_view text) {
  if (auto free = check_interrupted(); !free) return free;
  if (tls_) return write_tls(text);
  while (!text.empty()) {
    const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (must_wait()) {
      if (auto ready = wait(POLLOUT, kStuck); !ready) return ready;
    } else if (errno != EINTR) {
      return fail(Errc::io, std::generic_category().message(errno));
    }
  }
  return {};
}

Result<void> ClientLink::write_tls(std::string_view text) {
  using State = TlsStream::State;
  for (;;) {
    const auto step = tls_->write(text);
    text.remove_prefix(step.bytes);
    if (step.state == State::ready && text.empty()) return {};
    if (step.state == State::ready) continue;
    if (step.state != State::wants_input && step.state != State::wants_output) {
      return fail(Errc::io, tls_->failure());
    }
    if (auto ready = wait_tls(step.state, kStuck); !ready) return ready;
  }
}

Result<std::size_t> ClientLink::read(std::span<char> buffer) {
  if (auto free = check_interrupted(); !free) return tl::unexpected(free.error());
  for (;;) {
    Result<void> ready;
    if (tls_) {
      using State = TlsStream::State;
      const auto step = tls_->read(buffer);
      if (step.state == State::ready) return step.bytes;
      in_order_ = step.state == State::ended;
      if (step.state == State::ended || step.state == State::lost) return 0;
      if (step.state == State::failed) return give_up_tls(Errc::io);
      ready = wait_tls(step.state, "no answer");
    } else {
      const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
      in_order_ = count == 0;
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == ECONNRESET) return 0;
      if (errno == EINTR) continue;
      if (!must_wait()) return give_up(Errc::io, std::generic_category().message(errno));
      ready = wait(POLLIN, "no answer");
    }
    if (!ready) return tl::unexpected(ready.error());
  }
}

void ClientLink::set_patient(bool patient) {
  patient_ = patient;
  if (socket_ < 0 || config_.dead_after.count() <= 0) return;
  // Where another bound holds, a peer that reads nothing for a while must not be taken for dead.
  const auto bound = patient ? std::chrono::milliseconds(config_.dead_after).count() : 0;
  if (std::exchange(unread_bound_, bound) == bound) return;
  set_option(socket_, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(bound));
}

}  // namespace shoal
