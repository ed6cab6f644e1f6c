#include "orchestrator/engine/create_document.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/cccf/canonical.h"
#include "orchestrator/cccf/docker_flags.h"
#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/words.h"

namespace shoal {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kPortMax = 65'535;
constexpr double kNanoCpus = 1e9;
constexpr double kAmountMax = 1e9;      // Of processors, shares, tries.
constexpr std::int64_t kSharesMin = 2;  // What the kernel takes (cgroup v1, cpu.shares).
constexpr std::int64_t kSharesMax = 262'144;

std::pair<std::string, std::string> split(const std::string& text, char at) {
  const auto place = std::min(text.find(at), text.size());
  return {text.substr(0, place), text.substr(std::min(place + 1, text.size()))};
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || last != end) return std::nullopt;
  return number;
}

bool is_port(std::string_view text) {
  const auto number = whole_number(text);
  return number && *number > 0 && static_cast<std::uint64_t>(*number) <= kPortMax;
}

enum class Form { text, texts, pairs, flag, bytes, number };
enum class Part { container, host };  // Of the document: itself, or its HostConfig.

/// A field whose value goes under another name into the document, and nothing else.
struct Plain {
  Form form;
  Part part;
  const char* name;
};

/// By the names that the canonical form gives them.
const std::map<std::string_view, Plain>& plain_fields() {
  static const std::map<std::string_view, Plain> kFields = {
      {"add-host", {Form::texts, Part::host, "ExtraHosts"}},
      {"cap-add", {Form::texts, Part::host, "CapAdd"}},
      {"cap-drop", {Form::texts, Part::host, "CapDrop"}},
      {"cgroup-parent", {Form::text, Part::host, "CgroupParent"}},
      {"cmd", {Form::texts, Part::container, "Cmd"}},
      {"cpuset-cpus", {Form::text, Part::host, "CpusetCpus"}},
      {"dns", {Form::texts, Part::host, "Dns"}},
      {"dns-option", {Form::texts, Part::host, "DnsOptions"}},
      {"dns-search", {Form::texts, Part::host, "DnsSearch"}},
      {"env", {Form::texts, Part::container, "Env"}},
      {"group-add", {Form::texts, Part::host, "GroupAdd"}},
      {"hostname", {Form::text, Part::container, "Hostname"}},
      {"init", {Form::flag, Part::host, "Init"}},
      {"interactive", {Form::flag, Part::container, "OpenStdin"}},
      {"ipc", {Form::text, Part::host, "IpcMode"}},
      {"memory", {Form::bytes, Part::host, "Memory"}},
      {"memory-reservation", {Form::bytes, Part::host, "MemoryReservation"}},
      {"memory-swap", {Form::bytes, Part::host, "MemorySwap"}},
      {"network", {Form::text, Part::host, "NetworkMode"}},
      {"oom-score-adj", {Form::number, Part::host, "OomScoreAdj"}},
      {"pid", {Form::text, Part::host, "PidMode"}},
      {"pids-limit", {Form::number, Part::host, "PidsLimit"}},
      {"privileged", {Form::flag, Part::host, "Privileged"}},
      {"read-only", {Form::flag, Part::host, "ReadonlyRootfs"}},
      {"runtime", {Form::text, Part::host, "Runtime"}},
      {"security-opt", {Form::texts, Part::host, "SecurityOpt"}},
      {"shm-size", {Form::bytes, Part::host, "ShmSize"}},
      {"stop-signal", {Form::text, Part::container, "StopSignal"}},
      {"sysctl", {Form::pairs, Part::host, "Sysctls"}},
      {"tty", {Form::flag, Part::container, "Tty"}},
      {"user", {Form::text, Part::container, "User"}},
      {"userns", {Form::text, Part::host, "UsernsMode"}},
      {"uts", {Form::text, Part::host, "UTSMode"}},
      {"volumes", {Form::texts, Part::host, "Binds"}},
      {"volumes-from", {Form::texts, Part::host, "VolumesFrom"}},
      {"workdir", {Form::text, Part::container, "WorkingDir"}}};
  return kFields;
}

/// Writes what one service says into the two parts of a create document.
class Writer {
 public:
  Writer(const CccfItem& item, CccfDiagnostics& problems) : item_(item), problems_(problems) {}

