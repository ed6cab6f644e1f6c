#include "cli/node_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

namespace shoal {
namespace {

constexpr std::string_view kPrefix = "/shoal/v1/";
// `du` may take its time; streams have a line at least every 15 s.
constexpr std::chrono::seconds kProgressTimeout{120};
constexpr std::uint64_t kAnswerBytesMax = 256 << 20;

/// The error codes of registry/error_response.cc that commands tell apart.
Errc errc_of(std::string_view code) {
  constexpr std::array<std::pair<std::string_view, Errc>, 9> kCodes = {{
      {"BLOB_UNKNOWN", Errc::blob_unknown},
      {"NAME_UNKNOWN", Errc::name_unknown},
      {"MANIFEST_UNKNOWN", Errc::manifest_unknown},
      {"MEMBER_UNKNOWN", Errc::member_unknown},
      {"NAME_INVALID", Errc::name_invalid},
      {"TAG_INVALID", Errc::tag_invalid},
      {"DIGEST_INVALID", Errc::digest_invalid},
      {"EVENTS_COMPACTED", Errc::events_compacted},
      {"PAGINATION_NUMBER_INVALID", Errc::page_invalid},
  }};
  const auto is_it = [&](const auto& entry) { return entry.first == code; };
  const auto found = std::find_if(kCodes.begin(), kCodes.end(), is_it);
  return found == kCodes.end() ? Errc::io : found->second;
}

tl::unexpected<Error> failure(std::string_view document, int status) {
  const auto json = nlohmann::json::parse(document, nullptr, false);
  const auto pointer = nlohmann::json::json_pointer("/errors/0");
  if (json.is_discarded() || !json.contains(pointer) || !json[pointer].is_object()) {
    return fail(Errc::io, "the node answered with status " + std::to_string(status) +
                              "; is this a shoal node?");
  }
  const auto text = [&error = json[pointer]](const char* name) {
    const auto found = error.find(name);
    return found != error.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  return fail(errc_of(text("code")), text("message"));
}

}  // namespace

Result<NodeClient> NodeClient::to(const std::string& url) {
  auto client = HttpClient::to(url, kProgressTimeout);
  if (!client) return tl::unexpected(client.error());
  return NodeClient(*std::move(client));
}

Result<std::string> NodeClient::send(std::string_view method, const std::string& target,
                                     std::string_view body) {
  auto answer = client_.send(method, std::string(kPrefix) + target, {}, body, kAnswerBytesMax);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status / 100 != 2) return failure(answer->body, answer->status);
  return std::move(answer->body);
}

Result<void> NodeClient::stream(std::string_view method, const std::string& target,
                                const std::function<bool(std::string_view)>& line,
                                std::string_view body) {
  std::string document;
  const auto take = [&](std::string_view text) {
    // The status comes last here; an error document is told by how it begins.
    if (!text.starts_with("{\"errors\":")) return line(text);
    document = text;
    return true;
  };
  const auto status = client_.stream_lines(method, std::string(kPrefix) + target, take, body);
  if (!status) return tl::unexpected(status.error());
  if (*status / 100 != 2 || !document.empty()) return failure(document, *status);
  return {};
}

ExitCode exit_code_of(const Error& error) {
  switch (error.code) {
    case Errc::usage:
    case Errc::name_invalid:
    case Errc::tag_invalid:
    case Errc::digest_invalid:
    case Errc::page_invalid: return ExitCode::usage;
    case Errc::blob_unknown:
    case Errc::name_unknown:
    case Errc::manifest_unknown:
    case Errc::member_unknown: return ExitCode::not_found;
    case Errc::unavailable: return ExitCode::unreachable;
    case Errc::corrupt: return ExitCode::bad_content;
    default: return ExitCode::failed;
  }
}

}  // namespace shoal
