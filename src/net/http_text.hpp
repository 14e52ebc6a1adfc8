// HTTP/1.1 messages as text we write, and the texts inside URLs.
#pragma once

#include "net/http.hpp"

namespace shamon {

std::string_view reason_phrase(int status) noexcept;

/// Status line, headers and body. A content type that would break the header becomes none.
std::string format_response(HttpResponse const& response, bool keep_alive, bool with_body);
/// The header of an answer whose body has no end.
std::string format_stream_header(bool chunked);
/// 101: from here on the connection speaks `protocol` (RFC 9110 §7.8).
std::string format_upgrade(std::string_view protocol);
std::string format_chunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
/// Errors: `invalid` where method, target or a header holds what its grammar does not allow.
Result<std::string> format_request(HttpCall const& call, std::string_view host, bool keep_alive);

/// RFC 3986 §2.1. `plus_is_space` as in query strings. Errors: `malformed` with offset.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

/// Matches "/v1/hosts/{name}" against a path; a {name} takes one non-empty segment.
bool match_route(std::string_view pattern, std::string_view path,
                 std::map<std::string, std::string>& parameters);

/// The error a status of 400 or more stands for.
Error error_of_status(int status, std::string_view body);

}  // namespace shamon