  std::string write(const ImageReference& image) {
    document_["Image"] = image.text();
    host_ = Json::object();
    host_["RestartPolicy"] = {{"Name", "unless-stopped"}};
    const JsonValue form = canonical(item_.fields);
    for (const JsonField& field : *form.object()) add(field);
    // The form leaves `restart: no` out, because that is what Docker does without it.
    const auto* const restart = item_.fields.find_text("restart");
    if (restart != nullptr && *restart == "no") host_["RestartPolicy"] = {{"Name", "no"}};
    if (!log_options_.empty() || !log_driver_.empty()) {
      host_["LogConfig"] = {{"Type", log_driver_}, {"Config", log_options_}};
    }
    if (!health_.empty()) document_["Healthcheck"] = health_;
    document_["HostConfig"] = std::move(host_);
    return document_.dump();
  }

 private:
  using Special = void (Writer::*)(const JsonField&);
  static const std::map<std::string_view, Special>& specials();

  void add(const JsonField& field) {
    if (field.name == "id" || field.name == "image" || is_about_placement(field.name)) return;
    // Dependencies order the start; the engines' own links need a network of their own.
    if (field.name == "links") return;
    const auto plain = plain_fields().find(field.name);
    const auto special = specials().find(field.name);
    if (plain != plain_fields().end()) {
      add_plain(field, plain->second);
    } else if (special != specials().end()) {
      (this->*special->second)(field);
    } else {
      report(CccfDiagnostic::Severity::warning, field.name,
             "the container engine has no place for it, so that it does nothing");
    }
  }

  void add_plain(const JsonField& field, const Plain& plain) {
    Json& object = plain.part == Part::container ? document_ : host_;
    switch (plain.form) {
      case Form::text:
        if (auto value = text(field)) object[plain.name] = *std::move(value);
        break;
      case Form::texts: object[plain.name] = texts(field); break;
      case Form::pairs: object[plain.name] = pairs(field); break;
      case Form::flag: object[plain.name] = on(field); break;
      case Form::bytes:
        if (const auto value = bytes(field)) object[plain.name] = *value;
        break;
      case Form::number:
        if (const auto value = amount(field))
          object[plain.name] = static_cast<std::int64_t>(*value);
        break;
    }
  }

  void report(CccfDiagnostic::Severity severity, const std::string& field,
              const std::string& message) {
    problems_.push_back({severity, "engine-field", item_.file, item_.pointer_to(field), message});
  }
  void refuse(const JsonField& field, const std::string& message) {
    report(CccfDiagnostic::Severity::error, field.name, message);
  }

  // A field's value, of the kind that the canonical form gives it.
  std::vector<std::string> texts(const JsonField& field) {
    std::vector<std::string> all;
    if (const auto* const array = field.value.array()) {
      for (const JsonValue& one : *array) {
        if (one.text() != nullptr) all.push_back(*one.text());
      }
      if (all.size() == array->size()) return all;
    } else if (field.value.text() != nullptr) {
      return {*field.value.text()};
    }
    refuse(field, "it is a list of texts");
    return {};
  }
  std::optional<std::string> text(const JsonField& field) {
    if (field.value.text() != nullptr) return *field.value.text();
    refuse(field, "it is one text");
    return std::nullopt;
  }
  std::optional<std::int64_t> bytes(const JsonField& field) {
    const auto amount = read_bytes(field.value);
    // -1: no limit, for memory-swap.
    if (!amount && field.value.text() != nullptr && *field.value.text() == "-1") return -1;
    const auto whole = amount ? std::optional(static_cast<std::int64_t>(*amount)) : std::nullopt;
    if (field.value.text() != nullptr && !whole) {
      if (const auto number = whole_number(*field.value.text())) return number;
    }
    if (!whole) refuse(field, "it is no amount of memory, such as \"500MB\"");
    return whole;
  }
  std::optional<double> amount(const JsonField& field) {
    const auto number = read_amount(field.value);
    if (number && *number <= kAmountMax) return number;
    refuse(field, "it is no number up to a billion");
    return std::nullopt;
  }
  std::optional<std::chrono::milliseconds> span(const JsonField& field) {
    const auto time = read_span(field.value);
    if (!time) refuse(field, "it is no span of time, such as \"10s\"");
    return time;
  }
  Json pairs(const JsonField& field) {
    Json object = Json::object();
    for (const auto& one : texts(field)) {
      auto [name, value] = split(one, '=');
      object[name] = std::move(value);
    }
    return object;
  }
  bool on(const JsonField& field) {
    const bool set = field.value.boolean() != nullptr;
    if (!set) refuse(field, "it is true or false");
    return set && *field.value.boolean();
  }

