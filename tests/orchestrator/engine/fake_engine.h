#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "orchestrator/engine/container.h"
#include "orchestrator/engine/engine_info.h"

namespace shoal {

/// An engine for tests: a real HTTP server on a unix socket, with containers and images that live
/// in memory, in the dialect of Docker 20.10.24 or podman 4.3.1: what it answers comes from their
/// recordings wherever it does not tell of a container's own state. Faults are scripted. Threads of
/// its own; all calls are thread-safe.
class FakeEngine {
 public:
  explicit FakeEngine(EngineKind kind);
  ~FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] EngineKind kind() const { return kind_; }

  struct Item {
    std::string id;
    std::string name;
    std::string image;
    LabelMap labels;
    ContainerPhase phase = ContainerPhase::created;
    int exit_code = 0;
    unsigned restarts = 0;
    std::int64_t finished = 0;  // A time that grows with each end.
    std::string document;       // What it was created with.
  };
  [[nodiscard]] std::vector<Item> containers();
  [[nodiscard]] std::optional<Item> container(const std::string& name);
  /// One that somebody else made. Gives its id.
  std::string add(const std::string& name, const LabelMap& labels, ContainerPhase phase);
  /// It ends by itself.
  void end(const std::string& name, int exit_code);
  /// Somebody removes it by force.
  void lose(const std::string& name);
  /// The engine restarts it, so often.
  void restart(const std::string& name, unsigned times);

  void hold_image(const std::string& reference);
  void drop_image(const std::string& reference);
  /// What the registry has: pulls of others fail as the dialect has it.
  void publish(const std::string& reference);
  [[nodiscard]] std::set<std::string> images();

  /// A container's log, as the engine sends it: `stream` 1 or 2.
  void log(const std::string& name, int stream, const std::string& text);
  void event(const std::string& line);

  /// What happens to the next `times` requests whose `METHOD /path` contains `match`.
  struct Fault {
    enum class Kind {
      answer,      // `status` and `body`, and nothing is done.
      lose_reply,  // It is done, and the connection closed without an answer.
      hold_reply,  // It is done, and no answer comes as long as the client waits.
      hold,        // Nothing is done, and no answer comes either.
      drop,        // Nothing is done, and the connection is closed.
      tear,        // It is done, and the answer ends after `bytes` of its body.
      fail_exec,   // Of an exec: its exit code is `status`.
      skip_pull,   // Of a pull: all looks well, and no image comes of it.
    };
    std::string match;
    Kind kind = Kind::answer;
    int status = 500;
    std::string body = R"({"message":"scripted"})";
    std::size_t bytes = 0;
    int times = 1;
  };
  void script(Fault fault);

  /// `METHOD /path?query`, without the version, in order.
  [[nodiscard]] std::vector<std::string> requests();
  [[nodiscard]] std::size_t count(const std::string& match);
  /// Waits until a request that contains `match` has come; false after 20 s.
  [[nodiscard]] bool wait_for(const std::string& match, std::size_t times = 1);
  /// Ends all connections that are open, as an engine that is restarted.
  void break_connections();

 private:
  struct Request {
    std::string method;
    std::string path;  // Without version and query.
    std::map<std::string, std::string> query;
    std::string target;
    std::string body;
  };
  struct Reply {
    int status = 200;
    std::string body;
    std::string follow;  // Not empty: entries of this stream follow until it ends.
  };

  void accept();
  void serve(int connection);
  [[nodiscard]] std::optional<Request> read(int connection);
  void send(int connection, const Reply& reply, std::optional<std::size_t> tear_after);
  void follow(int connection, const std::string& stream);
  [[nodiscard]] std::optional<Fault> fault_for(const std::string& target);

  // With the mutex held.
  [[nodiscard]] Reply answer(const Request& request, const std::optional<Fault>& fault);
  [[nodiscard]] Reply answer_container(const Request& request, const std::string& id,
                                       const std::string& verb);
  [[nodiscard]] Reply answer_image(const Request& request, const std::string& reference);
  [[nodiscard]] Reply create(const Request& request);
  [[nodiscard]] Reply pull(const Request& request, bool skip);
  [[nodiscard]] Reply from_recording(const std::string& name) const;
  [[nodiscard]] Item* find(const std::string& id_or_name);
  [[nodiscard]] std::string inspect_text(const Item& item) const;
  [[nodiscard]] std::string list_text(const std::string& filters) const;
  [[nodiscard]] std::string new_id();

  const EngineKind kind_;
  std::string folder_;
  std::string socket_;
  int listener_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::map<std::string, Item> items_;  // By id.
  std::set<std::string> images_;
  std::set<std::string> published_;
  std::map<std::string, std::string> streams_;  // Logs by container's name; events as "events".
  std::deque<Fault> faults_;
  std::vector<std::string> requests_;
  std::map<std::string, int> execs_;  // Exit codes by id.
  std::set<int> open_;
  unsigned made_ = 0;
  std::int64_t clock_ = 1'700'000'000;
  std::thread acceptor_;
  std::vector<std::thread> servers_;
};

}  // namespace shoal
