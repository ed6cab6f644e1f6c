#include "orchestrator/placement/hosts_json.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/cccf/json_value.h"
#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/service.h"
#include "orchestrator/placement/cccf_requests.h"

namespace shoal {
namespace {

/// More than any host has, and small enough to add up without overflow.
constexpr std::uint64_t kBytesMax = 1ULL << 56;
constexpr std::uint64_t kCoresMax = 1 << 20;
constexpr std::uint64_t kMhzMax = 1 << 30;

/// A value and where it stands. The first fault stays in `fault`; what is read after it is of no
/// use.
class Reader {
 public:
  Reader(const JsonValue* value, std::string pointer, std::optional<Error>& fault)
      : value_(value), pointer_(std::move(pointer)), fault_(fault) {}

  [[nodiscard]] bool given() const { return value_ != nullptr && !value_->is_null(); }
  [[nodiscard]] const JsonValue& value() const { return *value_; }
  [[nodiscard]] const std::string& pointer() const { return pointer_; }

  [[nodiscard]] Reader at(std::string_view name) const {
    return {given() ? value_->find(name) : nullptr, pointer_ + pointer_part(name), fault_};
  }

  void refuse(std::string_view what) const {
    if (!fault_) {
      fault_ = Error{Errc::usage,
                     fmt::format("{}: it is no {}", pointer_.empty() ? "/" : pointer_, what)};
    }
  }

  template <class Each>
  void each(std::string_view what, Each each) const {
    if (!given()) return;
    if (value_->array() == nullptr) return refuse(what);
    std::size_t i = 0;
    for (const auto& element : *value_->array()) {
      each(Reader(&element, fmt::format("{}/{}", pointer_, i++), fault_));
    }
  }

  template <class Each>
  void each_field(std::string_view what, Each each) const {
    if (!given()) return;
    if (value_->object() == nullptr) return refuse(what);
    for (const auto& field : *value_->object()) {
      each(field.name, Reader(&field.value, pointer_ + pointer_part(field.name), fault_));
    }
  }

  void read(std::string& text) const {
    if (!given()) return;
    if (value_->text() == nullptr) return refuse("text");
    text = *value_->text();
  }

  void read(bool& flag) const {
    if (!given()) return;
    if (value_->boolean() == nullptr) return refuse("true or false");
    flag = *value_->boolean();
  }

  /// Bytes, or text such as "500MB".
  [[nodiscard]] std::optional<std::uint64_t> bytes() const {
    if (!given()) return std::nullopt;
    const auto read = read_bytes(*value_);
    if (read && *read <= kBytesMax) return read;
    refuse("number of bytes, such as 536870912 or \"512MiB\"");
    return std::nullopt;
  }

  void read_amount_of(std::uint64_t& bytes_read) const {
    if (const auto read = bytes()) bytes_read = *read;
  }

  void read_rate(std::uint64_t& rate) const {
    const auto read = bytes();
    if (read && *read == 0) return refuse("number of bytes a second above 0");
    if (read) rate = *read;
  }

  [[nodiscard]] std::uint64_t number(std::uint64_t most, std::uint64_t otherwise) const {
    if (!given()) return otherwise;
    const auto whole = value_->whole();
    if (whole && *whole <= most) return *whole;
    refuse(fmt::format("whole number from 0 to {}", most));
    return otherwise;
  }

  void read(Platform& platform) const {
    std::string text;
    read(text);
    if (text.empty()) return;
    auto parsed = Platform::parse(text);
    if (!parsed) return refuse("platform such as linux/amd64");
    platform = *std::move(parsed);
  }

  [[nodiscard]] std::optional<Digest> digest() const {
    std::string text;
    read(text);
    auto parsed = Digest::parse(text);
    if (parsed) return *parsed;
    refuse("digest such as sha256:...");
    return std::nullopt;
  }

  void take(const CccfDiagnostics& problems) const {
    if (!has_errors(problems) || fault_) return;
    const auto& first = problems.front();
    fault_ = Error{Errc::usage, fmt::format("{}: {}", first.pointer, first.message)};
  }

