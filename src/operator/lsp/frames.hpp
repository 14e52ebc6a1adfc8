// JSON-RPC messages out of a byte stream, and into one: the base protocol of LSP 3.17.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shamon::lsp {

/// A message, or why there is none where one should be.
struct Frame {
  std::string body;
  std::string mistake;  ///< empty: `body` is a message
};

/// Cuts a stream into messages. After a mistake it goes on with the next header, so that one bad
/// message costs one answer. Holds at most kHeaderBytesMax and one message.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_ += bytes; }
  /// The next message or mistake; nothing: feed more.
  std::optional<Frame> next();
  /// The headers never end: nothing after this can be understood.
  bool lost() const noexcept { return lost_; }

 private:
  std::optional<Frame> take_header();
  std::string buffer_;
  std::optional<std::size_t> body_bytes_;  ///< absent: a header is due
  std::size_t skip_bytes_ = 0;             ///< of a message that was too large
  bool lost_ = false;
};

/// "Content-Length: …" and the body.
std::string frame(std::string_view body);

}  // namespace shamon::lsp
