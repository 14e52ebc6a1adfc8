// One HTTP/1.1 request, read strictly (RFC 9112): what is not needed is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace boinc_example {

struct HttpRequest {
  std::string method;  ///< "GET" or "POST"
  std::string path;    ///< begins with '/'; query included
  std::string body;
  std::size_t bytes_used = 0;  ///< length of head and body in the input
};

/// Reads one request from the bytes received so far. Shape: nothing = more bytes are needed.
/// Errors: `malformed`, `too_large` (limits.hpp), `unsupported` (other methods, transfer codings).
shamon::Result<std::optional<HttpRequest>> read_http_request(std::string_view received);

/// True once the head is complete and asks for "100 Continue" (RFC 9110 §10.1.1).
bool expects_continue(std::string_view received);

/// A whole response with Content-Length and "Connection: close".
std::string http_response(int status, std::string_view content_type, std::string_view body);

}  // namespace boinc_example
