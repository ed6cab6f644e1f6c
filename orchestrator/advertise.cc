#include "orchestrator/advertise.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "orchestrator/membership/member.h"

namespace shoal {
namespace {

/// `10.0.0.7` or `[fd00::7]`; "" for what is no address that others can use.
std::string address_text(const sockaddr* address, bool v6) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    if (::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text) != nullptr) return text;
  }
  if (address->sa_family == AF_INET6 && v6) {
    const auto* socket = reinterpret_cast<const sockaddr_in6*>(address);
    const bool local = IN6_IS_ADDR_LINKLOCAL(&socket->sin6_addr) != 0;
    if (!local && ::inet_ntop(AF_INET6, &socket->sin6_addr, text, sizeof text) != nullptr) {
      return fmt::format("[{}]", text);
    }
  }
  return "";
}

std::vector<std::string> interface_addresses(bool v6) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  std::vector<std::string> addresses;
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const bool usable = entry->ifa_addr != nullptr && (entry->ifa_flags & IFF_UP) != 0 &&
                        (entry->ifa_flags & IFF_LOOPBACK) == 0;
    auto text = usable ? address_text(entry->ifa_addr, v6) : std::string();
    if (!text.empty()) addresses.push_back(std::move(text));
  }
  return addresses;
}

}  // namespace

Result<std::vector<std::string>> advertised_urls(const std::vector<std::string>& advertise,
                                                 const std::vector<std::string>& listen) {
  std::vector<std::string> urls;
  const auto add = [&](const std::string& address) {
    auto url = "https://" + address;
    const bool known = std::find(urls.begin(), urls.end(), url) != urls.end();
    if (!known && urls.size() < kMemberUrlsMax) urls.push_back(std::move(url));
  };
  for (const auto& address : advertise) add(address);
  if (!urls.empty()) return urls;
  for (const auto& address : listen) {
    const auto colon = address.rfind(':');
    const auto host = address.substr(0, colon);
    const bool everywhere = host == "0.0.0.0" || host == "[::]";
    if (!everywhere) add(address);
    if (!everywhere) continue;
    for (const auto& own : interface_addresses(host == "[::]")) add(own + address.substr(colon));
  }
  if (!urls.empty()) return urls;
  return fail(Errc::usage,
              "no address to tell other nodes: say how they reach this one (advertise)");
}

}  // namespace shoal
