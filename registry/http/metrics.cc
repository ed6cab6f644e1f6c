#include "registry/http/metrics.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace shoal {
namespace {

using Labels = std::map<std::string, std::string>;

const char* label(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::delete_: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::other: break;
  }
  return "other";
}

prometheus::Counter& counter(prometheus::Registry& registry, const std::string& server,
                             const char* name, const char* help) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  return family.Add(Labels{{"server", server}});
}

}  // namespace

HttpMetrics::HttpMetrics(prometheus::Registry& registry, std::string server)
    : server_(std::move(server)),
      requests_(prometheus::BuildCounter()
                    .Name("shoal_http_requests_total")
                    .Help("Requests answered, by method and status class.")
                    .Register(registry)),
      seconds_(prometheus::BuildHistogram()
                   .Name("shoal_http_request_seconds")
                   .Help("From a request's header to the last byte of its response.")
                   .Register(registry)
                   .Add(Labels{{"server", server_}},
                        prometheus::Histogram::BucketBoundaries{0.001, 0.01, 0.1, 1, 10, 100})),
      connections_(prometheus::BuildGauge()
                       .Name("shoal_http_connections")
                       .Help("Connections that are open now.")
                       .Register(registry)
                       .Add(Labels{{"server", server_}})),
      received_(counter(registry, server_, "shoal_http_received_bytes_total",
                        "Bytes read from clients.")),
      sent_(
          counter(registry, server_, "shoal_http_sent_bytes_total", "Bytes written to clients.")) {}

prometheus::Counter& HttpMetrics::requests(Method method, int status) {
  const auto status_class = static_cast<std::size_t>(std::clamp(status / 100, 1, 5));
  auto& known = requests_by_label_[static_cast<std::size_t>(method) * kClasses + status_class];
  auto* found = known.load(std::memory_order_acquire);
  if (found == nullptr) {
    const Labels labels = {{"server", server_},
                           {"method", label(method)},
                           {"status", std::to_string(status_class) + "xx"}};
    found = &requests_.Add(labels);  // The same labels give the same counter.
    known.store(found, std::memory_order_release);
  }
  return *found;
}

void HttpMetrics::request_served(Method method, int status, double seconds) {
  requests(method, status).Increment();
  seconds_.Observe(seconds);
}

void HttpMetrics::connection_opened() { connections_.Increment(); }
void HttpMetrics::connection_closed() { connections_.Decrement(); }
void HttpMetrics::received(std::uint64_t bytes) { received_.Increment(static_cast<double>(bytes)); }
void HttpMetrics::sent(std::uint64_t bytes) { sent_.Increment(static_cast<double>(bytes)); }

}  // namespace shoal
