#include "registry/blob_answer.h"

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "registry/blob_stream.h"
#include "registry/conditional.h"
#include "registry/error_response.h"
#include "registry/range.h"

namespace shoal {
namespace {

constexpr std::string_view kType = "application/octet-stream";
// Blobs up to this size that are in memory are sent together with the header.
constexpr std::uint64_t kInlineBytesMax = 64 << 10;

/// What every answer about an existing blob carries.
Response describe(const BlobInfo& info, const std::string& tag) {
  Response response;
  auto& headers = response.headers;
  headers.add("Content-Type", kType);
  headers.add("Docker-Content-Digest", std::string_view(tag).substr(1, tag.size() - 2));
  headers.add("ETag", tag);
  headers.add("Accept-Ranges", "bytes");
  headers.add("Cache-Control", "max-age=31536000");
  response.length = info.size;
  return response;
}

Response not_modified(Response response) {
  response.status = 304;
  response.length.reset();
  return response;
}

/// Between the parts of a multipart body. Random, so that no content can be made to contain it.
std::string new_boundary() {
  std::random_device random;
  std::string boundary;
  for (int i = 0; i < 4; ++i) boundary += std::to_string(random());
  return boundary;
}

std::uint64_t total_bytes(const std::vector<BlobPart>& parts, const std::string& tail) {
  std::uint64_t total = tail.size();
  for (const auto& part : parts) total += part.head.size() + part.range.length;
  return total;
}

/// Describes several ranges as parts of one body (RFC 9110, 14.6).
std::vector<BlobPart> multipart(const std::vector<ByteRange>& ranges, std::uint64_t size,
                                const std::string& boundary) {
  std::vector<BlobPart> parts;
  parts.reserve(ranges.size());
  for (const auto& range : ranges) {
    std::string head(parts.empty() ? "" : "\r\n");  // Ends the part before.
    head.append("--").append(boundary).append("\r\nContent-Type: ").append(kType);
    head.append("\r\nContent-Range: ").append(content_range(range, size)).append("\r\n\r\n");
    parts.push_back({std::move(head), range});
  }
  return parts;
}

Response send_parts(std::shared_ptr<BlobReader> reader, const Request& request,
                    const std::vector<ByteRange>& ranges, Response response,
                    asio::thread_pool& pool) {
  const auto size = reader->info().size;
  std::vector<BlobPart> parts;
  std::string tail;
  if (ranges.empty()) {
    parts.push_back({"", {0, size}});
  } else if (ranges.size() == 1) {
    response.status = 206;
    response.headers.add("Content-Range", content_range(ranges.front(), size));
    parts.push_back({"", ranges.front()});
  } else {
    const auto boundary = new_boundary();
    response.status = 206;
    response.headers.set("Content-Type", "multipart/byteranges; boundary=" + boundary);
    parts = multipart(ranges, size, boundary);
    tail = "\r\n--" + boundary + "--\r\n";
  }
  response.length = total_bytes(parts, tail);
  response.body =
      stream_blob(std::move(reader), std::move(parts), std::move(tail), pool, request.executor);
  return response;
}

/// The whole of a small blob, if it is in memory.
std::optional<std::string> read_inline(BlobReader& reader) {
  const auto size = reader.info().size;
  if (size > kInlineBytesMax) return std::nullopt;
  std::string content;
  while (content.size() < size) {
    const auto rest = static_cast<std::size_t>(size - content.size());
    const auto bytes = reader.read(content.size(), rest, Wait::no);
    if (!bytes) return std::nullopt;
    content += bytes->view();
  }
  return content;
}

}  // namespace

Response describe_blob(const BlobInfo& info, const Request& request) {
  const auto tag = entity_tag(info.digest);
  auto response = describe(info, tag);
  if (none_match_fails(request.headers, tag)) return not_modified(std::move(response));
  return response;
}

Response answer_blob(std::shared_ptr<BlobReader> reader, const Request& request,
                     std::uint32_t ranges_max, asio::thread_pool& pool) {
  const auto& info = reader->info();
  const auto tag = entity_tag(info.digest);
  auto response = describe(info, tag);
  if (none_match_fails(request.headers, tag)) return not_modified(std::move(response));

  std::vector<ByteRange> ranges;
  const auto field = request.headers.find("Range");
  if (field && range_applies(request.headers, tag)) {
    auto parsed = parse_range(*field, info.size, ranges_max);
    if (!parsed && parsed.error().code == Errc::too_many) {
      // 400 and not 416: clients that ask for many ranges take it as "fewer, please".
      return refusal(400, parsed.error().message);
    }
    if (!parsed) {
      auto refused = error_response(parsed.error());
      refused.headers.add("Content-Range", "bytes */" + std::to_string(info.size));
      return refused;
    }
    ranges = *std::move(parsed);
  }
  if (ranges.empty()) {
    if (auto content = read_inline(*reader)) {
      response.body = *std::move(content);
      return response;
    }
  }
  return send_parts(std::move(reader), request, ranges, std::move(response), pool);
}

}  // namespace shoal
