#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/state/etcd_state.h"
#include "registry/http/client.h"
#include "tests/storage/fixture.h"

namespace shoal {

struct EtcdOptions {
  std::size_t members = 1;
  std::vector<std::string> flags{};  // For each, besides addresses and data.
  // PEM files: then clients speak TLS and show a certificate.
  std::filesystem::path ca{}, certificate{}, key{};
};

/// Debian's etcd as processes of its own on loopback, in a temporary folder; ended with the object,
/// and at the latest with the thread that started them. Throws when they do not come up.
class EtcdCluster {
 public:
  explicit EtcdCluster(EtcdOptions options = {}) : options_(std::move(options)) {
    // Somebody else may take a port between its choice and the start.
    for (int attempt = 0;; ++attempt) {
      choose_ports();
      for (std::size_t i = 0; i < members_.size(); ++i) start(i);
      if (all_ready()) return;
      const auto why = log();
      kill_all();
      if (attempt == 3) throw std::runtime_error("etcd does not start:\n" + why);
    }
  }
  ~EtcdCluster() { kill_all(); }
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] std::uint16_t port(std::size_t member = 0) const { return members_[member].port; }
  [[nodiscard]] std::string url(std::size_t member = 0) const {
    return scheme() + "://127.0.0.1:" + std::to_string(port(member));
  }
  [[nodiscard]] std::vector<std::string> urls() const {
    std::vector<std::string> urls;
    for (std::size_t i = 0; i < members_.size(); ++i) urls.push_back(url(i));
    return urls;
  }

  /// kill -9. What it had acknowledged is on its disk.
  void kill(std::size_t member) {
    auto& process = members_[member].process;
    if (process <= 0) return;
    ::kill(process, SIGKILL);
    ::kill(process, SIGCONT);
    ::waitpid(process, nullptr, 0);
    process = -1;
  }
  void pause(std::size_t member) { ::kill(members_[member].process, SIGSTOP); }
  void resume(std::size_t member) { ::kill(members_[member].process, SIGCONT); }

  void start(std::size_t member) {
    const auto name = "m" + std::to_string(member);
    const auto peer = peer_url(member);
    std::vector<std::string> words = {"etcd",
                                      "--name",
                                      name,
                                      "--data-dir",
                                      (generation_ / name).string(),
                                      "--listen-client-urls",
                                      url(member),
                                      "--advertise-client-urls",
                                      url(member),
                                      "--listen-peer-urls",
                                      peer,
                                      "--initial-advertise-peer-urls",
                                      peer,
                                      "--initial-cluster",
                                      all_peers(),
                                      "--initial-cluster-token",
                                      generation_.string()};
    if (!options_.certificate.empty()) {
      words.insert(words.end(), {"--cert-file", options_.certificate.string(), "--key-file",
                                 options_.key.string(), "--trusted-ca-file", options_.ca.string(),
                                 "--client-cert-auth"});
    }
    words.insert(words.end(), options_.flags.begin(), options_.flags.end());
    members_[member].process = run(words, generation_ / (name + ".log"));
  }
  /// Waits until every member that runs answers with the whole cluster's consent.
  void wait_ready() {
    if (!all_ready()) throw std::runtime_error("etcd does not come back:\n" + log());
  }

  /// The answer's body to a request of JSON, whatever its status.
  std::string post(const std::string& path, const std::string& json, std::size_t member = 0) {
    HttpClientConfig config;
    config.progress_timeout = std::chrono::seconds(10);
    config.tls = tls();
    auto client = HttpClient::to(url(member), config);
    const auto answer = client->send("POST", "/v3/" + path, {}, json);
    return answer ? answer->body : std::string();
  }