  void labels(const JsonField& field) {
    Json all = pairs(field);
    for (const auto& [name, value] : all.items()) {
      if (name.starts_with(kLabelPrefix)) {
        refuse(field, fmt::format("the label {} is one of shoal's own", name));
        return;
      }
    }
    document_["Labels"] = std::move(all);
  }
  void entrypoint(const JsonField& field) {
    if (field.value.array() != nullptr) {
      document_["Entrypoint"] = texts(field);
      return;
    }
    const auto words = split_words(text(field).value_or(std::string()));
    if (words)
      document_["Entrypoint"] = *words;
    else
      refuse(field, words.error().message);
  }
  /// `[address:]host:container[/protocol]`.
  void ports(const JsonField& field) {
    for (const auto& one : texts(field)) {
      auto [mapping, protocol] = split(one, '/');
      if (protocol.empty()) protocol = "tcp";
      const auto last = mapping.rfind(':');
      const auto container = mapping.substr(last == std::string::npos ? 0 : last + 1);
      auto host = last == std::string::npos ? std::string() : mapping.substr(0, last);
      std::string address;
      if (const auto colon = host.rfind(':'); colon != std::string::npos) {
        address = host.substr(0, colon);
        host.erase(0, colon + 1);
      }
      if (!is_port(container) || !is_port(host)) {
        refuse(field, fmt::format("`{}` is no mapping HOST:CONTAINER of ports 1 to 65535", one));
        continue;
      }
      const auto key = fmt::format("{}/{}", container, protocol);
      document_["ExposedPorts"][key] = Json::object();
      Json binding = {{"HostPort", host}};
      if (!address.empty()) binding["HostIp"] = address;
      host_["PortBindings"][key].push_back(std::move(binding));
    }
  }
  void expose(const JsonField& field) {
    for (const auto& one : texts(field)) {
      const bool plain = one.find('/') == std::string::npos;
      document_["ExposedPorts"][plain ? one + "/tcp" : one] = Json::object();
    }
  }
  /// Shares weigh containers against each other when the processor is short, as cccf's MHz do.
  void cpu(const JsonField& field) {
    const auto value = amount(field);
    if (!value) return;
    host_["CpuShares"] = std::clamp(static_cast<std::int64_t>(*value), kSharesMin, kSharesMax);
  }
  void cpus(const JsonField& field) {
    const auto value = amount(field);
    if (value) host_["NanoCpus"] = static_cast<std::int64_t>(*value * kNanoCpus);
  }
  void restart(const JsonField& field) {
    const auto value = text(field);
    if (!value) return;
    const auto [name, count] = split(*value, ':');
    const bool counted = name == "on-failure" && !count.empty();
    const bool known = name == "always" || name == "unless-stopped" || name == "on-failure";
    const auto number = whole_number(count);
    if (!known || (!count.empty() && (!counted || !number || *number < 0))) {
      refuse(field, "it is one of no, always, unless-stopped, on-failure and on-failure:COUNT");
      return;
    }
    host_["RestartPolicy"] = {{"Name", name}};
    if (counted) host_["RestartPolicy"]["MaximumRetryCount"] = *number;
  }
  void stop_timeout(const JsonField& field) {
    const auto time = span(field);
    if (time) document_["StopTimeout"] = std::chrono::ceil<std::chrono::seconds>(*time).count();
  }
  void log_driver(const JsonField& field) { log_driver_ = text(field).value_or(std::string()); }
  void log_options(const JsonField& field) { log_options_ = pairs(field); }
  void devices(const JsonField& field) {
    for (const auto& one : texts(field)) {
      const auto [outside, rest] = split(one, ':');
      const auto [inside, rights] = split(rest, ':');
      host_["Devices"].push_back({{"PathOnHost", outside},
                                  {"PathInContainer", inside.empty() ? outside : inside},
                                  {"CgroupPermissions", rights.empty() ? "rwm" : rights}});
    }
  }
  void tmpfs(const JsonField& field) {
    for (const auto& one : texts(field)) {
      const auto [path, options] = split(one, ':');
      host_["Tmpfs"][path] = options;
    }
  }
  void limits(const JsonField& field) {
    for (const auto& one : texts(field)) {
      const auto [name, values] = split(one, '=');
      const auto [soft, hard] = split(values, ':');
      const auto low = whole_number(soft);
      const auto high = hard.empty() ? low : whole_number(hard);
      if (!low || !high) {
        refuse(field, fmt::format("`{}` is no NAME=SOFT[:HARD]", one));
        continue;
      }
      host_["Ulimits"].push_back({{"Name", name}, {"Soft", *low}, {"Hard", *high}});
    }
  }

