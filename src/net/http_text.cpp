#include "net/http_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/http_parser.hpp"
#include "net/limits.hpp"

namespace shamon {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";  // RFC 9110 §5.6.2
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 ? c != 0x7f : c == '\t';
  });
}

bool is_target(std::string_view text) {
  return !text.empty() && text.front() == '/' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Cuts the next part up to `mark` off the front.
std::string_view cut(std::string_view& text, char mark) {
  std::size_t const at = text.find(mark);
  std::string_view const part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

}  // namespace

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
  }
  return status < 400 ? "OK" : "Refused";
}

std::string format_response(HttpResponse const& response, bool keep_alive, bool with_body) {
  int const status = response.status >= 200 && response.status <= 599 ? response.status : 500;
  std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
  text += reason_phrase(status);
  if (status != 204) text += "\r\nContent-Length: " + std::to_string(response.body.size());
  if (!response.content_type.empty() && is_field_value(response.content_type)) {
    text += "\r\nContent-Type: " + response.content_type;
  }
  if (!keep_alive) text += "\r\nConnection: close";
  text += "\r\n\r\n";
  if (with_body && status != 204) text += response.body;
  return text;
}

std::string format_stream_header(bool chunked) {
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n";
  text += chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n";
  return text;
}

std::string format_upgrade(std::string_view protocol) {
  return fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n", protocol);
}

std::string format_chunk(std::string_view data) {
  std::string text = fmt::format("{:x}\r\n", data.size());
  text += data;
  text += "\r\n";
  return text;
}

Result<std::string> format_request(HttpCall const& call, std::string_view host, bool keep_alive) {
  if (!is_token(call.method)) return fail(Errc::invalid, "HTTP method \"" + call.method + "\"");
  if (!is_target(call.target)) return fail(Errc::invalid, "HTTP target \"" + call.target + "\"");
  std::string text = call.method + " " + call.target + " HTTP/1.1\r\nHost: ";
  text += host;
  for (auto const& [name, value] : call.headers) {
    if (!is_token(name) || !is_field_value(value)) {
      return fail(Errc::invalid, "HTTP header \"" + name + "\"");
    }
    text += "\r\n" + name + ": " + value;
  }
  if (!call.body.empty()) {
    if (!is_field_value(call.content_type)) return fail(Errc::invalid, "HTTP content type");
    text += "\r\nContent-Type: " + call.content_type;
  }
  if (!call.body.empty() || call.method != "GET") {
    text += "\r\nContent-Length: " + std::to_string(call.body.size());
  }
  if (!keep_alive) text += "\r\nConnection: close";
  text += "\r\n\r\n" + call.body;
  return text;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      int const high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      int const low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail_at(Errc::malformed, i, "percent-encoding");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

Status parse_target(std::string_view target, HttpRequest& into) {
  if (target.empty() || target.front() != '/') {
    return fail(Errc::malformed, "request target is not a path");
  }
  std::string_view query = target;
  auto path = percent_decode(cut(query, '?'), false);
  if (!path) return pass(path, "request path");
  // A zero or an encoded slash is there to be read as another path further on.
  std::string_view const raw = target.substr(0, target.find('?'));
  if (path->find('\0') != std::string::npos ||
      std::count(path->begin(), path->end(), '/') != std::count(raw.begin(), raw.end(), '/')) {
    return fail(Errc::malformed, "request path holds an encoded slash or zero");
  }
  into.path = std::move(*path);
  while (!query.empty()) {
    std::string_view value = cut(query, '&');
    auto const name = percent_decode(cut(value, '='), true);
    auto const decoded = percent_decode(value, true);
    if (!name || !decoded) return fail(Errc::malformed, "request query");
    if (name->empty()) continue;
    if (into.query.size() == kQueryParametersMax) return fail(Errc::too_large, "request query");
    into.query[*name] = *decoded;
  }
  return {};
}

bool match_route(std::string_view pattern, std::string_view path,
                 std::map<std::string, std::string>& parameters) {
  parameters.clear();
  if (std::count(pattern.begin(), pattern.end(), '/') !=
      std::count(path.begin(), path.end(), '/')) {
    return false;
  }
  while (!pattern.empty() || !path.empty()) {
    std::string_view const wanted = cut(pattern, '/');
    std::string_view const segment = cut(path, '/');
    if (wanted.size() > 2 && wanted.front() == '{' && wanted.back() == '}') {
      if (segment.empty()) return false;
      parameters[std::string(wanted.substr(1, wanted.size() - 2))] = std::string(segment);
    } else if (wanted != segment) {
      return false;
    }
  }
  return true;
}

Error error_of_status(int status, std::string_view body) {
  Errc code = status >= 500 ? Errc::unreachable : Errc::invalid;
  switch (status) {
    case 401:
    case 403: code = Errc::denied; break;
    case 404: code = Errc::not_found; break;
    case 409: code = Errc::conflict; break;
    case 410: code = Errc::stale; break;
    case 413:
    case 431: code = Errc::too_large; break;
  }
  constexpr std::size_t kShown = 512;
  return Error{code, fmt::format("HTTP {}: {}", status, body.substr(0, kShown)), {}};
}

}  // namespace shamon
