#include "registry/http/response_parser.h"

#include <limits>
#include <optional>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>

namespace shoal {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t kHeaderBytesMax = 256 << 10;
constexpr int kSwitching = 101;
constexpr std::size_t kLastChunkBytes = 5;  // See RequestParser::parse_chunks.

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

class Parser final : public http::basic_parser<false> {
 public:
  Parser(bool headers_only, int& status, Headers& headers, std::string& body)
      : status_(status), headers_(headers), body_(body) {
    body_limit((std::numeric_limits<std::uint64_t>::max)());
    header_limit(kHeaderBytesMax);
    skip(headers_only);
  }

 private:
  void on_response_impl(int code, beast::string_view, int, error_code&) override {
    status_ = code;
    headers_.clear();
  }

  void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                     error_code&) override {
    if (!is_header_done()) headers_.add(view(name), view(value));
  }

  std::size_t on_body_impl(beast::string_view body, error_code&) override {
    body_.append(body.data(), body.size());
    return body.size();
  }

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body,
                                 error_code& error) override {
    return on_body_impl(body, error);
  }

  void on_request_impl(http::verb, beast::string_view, beast::string_view, int,
                       error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  int& status_;
  Headers& headers_;
  std::string& body_;
};

}  // namespace

struct ResponseParser::Impl {
  bool headers_only;
  int& status;
  Headers& headers;
  std::string& body;
  std::optional<Parser> parser{};
  bool wants_more = false;
  bool head_told = false;

  void begin() { parser.emplace(headers_only, status, headers, body); }
};

ResponseParser::ResponseParser(bool headers_only, int& status, Headers& headers, std::string& body)
    : impl_(std::make_unique<Impl>(Impl{headers_only, status, headers, body})) {
  impl_->begin();
}

ResponseParser::~ResponseParser() = default;

ResponseParser::Step ResponseParser::parse(std::string_view data, std::size_t& used) {
  used = 0;
  while (used < data.size()) {
    auto& parser = *impl_->parser;
    const auto rest = data.substr(used);
    const bool in_body = parser.got_some() && parser.is_header_done();
    if (in_body && impl_->wants_more && rest.size() < kLastChunkBytes) return Step::more;

    error_code error;
    used += parser.put(asio::const_buffer(rest.data(), rest.size()), error);
    impl_->wants_more = error == http::error::need_more;
    if (impl_->wants_more) return Step::more;
    if (error) return Step::broken;
    if (!parser.is_done()) {
      if (parser.is_header_done() && !std::exchange(impl_->head_told, true)) return Step::head;
      continue;
    }
    if (impl_->status / 100 != 1 || impl_->status == kSwitching) return Step::done;
    impl_->begin();
  }
  return Step::more;
}

std::optional<std::uint64_t> ResponseParser::body_length() const {
  const auto length = impl_->parser->content_length();
  if (!length || impl_->parser->chunked()) return std::nullopt;
  return *length;
}

bool ResponseParser::chunked() const { return impl_->parser->chunked(); }

bool ResponseParser::keep_alive() const { return impl_->parser->keep_alive(); }

}  // namespace shoal
