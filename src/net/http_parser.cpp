#include "net/http_parser.hpp"

#if defined(__GNUC__) && !defined(__clang__)
// Under the sanitizers g++ 12 suspects boost::optional of reading what it guards by a flag.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include "net/limits.hpp"

namespace shamon {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

/// A body that grows as bytes arrive; Beast's own reserves what Content-Length claims.
struct GrowingBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool kRequest, class Fields>
    reader(http::header<kRequest, Fields>&, value_type& body) : body_(body) {}
    void init(boost::optional<std::uint64_t> const&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(Buffers const& buffers, error_code& error) {
      error = {};
      std::size_t total = 0;
      for (auto at = boost::asio::buffer_sequence_begin(buffers);
           at != boost::asio::buffer_sequence_end(buffers); ++at) {
        boost::asio::const_buffer const buffer = *at;
        body_.append(static_cast<char const*>(buffer.data()), buffer.size());
        total += buffer.size();
      }
      return total;
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

using RequestParser = http::request_parser<GrowingBody>;
using ResponseParser = http::response_parser<GrowingBody>;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view view(boost::core::string_view text) {
  return {text.data(), text.size()};
}

Error to_error(error_code const& error, int& refusal_status) {
  refusal_status = 400;
  Errc code = Errc::malformed;
  if (error == http::error::body_limit) {
    refusal_status = 413;
    code = Errc::too_large;
  } else if (error == http::error::header_limit) {
    refusal_status = 431;
    code = Errc::too_large;
  } else if (error == http::error::partial_message || error == http::error::end_of_stream) {
    code = Errc::truncated;
  }
  return Error{code, "HTTP: " + error.message(), {}};
}

}  // namespace

struct HttpParser::State {
  std::variant<RequestParser, ResponseParser> parser;
  Kind kind;
  Bytes buffer;  ///< an unfinished header or chunk line, or what follows the message
  bool failed = false;

  explicit State(Kind which) : kind(which) {
    if (which != Kind::request) parser.emplace<ResponseParser>();
  }
  template <class Visit>
  auto visit(Visit&& what) {
    return std::visit(what, parser);
  }
};

HttpParser::HttpParser(Kind kind, Bounds bounds) : state_(std::make_unique<State>(kind)) {
  state_->visit([&](auto& parser) {
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(bounds.header_bytes_max));
    if (kind == Kind::response_stream) {
      parser.body_limit(boost::none);
    } else {
      parser.body_limit(bounds.body_bytes_max);
    }
  });
}

HttpParser::HttpParser(HttpParser&&) noexcept = default;
HttpParser::~HttpParser() = default;

void HttpParser::expect_no_body() {
  state_->visit([](auto& parser) { parser.skip(true); });
}

Status HttpParser::feed(ByteView bytes) {
  State& state = *state_;
  if (state.failed) return fail(Errc::malformed, "HTTP: the parser has failed");
  append(state.buffer, bytes);
  error_code error;
  std::size_t used = 0;
  try {
    state.visit([&](auto& parser) {
      while (!parser.is_done() && used < state.buffer.size()) {
        std::size_t const size = parser.put(
            boost::asio::const_buffer(state.buffer.data() + used, state.buffer.size() - used),
            error);
        used += size;
        if (error || size == 0) break;
      }
    });
  } catch (std::exception const& exception) {
    state.failed = true;
    return fail(Errc::malformed, std::string("HTTP: ") + exception.what());
  }
  state.buffer.erase(state.buffer.begin(),
                     state.buffer.begin() + static_cast<std::ptrdiff_t>(used));
  if (error && error != http::error::need_more) {
    state.failed = true;
    return tl::unexpected<Error>(to_error(error, refusal_status_));
  }
  return {};
}

Status HttpParser::finish() {
  error_code error;
  state_->visit([&](auto& parser) {
    // The library asserts that an end comes after something.
    if (!parser.is_done() && parser.got_some()) parser.put_eof(error);
  });
  if (!error && !done()) error = http::error::partial_message;
  if (error) return tl::unexpected<Error>(to_error(error, refusal_status_));
  return {};
}

bool HttpParser::started() const noexcept {
  return !state_->buffer.empty() || state_->visit([](auto& parser) { return parser.got_some(); });
}
bool HttpParser::header_done() const noexcept {
  return state_->visit([](auto& parser) { return parser.is_header_done(); });
}
bool HttpParser::done() const noexcept {
  return state_->visit([](auto& parser) { return parser.is_done(); });
}
bool HttpParser::keep_alive() const noexcept {
  return header_done() && state_->visit([](auto& parser) { return parser.keep_alive(); });
}
bool HttpParser::is_http_1_0() const noexcept {
  return state_->visit([](auto& parser) { return parser.get().version() < 11; });
}
bool HttpParser::expects_continue() const noexcept {
  return header_done() && lower(header("expect")) == "100-continue";
}
int HttpParser::status() const noexcept {
  auto* parser = std::get_if<ResponseParser>(&state_->parser);
  return parser != nullptr ? static_cast<int>(parser->get().result_int()) : 0;
}
std::string HttpParser::header(std::string_view lower_case_name) const {
  return state_->visit([&](auto& parser) {
    auto const found =
        parser.get().find(boost::core::string_view(lower_case_name.data(), lower_case_name.size()));
    return found == parser.get().end() ? std::string() : std::string(view(found->value()));
  });
}

Result<HttpRequest> HttpParser::take_request() {
  RequestParser& parser = std::get<RequestParser>(state_->parser);
  HttpRequest request;
  request.method = std::string(view(parser.get().method_string()));
  if (auto status = parse_target(view(parser.get().target()), request); !status) {
    return pass(status);
  }
  for (auto const& field : parser.get()) {
    std::string& value = request.headers[lower(view(field.name_string()))];
    if (!value.empty()) value += ", ";
    value += view(field.value());
  }
  request.body = std::move(parser.get().body());
  return request;
}

HttpResponse HttpParser::take_response() {
  HttpResponse response;
  response.status = status();
  response.content_type = header("content-type");
  response.body = take_body();
  return response;
}

std::string HttpParser::take_body() {
  return state_->visit([](auto& parser) { return std::exchange(parser.get().body(), {}); });
}

Bytes HttpParser::take_rest() {
  return std::exchange(state_->buffer, {});
}

}  // namespace shamon
