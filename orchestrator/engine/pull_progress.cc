#include "orchestrator/engine/pull_progress.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace shoal {
namespace {

using Json = nlohmann::json;

constexpr double kDownloadShare = 0.7;  // The rest is unpacking.
constexpr double kAlmost = 0.999;       // Until the engine was seen to hold it.
constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kLayersMax = 1024;                          // No engine takes more than 127.
constexpr std::uint64_t kLayerBytesMax = std::uint64_t{1} << 50;  // So that sums stay exact enough.

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return 0;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(found->get<std::int64_t>(), 0));
}

bool is_layer_id(std::string_view id) {
  return id.size() == kIdDigits && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

double share_of(const PullLine& line) {
  if (line.total == 0) return 0;
  return std::min(1.0, static_cast<double>(line.current) / static_cast<double>(line.total));
}

void raise(double& value, double to) { value = std::max(value, to); }

}  // namespace

std::optional<PullLine> parse_pull_line(std::string_view line) {
  const Json document = Json::parse(line, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  PullLine parsed;
  parsed.id = text_in(document, "id");
  parsed.status = text_in(document, "status");
  parsed.error = text_in(document, "error");
  const auto detail = document.find("errorDetail");
  if (parsed.error.empty() && detail != document.end() && detail->is_object()) {
    parsed.error = text_in(*detail, "message");
    if (parsed.error.empty()) parsed.error = "the engine gave no reason";
  }
  const auto progress = document.find("progressDetail");
  if (progress != document.end() && progress->is_object()) {
    parsed.current = number_in(*progress, "current");
    parsed.total = number_in(*progress, "total");
  }
  return parsed;
}

PullProgress::PullProgress(const std::vector<Layer>& layers) : sizes_known_(!layers.empty()) {
  for (const auto& layer : layers) {
    const auto text = layer.digest.to_string();
    const auto id = text.substr(text.find(':') + 1, kIdDigits);
    Progress progress;
    progress.bytes = std::min(layer.bytes, kLayerBytesMax);
    progress.counted = true;
    layers_.try_emplace(id, progress);  // A layer may occur twice; it is fetched once.
  }
  update();
}

void PullProgress::add(const PullLine& line) {
  if (!line.error.empty() && error_.empty()) error_ = line.error;
  if (!is_layer_id(line.id)) return;
  if (layers_.size() >= kLayersMax && !layers_.contains(line.id)) return;
  auto& layer = layers_[line.id];
  if (!sizes_known_) layer.counted = true;
  if (line.status == "Downloading") {
    if (!sizes_known_) layer.bytes = std::max(layer.bytes, std::min(line.total, kLayerBytesMax));
    raise(layer.downloaded, share_of(line));
  } else if (line.status == "Verifying Checksum" || line.status == "Download complete") {
    layer.downloaded = 1;
  } else if (line.status == "Extracting") {
    layer.downloaded = 1;
    raise(layer.unpacked, share_of(line));
  } else if (line.status == "Pull complete" || line.status == "Already exists") {
    layer.downloaded = 1;
    layer.unpacked = 1;
  }
  update();
}

void PullProgress::finish() {
  for (auto& [id, layer] : layers_) {
    layer.downloaded = 1;
    layer.unpacked = 1;
  }
  update();
  state_.share = 1;
}

void PullProgress::update() {
  // Layers of unknown size weigh alike, and nothing beside those whose size is known.
  std::uint64_t total = 0;
  double done = 0;
  double work = 0;
  double plain_work = 0;
  std::size_t count = 0;
  std::size_t ready = 0;
  for (const auto& [id, layer] : layers_) {
    if (!layer.counted) continue;
    const auto bytes = static_cast<double>(layer.bytes);
    const double share = kDownloadShare * layer.downloaded + (1 - kDownloadShare) * layer.unpacked;
    total += layer.bytes;
    done += bytes * layer.downloaded;
    work += bytes * share;
    plain_work += share;
    ++count;
    ready += layer.unpacked >= 1 ? 1 : 0;
  }
  double share = 0;
  if (total > 0) share = work / static_cast<double>(total);
  if (total == 0 && count > 0) share = plain_work / static_cast<double>(count);
  raise(state_.share, std::min(share, kAlmost));
  state_.bytes_done = std::max(state_.bytes_done, static_cast<std::uint64_t>(done));
  state_.bytes_total = std::max(state_.bytes_total, total);
  state_.layers = std::max(state_.layers, count);
  state_.layers_done = std::max(state_.layers_done, ready);
}

}  // namespace shoal
