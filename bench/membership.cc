// shoal_bench_membership: what the members of a large cluster cost the node that holds its state.
// One process is that node: an embedded state and its gateway behind TLS. The other is all members,
// each a real Membership on an EtcdState of its own. Prints one line of JSON; bench/membership.py
// runs it and draws the table.

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <prometheus/registry.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "bench/fatal.h"
#include "bench/report.h"
#include "orchestrator/keys.h"
#include "orchestrator/membership/membership.h"
#include "orchestrator/state/embedded_state.h"
#include "orchestrator/state/etcd_state.h"
#include "orchestrator/state/state_gateway.h"
#include "orchestrator/trust/node_id.h"
#include "orchestrator/trust/node_identity.h"
#include "registry/http/server.h"

namespace shoal::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Options {
  std::filesystem::path directory;
  unsigned members = 1000;
  unsigned seconds = 60;
  std::chrono::seconds ttl{15};
};

template <class T>
T must(Result<T> result) {
  if (!result) fatal(result.error().message);
  return *std::move(result);
}

/// What the two processes share.
struct Shared {
  std::atomic<unsigned> port{0};
  std::atomic<std::uint64_t> beats{0};
  std::atomic<std::uint64_t> lists{0};
  std::atomic<std::uint64_t> watches{0};
  std::atomic<std::uint64_t> others{0};
};

void count(Shared& shared, const std::string& path) {
  auto& kind = path == "/v3/lease/keepalive" ? shared.beats
               : path == "/v3/kv/range"      ? shared.lists
               : path == "/v3/watch"         ? shared.watches
                                             : shared.others;
  ++kind;
}

NodeIdentity make_identity(const Authority& authority) {
  return must(NodeIdentity::issue(authority, must(make_node_id()), std::chrono::hours(24)));
}

