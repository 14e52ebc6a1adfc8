#include "operator/lsp/frames.hpp"

#include <algorithm>
#include <charconv>

#include "operator/lsp/limits.hpp"

namespace shamon::lsp {
namespace {

constexpr std::string_view kLength = "content-length:";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The value of the one Content-Length among header lines, or nothing.
std::optional<std::size_t> content_length(std::string_view headers) {
  std::optional<std::size_t> found;
  while (!headers.empty()) {
    std::size_t const end = std::min(headers.find("\r\n"), headers.size());
    std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end + 2, headers.size()));
    bool const is_length =
        line.size() > kLength.size() &&
        std::equal(kLength.begin(), kLength.end(), line.begin(),
                   [](char wanted, char given) { return wanted == lower(given); });
    if (!is_length) continue;
    line.remove_prefix(kLength.size());
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::size_t value = 0;
    auto const [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || stop != line.data() + line.size() || found) return std::nullopt;
    found = value;
  }
  return found;
}

}  // namespace

std::optional<Frame> FrameReader::take_header() {
  std::size_t const end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos && buffer_.size() <= kHeaderBytesMax) return std::nullopt;
  if (end == std::string::npos || end > kHeaderBytesMax) {
    lost_ = true;
    buffer_.clear();
    return Frame{"", "a header without end"};
  }
  auto const length = content_length(std::string_view(buffer_).substr(0, end));
  buffer_.erase(0, end + 4);
  if (!length) return Frame{"", "a header needs one Content-Length"};
  if (*length <= kMessageBytesMax) {
    body_bytes_ = *length;
    return std::nullopt;
  }
  skip_bytes_ = *length;
  return Frame{"", "a message may have " + std::to_string(kMessageBytesMax) + " bytes"};
}

std::optional<Frame> FrameReader::next() {
  std::size_t const skipped = std::min(skip_bytes_, buffer_.size());
  buffer_.erase(0, skipped);
  skip_bytes_ -= skipped;
  if (lost_ || skip_bytes_ > 0) return std::nullopt;
  if (!body_bytes_) {
    if (auto mistake = take_header()) return mistake;
  }
  if (!body_bytes_ || buffer_.size() < *body_bytes_) return std::nullopt;
  Frame out{buffer_.substr(0, *body_bytes_), ""};
  buffer_.erase(0, *body_bytes_);
  body_bytes_.reset();
  return out;
}

std::string frame(std::string_view body) {
  return "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace shamon::lsp
