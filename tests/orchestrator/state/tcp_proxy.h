#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shoal {

/// A TCP proxy on loopback that does to requests and answers what networks do. Has a thread.
class TcpProxy {
 public:
  enum class Fault {
    none,
    cut_answer,      // The request reaches the server; its answer is lost with the connection.
    swallow_answer,  // The request reaches the server; the client waits for ever.
    hold_request,    // The request waits in the network until release(), even if the client goes.
  };

  explicit TcpProxy(std::uint16_t target) : target_(target), wake_(::eventfd(0, EFD_NONBLOCK)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, any(address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, any(address), &size) != 0) {
      throw std::runtime_error("the proxy cannot listen");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TcpProxy() {
    stopping_ = true;
    wake();
    thread_.join();
    ::close(listener_);
    ::close(wake_);
  }
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  /// The next `times` requests that contain `mark` meet with `fault`.
  void inject(Fault fault, std::string mark, int times = 1) {
    const std::lock_guard lock(mutex_);
    fault_ = fault;
    mark_ = std::move(mark);
    times_ = times;
  }
  /// Waits until `count` requests met with a fault.
  void wait_for_faults(int count) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return faults_ >= count; })) {
      throw std::runtime_error("the fault did not happen");
    }
  }
  /// Held requests go on to the server, and their answers nowhere if the client is gone.
  void release() {
    released_ = true;
    wake();
  }
  /// Waits until the server answered `count` released requests.
  void wait_for_released(int count) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30),
                           [&] { return late_answers_ >= count; })) {
      throw std::runtime_error("no answer to a held request");
    }
  }
  /// From now on nothing moves in either direction, and no connection ends: half-open.
  void freeze(bool frozen) {
    frozen_ = frozen;
    wake();
  }
  /// Every byte is this late.
  void delay(std::chrono::milliseconds by) { delay_ = by; }
  /// Ends every connection.
  void cut_all() {
    cut_all_ = true;
    wake();
  }
  [[nodiscard]] int connections() const { return accepted_; }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    Fault fault = Fault::none;
    std::string held;
    bool late = false;  // Its held request went on.
    bool over = false;
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  // NOLINTNEXTLINE: the sockets API wants it so.
  static sockaddr* any(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }
  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  void run() {
    while (!stopping_) {
      std::vector<pollfd> watched = {{wake_, POLLIN, 0}};
      std::vector<Pair*> pairs;
      if (!frozen_) {
        watched.push_back({listener_, POLLIN, 0});
        for (auto& pair : pairs_) {
          pairs.push_back(&pair);
          watched.push_back({pair.client, POLLIN, 0});
          watched.push_back({pair.server, POLLIN, 0});
        }
      }
      ::poll(watched.data(), watched.size(), -1);
      std::uint64_t count = 0;
      [[maybe_unused]] const auto cleared = ::read(wake_, &count, sizeof count);
      if (cut_all_.exchange(false)) {
        for (auto& pair : pairs_) pair.over = true;
      }
      if (released_.exchange(false)) release_held();
      if (!frozen_ && watched.size() > 1) {
        if (watched[1].revents != 0) accept();
        for (std::size_t i = 0; i < pairs.size(); ++i) {
          if (watched[2 + 2 * i].revents != 0) from_client(*pairs[i]);
          if (watched[3 + 2 * i].revents != 0) from_server(*pairs[i]);
        }
      }
      pairs_.remove_if([](const Pair& pair) {
        if (pair.over) close_both(pair);
        return pair.over;
      });
    }
    for (const auto& pair : pairs_) close_both(pair);
  }
  static void close_both(const Pair& pair) {
    if (pair.client >= 0) ::close(pair.client);
    ::close(pair.server);
  }

  void accept() {
    Pair pair;
    pair.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (pair.client < 0) return;
    pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(target_);
    if (::connect(pair.server, any(address), sizeof address) != 0) {
      close_both(pair);
      return;
    }
    ++accepted_;
    pairs_.push_back(pair);
  }

  void from_client(Pair& pair) {
    char bytes[16384];
    const auto count = ::recv(pair.client, bytes, sizeof bytes, 0);
    if (count <= 0) {
      if (pair.fault == Fault::hold_request) {
        ::close(pair.client);
        pair.client = -1;  // poll(2) passes over it.
      } else {
        pair.over = true;
      }
      return;
    }
    const std::string text(bytes, static_cast<std::size_t>(count));
    {
      const std::lock_guard lock(mutex_);
      if (times_ > 0 && text.find(mark_) != std::string::npos) {
        pair.fault = fault_;
        --times_;
        ++faults_;
        changed_.notify_all();
      }
    }
    std::this_thread::sleep_for(delay_.load());
    if (pair.fault == Fault::hold_request) {
      pair.held += text;
    } else {
      send(pair.server, text);
    }
  }

  void from_server(Pair& pair) {
    char bytes[16384];
    const auto count = ::recv(pair.server, bytes, sizeof bytes, 0);
    if (pair.late && count > 0) {
      pair.late = false;
      const std::lock_guard lock(mutex_);
      ++late_answers_;
      changed_.notify_all();
    }
    if (count <= 0 || pair.fault == Fault::cut_answer) {
      pair.over = true;
      return;
    }
    if (pair.fault == Fault::swallow_answer || pair.client < 0) return;
    std::this_thread::sleep_for(delay_.load());
    send(pair.client, std::string(bytes, static_cast<std::size_t>(count)));
  }

  void release_held() {
    for (auto& pair : pairs_) {
      if (pair.fault != Fault::hold_request || pair.held.empty()) continue;
      pair.late = true;
      send(pair.server, std::exchange(pair.held, {}));
    }
  }

  static void send(int socket, const std::string& text) {
    for (std::size_t sent = 0; sent < text.size();) {
      const auto count = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  const std::uint16_t target_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  std::atomic<bool> stopping_{false}, frozen_{false}, cut_all_{false}, released_{false};
  std::atomic<int> accepted_{0};
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  std::list<Pair> pairs_;  // Of the thread alone.
  std::mutex mutex_;
  std::condition_variable changed_;
  Fault fault_ = Fault::none;
  std::string mark_;
  int times_ = 0;
  int faults_ = 0;
  int late_answers_ = 0;
  std::thread thread_;
};

}  // namespace shoal