 private:
  const JsonValue* value_;
  std::string pointer_;
  std::optional<Error>& fault_;
};

void read_held(const Reader& reader, HostView& host) {
  if (reader.value().text() != nullptr) {
    if (const auto digest = reader.digest()) host.layers.push_back({*digest, {}, false, true});
    return;
  }
  const auto digest = reader.at("digest").digest();
  if (!digest) return;
  HeldLayer held{*digest, reader.at("held").bytes(), false, true};
  reader.at("fetching").read(held.fetching);
  reader.at("unpacked").read(held.unpacked);
  host.layers.push_back(held);
}

void read_container(const Reader& reader, HostView& host) {
  if (reader.value().object() == nullptr) return reader.refuse("container");
  CccfItem item;
  item.fields = reader.value();
  item.pointer = reader.pointer();
  if (item.id().empty()) return reader.refuse("container with an id");
  CccfDiagnostics problems;
  host.containers.push_back(container_of(item, problems));
  reader.take(problems);
}

void read_labels(const Reader& reader, HostView& host) {
  reader.at("labels").each_field("object of labels", [&](const std::string& name, const Reader& r) {
    // `constraint:node==` means the host itself.
    if (name == "node") return r.refuse("label: `node` is the host's own name");
    r.read(host.labels[name]);
  });
  reader.at("tags").each("list of tags", [&](const Reader& tag) {
    std::string text;
    tag.read(text);
    if (!text.empty()) host.labels.try_emplace(text);
  });
  reader.at("facts").each_field("object of facts", [&](const std::string& name, const Reader& r) {
    r.read(host.facts[name]);
  });
  if (!host.platform.known()) return;
  host.facts.try_emplace("ostype", host.platform.os);
  host.facts.try_emplace("architecture", host.platform.architecture);
}

/// `cpus` is a number of cores, or the list of them with their speeds, as cccf's scheduler has it.
void read_cpus(const Reader& reader, HostView& host) {
  if (!reader.given()) return;
  if (reader.value().array() == nullptr) {
    host.cores = static_cast<std::uint32_t>(reader.number(kCoresMax, 0));
    return;
  }
  reader.each("list of cores", [&](const Reader& core) {
    ++host.cores;
    host.cpu_mhz += core.at("speed").number(kMhzMax, 0);
  });
}

void read_state(const Reader& reader, HostView& host) {
  std::string state = "live";
  reader.at("state").read(state);
  if (state != "live" && state != "dead") reader.at("state").refuse("state: live or dead");
  host.alive = state == "live";
  reader.at("draining").read(host.draining);
  host.health = static_cast<std::uint8_t>(reader.at("health").number(100, 100));
}

HostView read_host(const Reader& reader) {
  HostView host;
  if (reader.value().object() == nullptr) {
    reader.refuse("node");
    return host;
  }
  reader.at("hostname").read(host.name);
  if (host.name.empty()) reader.at("hostname").refuse("hostname");
  reader.at("id").read(host.id);
  reader.at("address").read(host.address);
  if (host.address.empty()) {
    const auto reached = host_address(reader.value());
    if (reached != host.name && reached != host.id) host.address = reached;
  }
  read_state(reader, host);
  reader.at("platform").read(host.platform);
  read_labels(reader, host);
  reader.at("memory").read_amount_of(host.memory_bytes);
  read_cpus(reader.at("cpus"), host);
  if (reader.at("mhz").given()) host.cpu_mhz = reader.at("mhz").number(kMhzMax, 0);
  host.disk_free_bytes = reader.at("disk").at("free").bytes();
  reader.at("disk").at("reserve").read_amount_of(host.disk_reserve_bytes);
  reader.at("rates").at("fetch").read_rate(host.rates.fetch);
  reader.at("rates").at("unpack").read_rate(host.rates.unpack);
  reader.at("rates").at("upstream").read_rate(host.rates.upstream);
  reader.at("queue").read_amount_of(host.queue_bytes);
  reader.at("layers").each("list of layers", [&](const Reader& r) { read_held(r, host); });
  reader.at("images").each("list of images",
                           [&](const Reader& image) { image.read(host.images.emplace_back()); });
  for (const auto* field : {"containers", "services"}) {
    reader.at(field).each("list of containers", [&](const Reader& r) { read_container(r, host); });
  }
  return host;
}

PlacementManifest read_manifest(const Reader& reader) {
  PlacementManifest manifest;
  reader.at("platform").read(manifest.platform);
  if (!reader.at("layers").given()) reader.at("layers").refuse("list of layers");
  reader.at("layers").each("list of layers", [&](const Reader& layer) {
    const auto digest = layer.at("digest").digest();
    const auto size = layer.at("size").bytes();
    if (!size) layer.at("size").refuse("size of a layer");
    if (!digest || !size) return;
    manifest.layers.push_back({*digest, *size, layer.at("unpacked").bytes().value_or(0)});
  });
  return manifest;
}

std::vector<PlacementImage> read_images(const Reader& reader) {
  std::vector<PlacementImage> images;
  reader.each_field("object of images", [&](const std::string& name, const Reader& image) {
    PlacementImage read{name, {}};
    const auto manifests = image.at("manifests");
    if (manifests.given()) {
      manifests.each("list of manifests", [&](const Reader& manifest) {
        read.manifests.push_back(read_manifest(manifest));
      });
    } else {
      read.manifests.push_back(read_manifest(image));
    }
    images.push_back(std::move(read));
  });
  return images;
}

Result<JsonValue> parse(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return fail(Errc::usage, json.error().message);
  return json;
}

}  // namespace

Result<HostsFile> parse_hosts(std::string_view text) {
  const auto json = parse(text);
  if (!json) return tl::unexpected(json.error());
  std::optional<Error> fault;
  const Reader reader(&*json, "", fault);
  HostsFile file;
  const auto nodes = json->array() != nullptr ? reader : reader.at("nodes");
  if (!nodes.given()) nodes.refuse("list of nodes");
  nodes.each("list of nodes", [&](const Reader& node) { file.hosts.push_back(read_host(node)); });
  file.images = read_images(reader.at("images"));
  if (fault) return tl::unexpected(*fault);
  return file;
}

Result<std::vector<PlacementImage>> parse_images(std::string_view text) {
  const auto json = parse(text);
  if (!json) return tl::unexpected(json.error());
  std::optional<Error> fault;
  const Reader reader(&*json, "", fault);
  auto images = read_images(reader.at("images").given() ? reader.at("images") : reader);
  if (fault) return tl::unexpected(*fault);
  return images;
}

}  // namespace shoal
