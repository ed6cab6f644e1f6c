#include "tests/orchestrator/engine/fake_engine.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>

#include "registry/http/message.h"
#include "tests/orchestrator/engine/recorded.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kPatience{20};

bool send_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string chunk(std::string_view text) {
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

}  // namespace

FakeEngine::FakeEngine(EngineKind kind) : kind_(kind) {
  folder_ = (std::filesystem::temp_directory_path() / "shoal-engine-XXXXXX").string();
  if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no folder for a socket");
  socket_ = folder_ + "/s";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_.c_str(), sizeof address.sun_path - 1);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 64) != 0) {
    throw std::runtime_error("no socket at " + socket_);
  }
  acceptor_ = std::thread([this] { accept(); });
}

FakeEngine::~FakeEngine() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
    for (const int one : open_) ::shutdown(one, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (auto& server : servers_) server.join();
  ::close(listener_);
  std::filesystem::remove_all(folder_);
}

void FakeEngine::accept() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::lock_guard lock(mutex_);
    open_.insert(connection);
    if (stop_) ::shutdown(connection, SHUT_RDWR);
    servers_.emplace_back([this, connection] { serve(connection); });
  }
}

std::optional<FakeEngine::Request> FakeEngine::read(int connection) {
  std::string text;
  std::array<char, 4096> buffer{};
  const auto receive = [&] {
    const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
  };
  while (text.find("\r\n\r\n") == std::string::npos) {
    if (!receive()) return std::nullopt;
  }
  const auto head = text.find("\r\n\r\n") + 4;
  std::size_t length = 0;
  const auto at = text.find("Content-Length: ");
  if (at < head) length = std::strtoul(text.c_str() + at + 16, nullptr, 10);
  while (text.size() < head + length) {
    if (!receive()) return std::nullopt;
  }
  Request request;
  request.body = text.substr(head, length);
  const auto blank = text.find(' ');
  request.method = text.substr(0, blank);
  auto target = text.substr(blank + 1, text.find(' ', blank + 1) - blank - 1);
  if (target.starts_with("/v1.")) target.erase(0, target.find('/', 1));
  request.target = request.method + " " + target;
  const auto mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  for (std::size_t from = mark + 1; from < target.size();) {
    const auto end = std::min(target.find('&', from), target.size());
    const auto equals = std::min(target.find('=', from), end);
    const auto value = target.substr(std::min(equals + 1, end), end - std::min(equals + 1, end));
    request.query[target.substr(from, equals - from)] = *percent_decode(value);
    from = end + 1;
  }
  return request;
}

std::optional<FakeEngine::Fault> FakeEngine::fault_for(const std::string& target) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (target.find(fault->match) == std::string::npos) continue;
    const Fault taken = *fault;
    if (--fault->times == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

void FakeEngine::serve(int connection) {
  const auto request = read(connection);
  if (request) {
    Reply reply;
    std::optional<Fault> fault;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request->target);
      fault = fault_for(request->target);
      const auto idle = [](Fault::Kind kind) {
        return kind == Fault::Kind::answer || kind == Fault::Kind::hold ||
               kind == Fault::Kind::drop;
      };
      const bool acts = !fault || !idle(fault->kind);
      if (acts) reply = answer(*request, fault);
      changed_.notify_all();
    }
    const auto kind = fault ? std::optional(fault->kind) : std::nullopt;
    if (kind == Fault::Kind::answer) reply = {fault->status, fault->body, {}};
    if (kind == Fault::Kind::hold_reply || kind == Fault::Kind::hold) {
      char byte = 0;
      while (::recv(connection, &byte, 1, 0) > 0) continue;
    } else if (kind != Fault::Kind::lose_reply && kind != Fault::Kind::drop) {
      const bool torn = kind == Fault::Kind::tear;
      send(connection, reply, torn ? std::optional(fault->bytes) : std::nullopt);
    }
  }
  const std::lock_guard lock(mutex_);
  open_.erase(connection);
  ::close(connection);
}

