#include "orchestrator/placement/cccf_requests.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "orchestrator/cccf/quantity.h"
#include "orchestrator/cccf/scale.h"

namespace shoal {
namespace {

constexpr double kCpuMax = 1e9;
constexpr std::uint64_t kSkewMax = 1'000'000;

/// Reads one item; says what it cannot read.
class ItemReader {
 public:
  ItemReader(const CccfItem& item, CccfDiagnostics& problems)
      : item_(item), problems_(problems), service_(view(item, problems)) {}

  PlacementRequest request() {
    PlacementRequest request;
    request.slot = service_.id;
    request.service = service_name();
    request.image = service_.image;
    request.labels = service_.labels;
    request.ports = ports();
    request.resources = resources();
    request.current_host = service_.host;
    read_platform(request);
    read_expressions(request);
    read_beside(request);
    read_spread(request);
    return request;
  }

  HostContainer container() {
    HostContainer container;
    container.name = service_.id;
    container.service = service_name();
    container.image = service_.image;
    container.labels = service_.labels;
    container.ports = ports();
    container.resources = resources();
    if (const auto* const id = item_.fields.find_text("container")) container.id = *id;
    if (const auto* const state = item_.fields.find_text("state")) {
      container.running = *state == "running" || *state == "restarting" || *state == "paused";
    }
    return container;
  }

 private:
  void problem(std::string_view field, std::string message) {
    problems_.push_back({CccfDiagnostic::Severity::error, "field", item_.file,
                         item_.pointer_to(field), std::move(message)});
  }

  [[nodiscard]] std::string service_name() const {
    const auto* const named = item_.fields.find_text("service");
    if (named != nullptr && !named->empty()) return *named;
    const auto instance = parse_instance_id(service_.id);
    return instance ? instance->base : service_.id;
  }

  [[nodiscard]] std::vector<HostPort> ports() const {
    std::vector<HostPort> ports;
    for (const auto& port : service_.ports) {
      const bool udp = port.protocol == CccfPort::Protocol::udp;
      ports.push_back({"", port.host, udp ? "udp" : "tcp"});
    }
    return ports;
  }

  Resources resources() {
    Resources asked;
    asked.memory_bytes = service_.memory_bytes.value_or(0);
    if (service_.cpu) asked.cpu_mhz = whole(*service_.cpu, 1, "cpu");
    const auto* const cpus = item_.fields.find("cpus");
    if (cpus != nullptr && !cpus->is_null()) {
      const auto cores = read_amount(*cpus);
      if (cores)
        asked.cpu_thousandths = whole(*cores, 1000, "cpus");
      else
        problem("cpus", "it is no number of cores");
    }
    return asked;
  }

  std::uint64_t whole(double amount, double times, std::string_view field) {
    if (!(amount >= 0 && amount <= kCpuMax)) {
      problem(field, "it is no number that a host could have");
      return 0;
    }
    return static_cast<std::uint64_t>(std::ceil(amount * times));
  }

  void read_platform(PlacementRequest& request) {
    const auto* const text = item_.fields.find_text("platform");
    if (text == nullptr) return;
    auto platform = Platform::parse(*text);
    if (platform)
      request.platform = *std::move(platform);
    else
      problem("platform", platform.error().message);
  }

  void add_expression(PlacementRequest& request, Result<Expression> expression,
                      std::string_view field) {
    if (expression)
      request.expressions.push_back(*std::move(expression));
    else
      problem(field, expression.error().message);
  }

  void read_expressions(PlacementRequest& request) {
    for (const auto& text : service_.constraints) {
      add_expression(request, Expression::parse(ExpressionKind::constraint, text), "constraints");
    }
    for (const auto& text : service_.affinities) {
      add_expression(request, Expression::parse(ExpressionKind::affinity, text), "affinities");
    }
    for (const auto& text : service_.placement) {
      if (Expression::is_expression(text))
        add_expression(request, Expression::parse(text), "placement");
      else
        request.tags.push_back(text);
    }
    const auto label = service_.labels.find("com.docker.swarm.whitelists");
    if (label == service_.labels.end()) return;
    const auto list = parse_json(label->second);
    if (!list || list->array() == nullptr) {
      problem("labels", label->first + " is no JSON list of texts");
      return;
    }
    for (const auto& element : *list->array()) {
      if (element.text() == nullptr) continue;
      add_expression(request, Expression::parse(ExpressionKind::whitelist, *element.text()),
                     "labels");
    }
  }

  /// Containers that Docker shares something of, which it can on one host only.
  void read_beside(PlacementRequest& request) {
    for (const auto* field : {"volumes-from", "volumes_from", "link", "links"}) {
      const auto* const value = item_.fields.find(field);
      if (value == nullptr) continue;
      if (value->text() != nullptr) add_beside(request, *value->text());
      if (value->array() == nullptr) continue;
      for (const auto& element : *value->array()) {
        if (element.text() != nullptr) add_beside(request, *element.text());
      }
    }
    constexpr std::string_view kShared = "container:";
    for (const auto* field : {"net", "network", "network_mode"}) {
      const auto* const text = item_.fields.find_text(field);
      if (text != nullptr && text->starts_with(kShared)) {
        add_beside(request, text->substr(kShared.size()));
      }
    }
  }

  /// `$db`, `db`, `db:alias` and `db:ro` all mean the container `db`.
  static void add_beside(PlacementRequest& request, std::string name) {
    name.resize(std::min(name.find(':'), name.size()));
    if (name.starts_with('$') || name.starts_with('/')) name.erase(0, 1);
    if (!name.empty()) request.beside.push_back(std::move(name));
  }

  /// A label, or a list of labels and of {"label": ..., "max_skew": ...}.
  void read_spread(PlacementRequest& request) {
    const auto* const value = item_.fields.find("spread");
    if (value == nullptr || value->is_null()) return;
    const JsonValue::Array one = {*value};
    const auto& list = value->array() != nullptr ? *value->array() : one;
    for (const auto& element : list) {
      const auto* const label =
          element.text() != nullptr ? element.text() : element.find_text("label");
      const auto* const skew = element.find("max_skew");
      const auto most = skew == nullptr ? std::optional<std::uint64_t>(1) : skew->whole();
      if (label == nullptr || label->empty() || !most || *most == 0 || *most > kSkewMax) {
        problem("spread",
                "it is a label, or a list of labels and of {\"label\": \"dc\", \"max_skew\": 1}");
        return;
      }
      request.spread.push_back({*label, static_cast<std::uint32_t>(*most)});
    }
    if (request.spread.size() > kSpreadLabelsMax) {
      problem("spread", fmt::format("it has more than {} labels", kSpreadLabelsMax));
    }
  }

  const CccfItem& item_;
  CccfDiagnostics& problems_;
  CccfService service_;
};

}  // namespace

std::vector<PlacementRequest> requests_of(const CccfDocument& document, CccfDiagnostics& problems) {
  std::vector<PlacementRequest> requests;
  requests.reserve(document.items.size());
  for (const auto& item : document.items) requests.push_back(ItemReader(item, problems).request());
  return requests;
}

HostContainer container_of(const CccfItem& item, CccfDiagnostics& problems) {
  return ItemReader(item, problems).container();
}

}  // namespace shoal
