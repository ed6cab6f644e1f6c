#include "bench/sim/report.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "bench/sim/costs.h"

namespace shoal::sim {
namespace {

double seconds(Time time) { return std::chrono::duration<double>(time).count(); }

/// The smallest value that so many of a hundred do not exceed; 0 of none.
double percentile(std::vector<double>& values, double percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// What the hosts waited for, each of them.
struct Waits {
  std::vector<double> all, first_byte, half;
  double failed = 0;
};

Waits waits_of(const World& world) {
  Waits waits;
  const auto blobs = world.blobs().size();
  const std::size_t first = world.options().workload == Workload::w9 ? 1 : 0;
  for (std::size_t host = 1; host < world.hosts().size(); ++host) {
    if (!world.hosts()[host].lives) continue;
    Time begin = Time::max(), end{0};
    bool all = true;
    for (std::size_t blob = first; blob < blobs; ++blob) {
      const auto& member = world.members()[host * blobs + blob];
      begin = std::min(begin, member.wanted);
      end = std::max(end, member.done);
      all = all && member.state == Member::State::done;
      if (!member.picker) all = false;  // Had it from the start.
      if (member.state == Member::State::failed) ++waits.failed;
      if (member.state != Member::State::done || !member.picker) continue;
      waits.first_byte.push_back(seconds(member.first_byte - member.wanted));
      waits.half.push_back(seconds(member.half - member.wanted));
    }
    if (all) waits.all.push_back(seconds(end - begin));
  }
  return waits;
}

void add_bytes(const World& world, bench::Report& report) {
  double duplicate = 0, received = 0, sent = 0, sent_max = 0, peers_sent = 0;
  for (const auto& member : world.members()) {
    duplicate += static_cast<double>(member.duplicate);
    received += static_cast<double>(member.received);
    sent += static_cast<double>(member.sent);
  }
  const auto& hosts = world.hosts();
  for (std::size_t host = 1; host < hosts.size(); ++host) {
    const auto bytes = static_cast<double>(hosts[host].sent);
    peers_sent += bytes;
    sent_max = std::max(sent_max, bytes);
  }
  double whole = 0;
  for (const auto& blob : world.blobs()) whole += static_cast<double>(blob.bytes);
  const auto peers = static_cast<double>(hosts.size() - 1);
  auto& numbers = report.numbers;
  numbers["received_bytes"] = received;
  numbers["sent_bytes"] = sent;
  numbers["duplicate_share"] = received > 0 ? duplicate / received : 0;
  numbers["seed_copies"] = static_cast<double>(hosts.front().sent) / whole;
  numbers["upload_skew"] = peers_sent > 0 ? sent_max / (peers_sent / peers) : 0;
  numbers["seed_busy"] = seconds(hosts.front().uplink.link.busy()) / seconds(world.now());
}

void add_nodes(const World& world, bench::Report& report) {
  std::vector<double> connections, requests, bytes;
  const auto& traffic = world.directory().traffic();
  double served_max = 0, served_bytes_max = 0;
  for (std::size_t host = 0; host < world.hosts().size(); ++host) {
    if (host > 0) connections.push_back(static_cast<double>(world.hosts()[host].connections_max));
    const auto& of = traffic[host];
    requests.push_back(static_cast<double>(of.requests));
    bytes.push_back(static_cast<double>(of.bytes));
    served_max = std::max(served_max, static_cast<double>(of.served));
    served_bytes_max = std::max(served_bytes_max, static_cast<double>(of.served_bytes));
  }
  auto& numbers = report.numbers;
  numbers["connections_mean"] = mean(connections);
  numbers["connections_p99"] = percentile(connections, 99);
  numbers["connections_max"] = percentile(connections, 100);
  const auto memory = [](double connected) {
    return kNodeMegabytes + kConnectionMegabytes * connected;
  };
  numbers["memory_mean_mb"] = memory(mean(connections));
  numbers["memory_max_mb"] = memory(percentile(connections, 100));
  numbers["memory_seed_mb"] = memory(static_cast<double>(world.hosts().front().connections_max));
  const auto table = world.directory().largest_table();
  numbers["directory_fetchers_max"] = static_cast<double>(table.fetchers);
  numbers["directory_entries_max"] = static_cast<double>(table.entries);
  numbers["connections_seed"] = static_cast<double>(world.hosts().front().connections_max);
  numbers["directory_requests_mean"] = mean(requests);
  numbers["directory_bytes_mean"] = mean(bytes);
  numbers["directory_served_max"] = served_max;
  numbers["directory_served_bytes_max"] = served_bytes_max;
  numbers["directory_burst"] = static_cast<double>(world.directory().burst());
}

}  // namespace

bench::Report report(const World& world) {
  bench::Report report;
  auto& numbers = report.numbers;
  auto waits = waits_of(world);
  const double bound = bound_seconds(world.options());
  numbers["hosts"] = static_cast<double>(world.options().hosts);
  numbers["pieces"] = world.shape(0).pieces();
  numbers["piece_bytes"] = static_cast<double>(world.shape(0).piece_bytes);
  numbers["unit_bytes"] = static_cast<double>(world.shape(0).unit_bytes);
  numbers["bound_s"] = bound;
  numbers["finished"] = static_cast<double>(waits.all.size());
  numbers["failed"] = waits.failed;
  numbers["unfinished"] = static_cast<double>(world.unfinished());
  for (const auto& [name, percent] : {std::pair{"p50", 50.0}, {"p99", 99.0}, {"max", 100.0}}) {
    const double time = percentile(waits.all, percent);
    numbers[std::string(name) + "_s"] = time;
    numbers[std::string(name) + "_over_bound"] = time / bound;
  }
  numbers["first_byte_p50_s"] = percentile(waits.first_byte, 50);
  numbers["first_byte_max_s"] = percentile(waits.first_byte, 100);
  numbers["half_p50_over_bound"] = percentile(waits.half, 50) / bound;
  numbers["half_max_over_bound"] = percentile(waits.half, 100) / bound;
  numbers["events"] = static_cast<double>(world.events());
  numbers["simulated_s"] = seconds(world.now());
  add_bytes(world, report);
  add_nodes(world, report);
  return report;
}

}  // namespace shoal::sim
