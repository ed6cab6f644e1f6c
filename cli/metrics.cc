#include "cli/metrics.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

namespace shoal {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string name, std::string help, MetricType type, double value) {
  ClientMetric metric;
  if (type == MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  return {std::move(name), std::move(help), type, {std::move(metric)}};
}

MetricFamily gauge(std::string name, std::string help, std::uint64_t value) {
  return family(std::move(name), std::move(help), MetricType::Gauge, static_cast<double>(value));
}

void add_store(std::vector<MetricFamily>& families, const Usage& usage) {
  families.push_back(gauge("shoal_store_blobs", "Blobs in the store.", usage.blobs));
  families.push_back(gauge("shoal_store_content_bytes",
                           "Bytes that clients pushed, each blob once.", usage.content_bytes));
  families.push_back(
      gauge("shoal_store_stored_bytes", "Bytes on disk, after compression.", usage.stored_bytes));
  families.push_back(gauge("shoal_store_quota_bytes", "The quota of bytes on disk; 0 is none.",
                           usage.quota_bytes));
  families.push_back(gauge("shoal_store_disk_free_bytes", "Free space on the store's disk.",
                           usage.disk_free_bytes));
  families.push_back(gauge("shoal_store_uploads", "Open upload sessions.", usage.uploads));
  families.push_back(
      gauge("shoal_store_upload_bytes", "Bytes in open upload sessions.", usage.upload_bytes));
  families.push_back(
      gauge("shoal_store_arrivals", "Blobs on their way from other nodes.", usage.arrivals));
  families.push_back(gauge("shoal_store_arrival_bytes",
                           "Bytes of them, those included that are still to come.",
                           usage.arrival_bytes));
  families.push_back(gauge("shoal_store_quarantined_blobs",
                           "Blobs whose content did not match their digest.", usage.quarantined));
}

MetricFamily counter(std::string name, std::string help, std::uint64_t value) {
  return family(std::move(name), std::move(help), MetricType::Counter, static_cast<double>(value));
}

void add_cluster(std::vector<MetricFamily>& families, const ClusterStatus& cluster) {
  const auto live = std::count_if(cluster.members.begin(), cluster.members.end(),
                                  [](const NodeView& node) { return node.live; });
  families.push_back(gauge("shoal_cluster_members", "Nodes that joined.", cluster.members.size()));
  families.push_back(gauge("shoal_cluster_members_live", "Nodes that this one sees alive.",
                           static_cast<std::uint64_t>(live)));
  families.push_back(gauge("shoal_cluster_state_available", "1 while the cluster's state answers.",
                           cluster.state_available ? 1 : 0));
  families.push_back(
      gauge("shoal_cluster_leader", "1 on the node that leads.", cluster.standing.epoch ? 1 : 0));
  families.push_back(
      gauge("shoal_cluster_images", "Images that this node looks after.", cluster.replicas.images));
  families.push_back(gauge("shoal_cluster_images_short", "Of these, those with too few copies.",
                           cluster.replicas.short_here));
  families.push_back(counter("shoal_cluster_copies_total", "Copies made by this node's order.",
                             cluster.replicas.copies));
  families.push_back(gauge("shoal_cluster_fetches", "Blobs on their way from other nodes.",
                           cluster.transfers.transfers));
  families.push_back(counter("shoal_cluster_fetched_blobs_total", "Blobs from other nodes.",
                             cluster.transfers.stored));
  families.push_back(
      counter("shoal_cluster_fetched_bytes_total", "Bytes of them.", cluster.transfers.bytes));
  families.push_back(counter("shoal_cluster_wrong_blobs_total",
                             "Blobs from other nodes that did not match their digest.",
                             cluster.transfers.wrong));
}

void add_swarm(std::vector<MetricFamily>& families, const Swarm::Totals& totals) {
  const auto& transfers = totals.transfers;
  families.push_back(
      gauge("shoal_swarm_transfers", "Blobs that arrive by the swarm now.", transfers.now));
  families.push_back(
      gauge("shoal_swarm_torrents", "Blobs that are shared now, both ways.", totals.torrents));
  families.push_back(
      gauge("shoal_swarm_tunnels", "Connections that carry BitTorrent.", totals.tunnels));
  families.push_back(counter("shoal_swarm_finished_total", "Blobs that arrived by the swarm.",
                             transfers.finished));
  families.push_back(
      counter("shoal_swarm_finished_bytes_total", "Bytes of them.", transfers.finished_bytes));
  families.push_back(counter("shoal_swarm_failed_total", "Transfers that ended without their blob.",
                             transfers.failed));
  families.push_back(counter("shoal_swarm_wrong_total",
                             "Blobs by the swarm that did not match their digest.",
                             transfers.wrong));
  families.push_back(counter("shoal_swarm_received_bytes_total",
                             "Bytes of content that came by BitTorrent.", totals.received_bytes));
  families.push_back(counter("shoal_swarm_sent_bytes_total",
                             "Bytes of content that were given by BitTorrent.", totals.sent_bytes));
  families.push_back(counter("shoal_swarm_https_bytes_total",
                             "Bytes that transfers took over HTTPS.", transfers.https_bytes));
  families.push_back(gauge("shoal_swarm_waiting_bytes",
                           "Bytes in memory that are still to be checked or written.",
                           totals.waiting_bytes));
  families.push_back(gauge("shoal_swarm_lent_bytes", "Memory of pieces.", totals.lent_bytes));
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void add_process(std::vector<MetricFamily>& families) {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  families.push_back(family("process_cpu_seconds_total", "User and system CPU time.",
                            MetricType::Counter, seconds(used.ru_utime) + seconds(used.ru_stime)));
  // proc(5): sizes in pages; the second is the resident set.
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  families.push_back(gauge("process_resident_memory_bytes", "Resident memory.",
                           pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))));
  std::error_code error;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd", error);
  if (error) return;
  const auto open = std::distance(begin(descriptors), end(descriptors));
  families.push_back(
      gauge("process_open_fds", "Open file descriptors.", static_cast<std::uint64_t>(open)));
}

}  // namespace

std::string metrics_text(const prometheus::Registry& registry, const Store& store,
                         const ClusterStatus* cluster) {
  auto families = registry.Collect();
  add_store(families, store.usage());
  if (cluster != nullptr) {
    add_cluster(families, *cluster);
    add_swarm(families, cluster->swarm);
  }
  add_process(families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace shoal
