#include "p2p/swarm/ended.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace shoal {

void log_end(const SwarmEnded& ended) {
  std::string sources;
  for (const auto& [source, bytes] : ended.sources) {
    sources += fmt::format("{}{}:{}", sources.empty() ? "" : ",", source, bytes);
  }
  const auto took = ended.took.count();
  if (ended.error) {
    spdlog::warn("blob not fetched digest={} bytes={} of={} from={} ms={} error=\"{}\"",
                 ended.digest.to_string(), ended.arrived_bytes, ended.bytes, sources, took,
                 ended.error->message);
    return;
  }
  spdlog::info(
      "blob fetched digest={} bytes={} from={} ms={} mbit_per_s={:.1f} over_best={:.2f}"
      " class={}",
      ended.digest.to_string(), ended.bytes, sources, took,
      static_cast<double>(ended.bytes) * 8 / 1000 / static_cast<double>(took), ended.over_best,
      to_string(ended.of_class));
}

}  // namespace shoal