/// The node with the state; runs until it is killed.
void hold_state(const Options& options, const NodeIdentity& identity, Shared& shared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto state = must(EmbeddedState::open({options.directory / "state", 10'000}));
  asio::thread_pool pool(8);
  StateGateway gateway(*state, pool, [](const std::string&) { return true; });
  HttpServerConfig config;
  config.listen = {"127.0.0.1:0"};
  config.tls = must(TlsContext::server(identity.tls()));
  prometheus::Registry metrics;
  const auto server = must(HttpServer::bind(
      config,
      [&](Request& request) {
        count(shared, request.path);
        return gateway.serve(request);
      },
      metrics));
  server->start();
  const auto address = server->addresses().front();
  shared.port = static_cast<unsigned>(std::stoul(address.substr(address.rfind(':') + 1)));
  for (;;) ::pause();
}

/// Microseconds of keep() as all members saw them.
class Times {
 public:
  void add(SteadyClock::duration time) {
    const std::lock_guard lock(mutex_);
    times_.push_back(std::chrono::duration<double, std::micro>(time).count());
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    times_.clear();
  }
  double percentile(double share) {
    const std::lock_guard lock(mutex_);
    if (times_.empty()) return 0;
    std::sort(times_.begin(), times_.end());
    const auto at = static_cast<std::size_t>(share * static_cast<double>(times_.size() - 1));
    return times_[at];
  }

 private:
  std::mutex mutex_;
  std::vector<double> times_;
};

/// A member's state, which measures its beats, and can be cut off as by a pulled plug.
class MeasuredState : public State {
 public:
  MeasuredState(std::unique_ptr<State> real, Times& times)
      : real_(std::move(real)), times_(times) {}
  std::atomic<bool> cut{false};

  Result<void> keep(LeaseId lease) override {
    if (cut) return fail(Errc::unavailable, "cut off");
    const auto start = SteadyClock::now();
    auto kept = real_->keep(lease);
    times_.add(SteadyClock::now() - start);
    return kept;
  }
  Result<LeaseId> grant(std::chrono::seconds ttl) override {
    if (cut) return fail(Errc::unavailable, "cut off");
    return real_->grant(ttl);
  }
  Result<void> revoke(LeaseId lease) override {
    if (cut) return fail(Errc::unavailable, "cut off");
    return real_->revoke(lease);
  }
  Result<std::optional<StateEntry>> get(const std::string& key) override { return real_->get(key); }
  Result<StateList> list(const std::string& prefix, const std::string& after,
                         std::size_t limit) override {
    return real_->list(prefix, after, limit);
  }
  Result<Revision> commit(const Transaction& transaction) override {
    return real_->commit(transaction);
  }
  std::unique_ptr<StateWatch> watch(const std::string& prefix, Sink sink) override {
    return real_->watch(prefix, std::move(sink));
  }
  std::string description() const override { return real_->description(); }

 private:
  std::unique_ptr<State> real_;
  Times& times_;
};

struct SimulatedMember {
  std::unique_ptr<MeasuredState> state;
  std::unique_ptr<Membership> membership;
};

double cpu_seconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double resident_mb(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void wait_for_live(const std::vector<SimulatedMember>& members, std::size_t wanted) {
  const auto give_up = SteadyClock::now() + std::chrono::minutes(10);
  for (const auto& member : members) {
    while (member.membership->now()->peers.size() != wanted) {
      if (SteadyClock::now() > give_up) fatal("the members never saw each other");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

/// What a simulated member needs to know of the cluster.
struct Way {
  const Authority& authority;
  EtcdConfig config;  // But for what the member shows.
};

SimulatedMember start_member(const Options& options, const Way& way, unsigned number,
                             Times& times) {
  const auto identity = make_identity(way.authority);
  auto config = way.config;
  config.tls = must(TlsContext::client(identity.tls()));
  Member self;
  self.id = identity.node_id;
  self.urls = {"https://10." + std::to_string(number >> 16) + "." +
               std::to_string(number >> 8 & 255) + "." + std::to_string(number & 255) + ":5001"};
  self.labels = {{"dc", number % 2 == 0 ? "west" : "east"}, {"rack", std::to_string(number / 40)}};
  self.engine = Engine{"docker", "20.10.24", "1.41"};
  self.version = "0.1.0";
  SimulatedMember member;
  member.state = std::make_unique<MeasuredState>(must(EtcdState::to(config)), times);
  member.membership =
      std::make_unique<Membership>(*member.state, self, MembershipConfig{options.ttl, {}});
  return member;
}

/// How long it takes until another member no longer counts one that is cut off.
double seconds_until_gone(std::vector<SimulatedMember>& members) {
  auto& victim = members.back();
  const auto id = victim.membership->now()->self;
  victim.state->cut = true;
  const auto start = SteadyClock::now();
  while (members.front().membership->now()->find(id) != nullptr) {
    if (SteadyClock::now() - start > std::chrono::minutes(5)) fatal("a dead member stays live");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double seconds_until_stop_seen(std::vector<SimulatedMember>& members) {
  auto& leaver = *members[members.size() / 2].membership;
  const auto id = leaver.now()->self;
  const auto start = SteadyClock::now();
  leaver.stop();
  while (members.front().membership->now()->find(id) != nullptr) {
    if (SteadyClock::now() - start > std::chrono::minutes(5)) fatal("a stopped member stays live");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// Prints the report, and ends the program: a thousand orderly stops are another benchmark.
[[noreturn]] void measure(const Options& options, const Way& way, pid_t server, Shared& shared) {
  Times times;
  std::vector<SimulatedMember> members;
  const auto start = SteadyClock::now();
  for (unsigned i = 0; i < options.members; ++i) {
    members.push_back(start_member(options, way, i, times));
  }
  wait_for_live(members, members.size());
  Report report;
  auto& numbers = report.numbers;
  numbers["start_seconds"] = std::chrono::duration<double>(SteadyClock::now() - start).count();
  numbers["start_cpu_seconds"] = cpu_seconds(server);

  times.clear();
  const auto beats = shared.beats.load();
  const auto lists = shared.lists.load();
  const auto watches = shared.watches.load();
  const auto others = shared.others.load();
  const double cpu = cpu_seconds(server);
  const auto from = SteadyClock::now();
  std::this_thread::sleep_for(std::chrono::seconds(options.seconds));
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - from).count();
  const auto rate = [seconds](std::uint64_t now, std::uint64_t before) {
    return static_cast<double>(now - before) / seconds;
  };
  numbers["beats_per_second"] = rate(shared.beats, beats);
  numbers["lists_per_second"] = rate(shared.lists, lists);
  numbers["watches_per_second"] = rate(shared.watches, watches);
  numbers["others_per_second"] = rate(shared.others, others);
  numbers["cpu_percent"] = 100 * (cpu_seconds(server) - cpu) / seconds;
  numbers["resident_mb"] = resident_mb(server);
  numbers["beat_p50_us"] = times.percentile(0.5);
  numbers["beat_p99_us"] = times.percentile(0.99);
  numbers["beat_max_us"] = times.percentile(1);
  wait_for_live(members, members.size());
  numbers["stop_seen_seconds"] = seconds_until_stop_seen(members);
  numbers["death_seen_seconds"] = seconds_until_gone(members);
  numbers["ttl_seconds"] = static_cast<double>(lease_ttl(members.size(), options.ttl).count());
  numbers["members"] = static_cast<double>(members.size());
  print(report);
  std::fflush(stdout);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  std::filesystem::remove_all(options.directory);
  std::_Exit(0);
}

int run(int argc, char** argv) {
  Options options;
  unsigned ttl = 15;
  CLI::App app("shoal_bench_membership: what the members cost the node that holds the state");
  app.add_option("--dir", options.directory, "emptied before and after")->required();
  app.add_option("--members", options.members);
  app.add_option("--seconds", options.seconds, "of measuring, when all are there");
  app.add_option("--ttl", ttl, "the shortest lease");
  CLI11_PARSE(app, argc, argv);
  options.ttl = std::chrono::seconds(ttl);

  spdlog::set_level(spdlog::level::off);  // Its lines would stand on stdout, between ours.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::filesystem::remove_all(options.directory);
  std::filesystem::create_directories(options.directory);
  const auto authority = must(Authority::load_or_create(options.directory / "trust"));
  const auto identity = make_identity(authority);
  void* const memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fatal("no shared memory");
  auto& shared = *new (memory) Shared;

  const pid_t server = ::fork();
  if (server == 0) hold_state(options, identity, shared);
  while (shared.port == 0) {
    if (::waitpid(server, nullptr, WNOHANG) != 0) fatal("the node with the state did not start");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  Way way{authority, {}};
  way.config.endpoints = {"https://127.0.0.1:" + std::to_string(shared.port)};
  way.config.peer = identity.node_id;
  measure(options, way, server, shared);
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) { return shoal::bench::run(argc, argv); }