  // The engine's own health check; shoal's is the field `health`.
  void health_command(const JsonField& field) {
    if (const auto value = text(field)) health_["Test"] = {"CMD-SHELL", *value};
  }
  void no_health(const JsonField& field) {
    if (on(field)) health_["Test"] = {"NONE"};
  }
  void health_span(const JsonField& field, const char* name) {
    const auto time = span(field);
    if (time) health_[name] = std::chrono::nanoseconds(*time).count();
  }
  void health_interval(const JsonField& field) { health_span(field, "Interval"); }
  void health_timeout(const JsonField& field) { health_span(field, "Timeout"); }
  void health_start(const JsonField& field) { health_span(field, "StartPeriod"); }
  void health_retries(const JsonField& field) {
    if (const auto value = amount(field)) health_["Retries"] = static_cast<std::int64_t>(*value);
  }

  const CccfItem& item_;
  CccfDiagnostics& problems_;
  Json document_ = Json::object();
  Json host_;
  Json health_ = Json::object();
  Json log_options_ = Json::object();
  std::string log_driver_;
};

const std::map<std::string_view, Writer::Special>& Writer::specials() {
  static const std::map<std::string_view, Special> kSpecials = {
      {"cpu", &Writer::cpu},
      {"cpus", &Writer::cpus},
      {"device", &Writer::devices},
      {"entrypoint", &Writer::entrypoint},
      {"expose", &Writer::expose},
      {"health-cmd", &Writer::health_command},
      {"health-interval", &Writer::health_interval},
      {"health-retries", &Writer::health_retries},
      {"health-start-period", &Writer::health_start},
      {"health-timeout", &Writer::health_timeout},
      {"labels", &Writer::labels},
      {"log-driver", &Writer::log_driver},
      {"log-opt", &Writer::log_options},
      {"no-healthcheck", &Writer::no_health},
      {"ports", &Writer::ports},
      {"restart", &Writer::restart},
      {"stop-timeout", &Writer::stop_timeout},
      {"tmpfs", &Writer::tmpfs},
      {"ulimit", &Writer::limits}};
  return kSpecials;
}

}  // namespace

std::string create_document(const CccfItem& item, const ImageReference& image,
                            CccfDiagnostics& problems) {
  return Writer(item, problems).write(image);
}

Result<std::string> with_labels(const std::string& document, const LabelMap& labels) {
  Json parsed = Json::parse(document, nullptr, false);
  if (!parsed.is_object()) return fail(Errc::bad_request, "a create document is a JSON object");
  Json& own = parsed["Labels"];
  if (own.is_null()) own = Json::object();
  if (!own.is_object()) return fail(Errc::bad_request, "a create document's Labels are an object");
  for (const auto& [name, value] : own.items()) {
    if (name.starts_with(kLabelPrefix)) {
      return fail(Errc::bad_request, fmt::format("the label {} is one of shoal's own", name));
    }
  }
  for (const auto& [name, value] : labels) own[name] = value;
  return parsed.dump();
}

Result<ImageReference> image_of(const std::string& document) {
  const Json parsed = Json::parse(document, nullptr, false);
  const bool named = parsed.is_object() && parsed.contains("Image") && parsed["Image"].is_string();
  if (!named) return fail(Errc::bad_request, "a create document names an image");
  return ImageReference::parse(parsed["Image"].get<std::string>());
}

}  // namespace shoal
