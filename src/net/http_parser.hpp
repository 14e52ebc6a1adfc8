// Reads HTTP/1.1 messages (RFC 9112) from bytes as they arrive. Boost.Beast does the grammar, in
// the .cpp only: its headers cost seconds a file.
#pragma once

#include <memory>
#include <string>

#include "net/http.hpp"

namespace shamon {

class HttpParser {
 public:
  enum class Kind : std::uint8_t {
    request,
    response,
    response_stream,  ///< the body has no bound and is taken in pieces
  };
  struct Bounds {
    std::size_t header_bytes_max = 16u << 10;
    std::size_t body_bytes_max = 16u << 20;
  };

  HttpParser(Kind kind, Bounds bounds);
  HttpParser(HttpParser&&) noexcept;
  ~HttpParser();

  void expect_no_body();  ///< the response to a HEAD request

  /// Reads on until the message is whole or the bytes end; what follows the message is kept.
  /// Nothing is allocated by a length the peer claims. Errors: `too_large`, `malformed`,
  /// `truncated`.
  Status feed(ByteView bytes);
  /// The peer closed: the end of a response without a length. Errors: `truncated`.
  Status finish();

  bool started() const noexcept;  ///< a byte of the message arrived
  bool header_done() const noexcept;
  bool done() const noexcept;
  bool keep_alive() const noexcept;
  bool is_http_1_0() const noexcept;
  bool expects_continue() const noexcept;  ///< RFC 9110 §10.1.1
  int status() const noexcept;             ///< of a response
  std::string header(std::string_view lower_case_name) const;
  /// After feed() failed: 400, 413, 414 or 431.
  int refusal_status() const noexcept { return refusal_status_; }

  /// Of a whole message. Errors: `malformed` for a target that is not a path.
  Result<HttpRequest> take_request();
  HttpResponse take_response();
  std::string take_body();  ///< what arrived since the last call
  /// The bytes after a whole message.
  Bytes take_rest();

 private:
  struct State;
  std::unique_ptr<State> state_;
  int refusal_status_ = 400;
};

/// Splits and decodes the target of a request into path and query. Errors: `malformed`.
Status parse_target(std::string_view target, HttpRequest& into);

}  // namespace shamon
