#include "orchestrator/placement/request.h"

#include <fmt/format.h>

namespace shoal {
namespace {

bool is_everywhere(const std::string& address) {
  return address.empty() || address == "0.0.0.0" || address == "::";
}

}  // namespace

std::string HostPort::text() const {
  if (address.empty()) return fmt::format("{}/{}", port, protocol);
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}/{}", address, port, protocol)
            : fmt::format("{}:{}/{}", address, port, protocol);
}

bool clash(const HostPort& one, const HostPort& other) {
  return one.port == other.port && one.protocol == other.protocol &&
         (is_everywhere(one.address) || is_everywhere(other.address) ||
          one.address == other.address);
}

}  // namespace shoal
