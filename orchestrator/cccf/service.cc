#include "orchestrator/cccf/service.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/cccf/canonical.h"
#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/schema.h"
#include "orchestrator/cccf/words.h"
#include "storage/number.h"

namespace shoal {
namespace {

constexpr std::uint64_t kPortMax = 65'535;

std::optional<std::uint16_t> port_number(std::string_view text) {
  const auto number = parse_number(text);
  if (!number || *number == 0 || *number > kPortMax) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

class View {
 public:
  View(const CccfItem& item, CccfDiagnostics& problems) : item_(item), problems_(problems) {}

  CccfService read() {
    service_.id = item_.id();
    if (const auto* const image = item_.fields.find_text("image")) {
      service_.image = canonical_image(*image);
    }
    read_command();
    read_schema_lists();
    read_labels();
    read_resources();
    service_.constraints = expressions("constraints", "constraint:");
    service_.affinities = expressions("affinities", "affinity:");
    service_.placement = texts("placement");
    read_host();
    read_scale();
    for (const char* const field : {"depends", "links", "volumes-from", "volumes_from"}) {
      for (std::string& reference : texts(field)) add_reference(std::move(reference));
    }
    if (const auto* const health = item_.fields.find("health")) read_health(*health);
    read_span_into(item_.fields, "stop_grace", service_.stop_grace);
    service_.spec_hash = spec_hash(item_.fields).to_string();
    return std::move(service_);
  }

 private:
  void problem(std::string_view field, std::string message) {
    problems_.push_back({CccfDiagnostic::Severity::error, "field", item_.file,
                         item_.pointer_to(field), std::move(message)});
  }

  void read_command() {
    const auto* const cmd = item_.fields.find_text("cmd");
    if (cmd == nullptr) return;
    auto words = split_words(*cmd);
    if (words)
      service_.command = *std::move(words);
    else
      problem("cmd", "it cannot be split into words: " + words.error().message);
  }

  /// A list of texts; also one text alone. Others are left out, and said.
  std::vector<std::string> texts(std::string_view field) {
    std::vector<std::string> result;
    const JsonValue* const value = item_.fields.find(field);
    if (value == nullptr || value->is_null()) return result;
    if (value->text() != nullptr) return {*value->text()};
    bool sound = value->array() != nullptr;
    if (sound) {
      for (const JsonValue& element : *value->array()) {
        sound = sound && element.text() != nullptr;
        if (element.text() != nullptr) result.push_back(*element.text());
      }
    }
    if (!sound) problem(field, "it is a list of texts");
    return result;
  }

  /// The texts of a list that cccf's schema describes: it says what is wrong there.
  std::vector<std::string> schema_texts(std::string_view field) const {
    std::vector<std::string> result;
    const JsonValue* const value = item_.fields.find(field);
    if (value == nullptr || value->array() == nullptr) return result;
    for (const JsonValue& element : *value->array()) {
      if (element.text() != nullptr) result.push_back(*element.text());
    }
    return result;
  }

  void read_schema_lists() {
    for (const std::string& text : schema_texts("ports")) read_port(text);
    for (std::string& text : schema_texts("env")) add_variable(std::move(text));
    for (const std::string& text : schema_texts("volumes")) read_volume(text);
    for (const std::string& text : schema_texts("expose")) {
      if (const auto port = port_number(text)) service_.expose.push_back(*port);
    }
  }

  /// Numbers that are no ports are the check `port-range`'s.
  void read_port(std::string_view text) {
    if (!is_cccf_port(text)) return;
    CccfPort port;
    if (text.ends_with("/udp")) port.protocol = CccfPort::Protocol::udp;
    text = text.substr(0, text.find('/'));
    const auto colon = text.find(':');
    const auto host = port_number(text.substr(0, colon));
    const auto container = port_number(text.substr(colon + 1));
    if (!host || !container) return;
    port.host = *host;
    port.container = *container;
    service_.ports.push_back(port);
  }

  void add_variable(std::string text) {
    const auto name = text.substr(0, text.find('=') + 1);
    std::erase_if(service_.env, [&](const std::string& one) { return one.starts_with(name); });
    service_.env.push_back(std::move(text));
  }

  void read_volume(const std::string& text) {
    if (is_bare_volume(text)) {
      service_.volumes.push_back({text, text, ""});
      return;
    }
    const auto first = text.find(':');
    if (first == text.npos) return;
    CccfVolume volume{text.substr(0, first), text.substr(first + 1), ""};
    if (const auto second = volume.target.find(':'); second != text.npos) {
      volume.options = volume.target.substr(second + 1);
      volume.target.resize(second);
    }
    service_.volumes.push_back(std::move(volume));
  }

  void read_labels() {
    for (const char* const field : {"label", "labels"}) {
      const JsonValue* const value = item_.fields.find(field);
      if (value == nullptr || value->object() == nullptr) {
        for (const std::string& text : texts(field)) {
          const auto equals = std::min(text.find('='), text.size());
          const auto from = std::min(equals + 1, text.size());
          service_.labels.insert_or_assign(text.substr(0, equals), text.substr(from));
        }
        continue;
      }
      for (const JsonField& label : *value->object()) {
        if (const auto* const text = label.value.text())
          service_.labels.insert_or_assign(label.name, *text);
        else
          problem(field, fmt::format("the label \"{}\" is no text", label.name));
      }
    }
  }

  void read_resources() {
    if (const auto* const memory = given("memory")) {
      service_.memory_bytes = read_bytes(*memory);
      if (!service_.memory_bytes) {
        problem("memory", "it is no amount of memory, such as \"500MB\" or a number of bytes");
      }
    }
    if (const auto* const cpu = given("cpu")) {
      service_.cpu = read_amount(*cpu);
      if (!service_.cpu) problem("cpu", "it is no number");
    }
  }

  [[nodiscard]] const JsonValue* given(std::string_view field) const {
    const JsonValue* const value = item_.fields.find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  /// Of a field of ours, and of the label that classic Swarm reads (a JSON list in a text).
  std::vector<std::string> expressions(std::string_view field, std::string_view prefix) {
    std::vector<std::string> all = texts(field);
    const auto label = service_.labels.find("com.docker.swarm." + std::string(field));
    if (label != service_.labels.end()) {
      const auto list = parse_json(label->second);
      const bool sound = list && list->array() != nullptr;
      if (!sound) problem("labels", label->first + " is no JSON list of texts");
      if (sound) {
        for (const JsonValue& element : *list->array()) {
          if (element.text() != nullptr) all.push_back(*element.text());
        }
      }
    }
    for (std::string& expression : all) {
      if (expression.starts_with(prefix)) expression.erase(0, prefix.size());
    }
    return all;
  }

  void read_host() {
    const JsonValue* const host = given("host");
    if (host == nullptr) return;
    service_.host = host_address(*host);
    if (service_.host.empty()) problem("host", "it names no host");
  }

  void read_scale() {
    const JsonValue* const scale = given("scale");
    if (scale == nullptr) return;
    const auto whole = scale->whole();
    if (whole && *whole <= kScaleMax)
      service_.scale = static_cast<unsigned>(*whole);
    else
      problem("scale", fmt::format("it is no whole number from 0 to {}", kScaleMax));
  }

  /// `$db`, `db`, `db:alias` and `db:ro` all mean the container `db`.
  void add_reference(std::string reference) {
    if (reference.starts_with('$')) reference.erase(0, 1);
    reference.resize(std::min(reference.find(':'), reference.size()));
    if (reference.starts_with('/')) reference.erase(0, 1);
    auto& all = service_.depends;
    if (std::find(all.begin(), all.end(), reference) == all.end()) {
      all.push_back(std::move(reference));
    }
  }

  void read_span_into(const JsonValue& object, std::string_view name,
                      std::chrono::milliseconds& span) {
    const JsonValue* const value = object.find(name);
    if (value == nullptr || value->is_null()) return;
    if (const auto read = read_span(*value))
      span = *read;
    else
      problem(&object == &item_.fields ? name : "health",
              fmt::format("`{}` is no span of time, such as \"10s\" or a number of seconds", name));
  }

  void read_health(const JsonValue& health) {
    if (health.is_null()) return;
    CccfHealthCheck check;
    int ways = 0;
    if (const auto* const http = health.find("http")) ways += read_http(*http, check) ? 1 : 9;
    if (const auto* const tcp = health.find("tcp")) {
      check.kind = CccfHealthCheck::Kind::tcp;
      const auto port = tcp->whole();
      ways += port && *port > 0 && *port <= kPortMax ? 1 : 9;
      check.port = static_cast<std::uint16_t>(port.value_or(0));
    }
    if (const auto* const exec = health.find("exec")) ways += read_exec(*exec, check) ? 1 : 9;
    if (ways != 1) {
      problem("health",
              "it has one of \"http\": \"8080/path\", \"tcp\": 8080 and \"exec\": \"a command\"");
      return;
    }
    read_span_into(health, "interval", check.interval);
    read_span_into(health, "timeout", check.timeout);
    read_span_into(health, "start_period", check.start_period);
    if (const auto* const retries = health.find("retries")) {
      const auto whole = retries->whole();
      if (whole && *whole > 0 && *whole <= 1000)
        check.retries = static_cast<unsigned>(*whole);
      else
        problem("health", "`retries` is no whole number from 1 to 1000");
    }
    service_.health = std::move(check);
  }

  /// `8080/ready`, `:8080/ready`, `8080`.
  static bool read_http(const JsonValue& value, CccfHealthCheck& check) {
    check.kind = CccfHealthCheck::Kind::http;
    std::string text = value.text() != nullptr ? *value.text() : std::string();
    if (const auto port = value.whole()) text = std::to_string(*port);
    if (text.starts_with(':')) text.erase(0, 1);
    const auto slash = std::min(text.find('/'), text.size());
    const auto port = port_number(std::string_view(text).substr(0, slash));
    check.port = port.value_or(0);
    check.path = slash == text.size() ? "/" : text.substr(slash);
    return port.has_value();
  }

  /// A command line, or its words.
  static bool read_exec(const JsonValue& value, CccfHealthCheck& check) {
    check.kind = CccfHealthCheck::Kind::exec;
    if (value.text() != nullptr) {
      auto words = split_words(*value.text());
      if (words) check.command = *std::move(words);
    } else if (value.array() != nullptr) {
      for (const JsonValue& word : *value.array()) {
        if (word.text() == nullptr) return false;
        check.command.push_back(*word.text());
      }
    }
    return !check.command.empty();
  }

  const CccfItem& item_;
  CccfDiagnostics& problems_;
  CccfService service_;
};

}  // namespace

std::string host_address(const JsonValue& host) {
  if (const auto* const text = host.text()) {
    return text->starts_with('/') ? "unix://" + *text : *text;
  }
  // The whole host, as cccf-balance and cccf-scheduler put it there.
  for (const char* const name : {"host", "ip", "hostname", "id"}) {
    const auto* const address = host.find_text(name);
    if (address == nullptr) continue;
    const auto* const port = host.find("port");
    const auto number = port == nullptr ? std::nullopt : port->whole();
    if (address->find("://") != address->npos || !number) return *address;
    return fmt::format("tcp://{}:{}", *address, *number);
  }
  return {};
}

CccfService view(const CccfItem& item, CccfDiagnostics& problems) {
  return View(item, problems).read();
}

std::vector<CccfService> view(const CccfDocument& document, CccfDiagnostics& problems) {
  std::vector<CccfService> services;
  services.reserve(document.items.size());
  for (const CccfItem& item : document.items) services.push_back(view(item, problems));
  return services;
}

}  // namespace shoal
