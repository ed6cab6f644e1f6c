#include "orchestrator/engine/labels.h"

#include <charconv>

namespace shoal {
namespace {

constexpr const char* kService = "shoal.service";
constexpr const char* kSlot = "shoal.slot";
constexpr const char* kGeneration = "shoal.generation";
constexpr const char* kSpecHash = "shoal.spec-hash";
constexpr const char* kImageDigest = "shoal.image-digest";
constexpr const char* kImage = "shoal.image";

bool read(const LabelMap& labels, const char* name, std::string& value) {
  const auto found = labels.find(name);
  if (found == labels.end() || found->second.empty()) return false;
  value = found->second;
  return true;
}

}  // namespace

LabelMap SlotLabels::to_map() const {
  return {{kOwnerLabel, owner},   {kService, service},
          {kSlot, slot},          {kGeneration, std::to_string(generation)},
          {kSpecHash, spec_hash}, {kImageDigest, image_digest},
          {kImage, image}};
}

std::optional<SlotLabels> SlotLabels::parse(const LabelMap& labels) {
  SlotLabels parsed;
  std::string generation;
  const bool complete =
      read(labels, kOwnerLabel, parsed.owner) && read(labels, kService, parsed.service) &&
      read(labels, kSlot, parsed.slot) && read(labels, kGeneration, generation) &&
      read(labels, kSpecHash, parsed.spec_hash) &&
      read(labels, kImageDigest, parsed.image_digest) && read(labels, kImage, parsed.image);
  if (!complete) return std::nullopt;
  const auto* const end = generation.data() + generation.size();
  const auto [last, error] = std::from_chars(generation.data(), end, parsed.generation);
  if (error != std::errc() || last != end) return std::nullopt;
  if (std::to_string(parsed.generation) != generation) return std::nullopt;
  return parsed;
}

}  // namespace shoal
