#include "http_request.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "limits.hpp"

namespace boinc_example {
namespace {

using shamon::Errc;
using shamon::fail;
using shamon::fail_at;
using shamon::pass;
using shamon::Result;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Head {
  HttpRequest request;
  std::size_t body_bytes = 0;
  bool expects_continue = false;
};

Result<std::size_t> read_length(std::string_view value) {
  std::size_t length = 0;
  auto const [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc{} || end != value.data() + value.size()) {
    return fail(Errc::malformed, "Content-Length is not a number");
  }
  if (length > kHttpBodyBytesMax) return fail(Errc::too_large, "body exceeds the limit");
  return length;
}

Result<Head> read_request_line(std::string_view line) {
  auto const first = line.find(' ');
  auto const last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return fail_at(Errc::malformed, 0, "request line needs method, target and version");
  }
  Head head;
  head.request.method = line.substr(0, first);
  head.request.path = line.substr(first + 1, last - first - 1);
  auto const version = line.substr(last + 1);
  if (head.request.method != "GET" && head.request.method != "POST") {
    return fail(Errc::unsupported, "only GET and POST are answered");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return fail(Errc::unsupported, "only HTTP/1.0 and HTTP/1.1 are spoken");
  }
  auto const is_target_char = [](char c) { return c > ' ' && c < 0x7f; };
  if (head.request.path.front() != '/' || !std::ranges::all_of(head.request.path, is_target_char)) {
    return fail_at(Errc::malformed, first + 1, "target is not a path");
  }
  return head;
}

Result<Head> read_head(std::string_view text) {
  auto const line_end = text.find("\r\n");
  auto head = read_request_line(text.substr(0, line_end));
  if (!head) return head;
  bool length_seen = false;
  for (auto rest = text.substr(line_end + 2); !rest.empty();) {
    auto const end = rest.find("\r\n");
    auto const line = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 2));
    auto const colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) {
      return fail(Errc::malformed, "header line without a name");
    }
    auto const name = line.substr(0, colon);
    auto const value = trim(line.substr(colon + 1));
    if (equals_ignoring_case(name, "content-length")) {
      if (length_seen) return fail(Errc::malformed, "Content-Length given twice");
      length_seen = true;
      auto const length = read_length(value);
      if (!length) return pass(length);
      head->body_bytes = *length;
    } else if (equals_ignoring_case(name, "transfer-encoding")) {
      return fail(Errc::unsupported, "transfer codings are not accepted");
    } else if (equals_ignoring_case(name, "expect")) {
      head->expects_continue = equals_ignoring_case(value, "100-continue");
    }
  }
  return head;
}

/// The head without its last empty line, each line but the last ended by CRLF.
Result<std::optional<std::string_view>> find_head(std::string_view received) {
  auto const end = received.substr(0, kHttpHeadBytesMax).find("\r\n\r\n");
  if (end != std::string_view::npos) return received.substr(0, end + 2);
  if (received.size() >= kHttpHeadBytesMax) return fail(Errc::too_large, "head exceeds the limit");
  return std::nullopt;
}

}  // namespace

Result<std::optional<HttpRequest>> read_http_request(std::string_view received) {
  auto const head_text = find_head(received);
  if (!head_text) return pass(head_text);
  if (!*head_text) return std::nullopt;
  auto head = read_head(**head_text);
  if (!head) return pass(head);
  auto const body_at = (*head_text)->size() + 2;
  if (received.size() - body_at < head->body_bytes) return std::nullopt;
  head->request.body = received.substr(body_at, head->body_bytes);
  head->request.bytes_used = body_at + head->body_bytes;
  return std::move(head->request);
}

bool expects_continue(std::string_view received) {
  auto const head_text = find_head(received);
  if (!head_text || !*head_text) return false;
  auto const head = read_head(**head_text);
  return head && head->expects_continue;
}

std::string http_response(int status, std::string_view content_type, std::string_view body) {
  char const* reason = status == 200 ? "OK" : status == 404 ? "Not Found" : "Bad Request";
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      status, reason, content_type, body.size(), body);
}

}  // namespace boinc_example
