// The first byte says in what pieces the rest arrives; whatever the pieces, the verdict is the
// same.
#include <cstdint>
#include <cstdlib>

#include "net/http_parser.hpp"
#include "net/http_text.hpp"

using namespace shamon;

namespace {

constexpr HttpParser::Bounds kBounds{1024, 256};

struct Outcome {
  bool accepted = false;
  std::string path, body;
  friend bool operator==(Outcome const&, Outcome const&) = default;
};

Outcome parse(HttpParser::Kind kind, ByteView input, std::size_t step) {
  HttpParser parser(kind, kBounds);
  Outcome outcome;
  for (std::size_t i = 0; i < input.size() && !parser.done(); i += step) {
    if (!parser.feed(input.subspan(i, std::min(step, input.size() - i)))) return {};
  }
  if (!parser.done() && !parser.finish()) return {};
  if (kind == HttpParser::Kind::request) {
    auto request = parser.take_request();
    if (!request) return {};
    if (request->body.size() > kBounds.body_bytes_max) std::abort();
    if (request->path.empty() || request->path.find('\0') != std::string::npos) std::abort();
    std::map<std::string, std::string> parameters;
    (void)match_route("/v1/{a}/x/{b}", request->path, parameters);
    outcome.path = request->path;
    outcome.body = request->body;
  } else {
    HttpResponse response = parser.take_response();
    if (kind == HttpParser::Kind::response && response.body.size() > kBounds.body_bytes_max) {
      std::abort();
    }
    outcome.body = std::move(response.body);
  }
  outcome.accepted = true;
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size < 1) return 0;
  ByteView const input(data + 1, size - 1);
  for (auto kind :
       {HttpParser::Kind::request, HttpParser::Kind::response, HttpParser::Kind::response_stream}) {
    Outcome const whole = parse(kind, input, std::max<std::size_t>(input.size(), 1));
    if (!(parse(kind, input, 1u + data[0] % 16) == whole)) std::abort();
  }
  return 0;
}