void FakeEngine::send(int connection, const Reply& reply, std::optional<std::size_t> tear_after) {
  const bool empty = reply.status == 204 || reply.status == 304;
  std::string head = fmt::format("HTTP/1.1 {} Scripted\r\nApi-Version: 1.41\r\n", reply.status);
  if (kind_ == EngineKind::podman) head += "Libpod-Api-Version: 4.3.1\r\n";
  if (!empty) head += "Transfer-Encoding: chunked\r\n";
  if (!send_all(connection, head + "\r\n") || empty) return;
  const auto body = std::string_view(reply.body).substr(0, tear_after.value_or(reply.body.size()));
  if (!body.empty() && !send_all(connection, chunk(body))) return;
  if (tear_after) return;
  if (!reply.follow.empty()) follow(connection, reply.follow);
  send_all(connection, "0\r\n\r\n");
}

void FakeEngine::follow(int connection, const std::string& stream) {
  std::size_t sent = 0;
  const std::string name = stream.substr(stream.find(':') + 1);
  for (;;) {
    std::string news;
    {
      std::unique_lock lock(mutex_);
      const auto over = [&] {
        if (stop_ || !open_.contains(connection)) return true;
        const auto* const item = name == "events" ? nullptr : find(name);
        return name != "events" && (!item || item->phase != ContainerPhase::running);
      };
      changed_.wait(lock, [&] { return over() || streams_[name].size() > sent; });
      news = streams_[name].substr(sent);
      sent += news.size();
      if (news.empty() && over()) return;
    }
    if (!news.empty() && !send_all(connection, chunk(news))) return;
  }
}

std::vector<FakeEngine::Item> FakeEngine::containers() {
  const std::lock_guard lock(mutex_);
  std::vector<Item> all;
  for (const auto& [id, item] : items_) all.push_back(item);
  return all;
}

std::optional<FakeEngine::Item> FakeEngine::container(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto* const item = find(name);
  return item ? std::optional(*item) : std::nullopt;
}

std::string FakeEngine::add(const std::string& name, const LabelMap& labels, ContainerPhase phase) {
  const std::lock_guard lock(mutex_);
  Item item;
  item.id = new_id();
  item.name = name;
  item.image = "somebody/else:1";
  item.labels = labels;
  item.phase = phase;
  items_[item.id] = item;
  return item.id;
}

void FakeEngine::end(const std::string& name, int exit_code) {
  const std::lock_guard lock(mutex_);
  auto& item = *find(name);
  item.phase = ContainerPhase::exited;
  item.exit_code = exit_code;
  item.finished = ++clock_;
  changed_.notify_all();
}

void FakeEngine::lose(const std::string& name) {
  const std::lock_guard lock(mutex_);
  items_.erase(find(name)->id);
  changed_.notify_all();
}

void FakeEngine::restart(const std::string& name, unsigned times) {
  const std::lock_guard lock(mutex_);
  auto& item = *find(name);
  item.phase = ContainerPhase::running;
  item.restarts += times;
}

void FakeEngine::hold_image(const std::string& reference) {
  const std::lock_guard lock(mutex_);
  images_.insert(reference);
}

void FakeEngine::drop_image(const std::string& reference) {
  const std::lock_guard lock(mutex_);
  images_.erase(reference);
}

void FakeEngine::publish(const std::string& reference) {
  const std::lock_guard lock(mutex_);
  published_.insert(reference);
}

std::set<std::string> FakeEngine::images() {
  const std::lock_guard lock(mutex_);
  return images_;
}

void FakeEngine::log(const std::string& name, int stream, const std::string& text) {
  const std::lock_guard lock(mutex_);
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string frame{static_cast<char>(stream), 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift & 0xff);
  streams_[name] += frame + text;
  changed_.notify_all();
}

void FakeEngine::event(const std::string& line) {
  const std::lock_guard lock(mutex_);
  streams_["events"] += line + "\n";
  changed_.notify_all();
}

void FakeEngine::script(Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
}

std::vector<std::string> FakeEngine::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t FakeEngine::count(const std::string& match) {
  const auto all = requests();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(),
                    [&](const std::string& one) { return one.find(match) != std::string::npos; }));
}

bool FakeEngine::wait_for(const std::string& match, std::size_t times) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] {
    std::size_t found = 0;
    for (const auto& one : requests_) found += one.find(match) != std::string::npos ? 1 : 0;
    return found >= times;
  });
}

void FakeEngine::break_connections() {
  const std::lock_guard lock(mutex_);
  for (const int one : open_) ::shutdown(one, SHUT_RDWR);
  changed_.notify_all();
}

}  // namespace shoal