  /// A member that leads; with none for 30 s, throws.
  std::size_t leader() {
    std::size_t found = 0;
    wait_until("a leader", [&] {
      for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i].process <= 0) continue;
        const auto status = post("maintenance/status", "{}", i);
        const auto self = field(status, "member_id");
        if (self.empty() || self != field(status, "leader")) continue;
        found = i;
        return true;
      }
      return false;
    });
    return found;
  }

  /// Client settings for these servers, in a prefix of its own.
  EtcdConfig config(const std::string& prefix = "shoal/v1/") const {
    EtcdConfig config;
    config.endpoints = urls();
    config.tls = tls();
    config.prefix = prefix;
    return config;
  }

  /// The value of a string member of flat JSON.
  static std::string field(const std::string& json, const std::string& name) {
    const auto mark = "\"" + name + "\":\"";
    const auto at = json.find(mark);
    if (at == std::string::npos) return {};
    const auto begin = at + mark.size();
    return json.substr(begin, json.find('"', begin) - begin);
  }

  template <class Condition>
  static void wait_until(const std::string& what, const Condition& condition,
                         std::chrono::seconds limit = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("no " + what);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

 private:
  struct Member {
    std::uint16_t port = 0;
    std::uint16_t peer_port = 0;
    pid_t process = -1;
  };

  [[nodiscard]] std::string scheme() const {
    return options_.certificate.empty() ? "http" : "https";
  }
  [[nodiscard]] std::string peer_url(std::size_t member) const {
    return "http://127.0.0.1:" + std::to_string(members_[member].peer_port);
  }
  [[nodiscard]] std::string all_peers() const {
    std::string all;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      all += (i > 0 ? ",m" : "m") + std::to_string(i) + "=" + peer_url(i);
    }
    return all;
  }
  [[nodiscard]] std::shared_ptr<TlsContext> tls() const {
    if (options_.certificate.empty()) return nullptr;
    TlsConfig config;
    config.authorities_pem = text_of(options_.ca);
    config.certificate_pem = text_of(options_.certificate);
    config.key_pem = text_of(options_.key);
    return *TlsContext::client(config);
  }
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void choose_ports() {
    static int generations = 0;
    generation_ = folder_.path() / std::to_string(++generations);
    std::filesystem::create_directory(generation_);
    members_.assign(options_.members, {});
    std::vector<int> held;  // So that no port is chosen twice.
    const auto free_port = [&held] {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      held.push_back(socket);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      auto* const any = reinterpret_cast<sockaddr*>(&address);  // NOLINT: the sockets API.
      if (::bind(socket, any, size) != 0 || ::getsockname(socket, any, &size) != 0) {
        throw std::runtime_error("no free port");
      }
      return ntohs(address.sin_port);
    };
    for (auto& member : members_) {
      member.port = free_port();
      member.peer_port = free_port();
    }
    for (const int socket : held) ::close(socket);
  }

  static pid_t run(const std::vector<std::string>& words, const std::filesystem::path& log) {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::dup2(output, STDOUT_FILENO);
      ::dup2(output, STDERR_FILENO);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(output);
    return child;
  }

  [[nodiscard]] bool all_ready() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      auto& process = members_[i].process;
      while (process > 0 && !answers(i)) {
        if (std::chrono::steady_clock::now() > end) return false;
        if (::waitpid(process, nullptr, WNOHANG) == process) {
          process = -1;
          return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    return true;
  }

  /// A range without `serializable` needs a leader and a quorum; with authentication it is refused
  /// by a member that is well.
  [[nodiscard]] bool answers(std::size_t member) {
    const auto answer = post("kv/range", R"({"key":"AA=="})", member);
    return answer.find("revision") != answer.npos || answer.find("user name") != answer.npos;
  }

  void kill_all() {
    for (std::size_t i = 0; i < members_.size(); ++i) kill(i);
  }
  [[nodiscard]] std::string log() const {
    const auto text = text_of(generation_ / "m0.log");
    return text.substr(text.size() - std::min<std::size_t>(text.size(), 2000));
  }

  EtcdOptions options_;
  TempFolder folder_;
  std::filesystem::path generation_;
  std::vector<Member> members_;
};

}  // namespace shoal
