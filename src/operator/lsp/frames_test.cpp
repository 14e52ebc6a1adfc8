#include "operator/lsp/frames.hpp"

#include <gtest/gtest.h>

#include "operator/lsp/limits.hpp"
#include "operator/lsp/uri.hpp"

namespace shamon::lsp {
namespace {

/// Bodies in quotes and mistakes, in the order they come out.
std::string read_all(std::string const& bytes, std::size_t piece) {
  FrameReader reader;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(std::string_view(bytes).substr(at, piece));
    while (auto const frame = reader.next()) {
      out += frame->mistake.empty() ? "'" + frame->body + "'" : "!" + frame->mistake;
    }
  }
  return out + (reader.lost() ? " lost" : "");
}

TEST(LspFrames, MessagesAreCutHoweverThePipeCutsThem) {
  std::string const too_large = std::to_string(kMessageBytesMax + 1);
  struct {
    std::string bytes;
    std::string read;
  } const rows[] = {
      {frame("{}") + frame("[1,2]") + frame(""), "'{}''[1,2]'''"},
      {"content-length:2\r\nContent-Type: x; charset=utf-8\r\n\r\n{}", "'{}'"},
      {"Content-Length: 3\r\n\r\n{}", ""},
      {"Content-Type: x\r\n\r\n" + frame("{}"), "!a header needs one Content-Length'{}'"},
      {"Content-Length: x\r\n\r\n" + frame("{}"), "!a header needs one Content-Length'{}'"},
      {"Content-Length: -1\r\n\r\n" + frame("{}"), "!a header needs one Content-Length'{}'"},
      {"Content-Length: 2\r\nContent-Length: 3\r\n\r\n" + frame("{}"),
       "!a header needs one Content-Length'{}'"},
      {"Content-Length: 99999999999999999999\r\n\r\n" + frame("{}"),
       "!a header needs one Content-Length'{}'"},
      {"\r\n\r\n" + frame("{}"), "!a header needs one Content-Length'{}'"},
      {std::string(kHeaderBytesMax + 1, 'x'), "!a header without end lost"},
      {std::string(kHeaderBytesMax, 'x'), ""},
      {"Content-Length: " + too_large + "\r\n\r\n" + std::string(100, 'x'),
       "!a message may have 33554432 bytes"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(read_all(row.bytes, 1), row.read) << row.bytes.substr(0, 60);
    EXPECT_EQ(read_all(row.bytes, 7), row.read) << row.bytes.substr(0, 60);
    EXPECT_EQ(read_all(row.bytes, row.bytes.size()), row.read) << row.bytes.substr(0, 60);
  }
}

TEST(LspFrames, AMessageThatIsTooLargeIsSkippedWhole) {
  std::string bytes = "Content-Length: " + std::to_string(kMessageBytesMax + 1) + "\r\n\r\n";
  bytes += std::string(kMessageBytesMax + 1, 'x') + frame("{}");
  EXPECT_EQ(read_all(bytes, 1u << 16), "!a message may have 33554432 bytes'{}'");
}

TEST(LspUri, FilesAreNamedAsEditorsNameThem) {
  struct {
    char const* uri;
    char const* path;  ///< null: none
  } const rows[] = {
      {"file:///a/b.policy", "/a/b.policy"},
      {"file:///a%20b/%C3%A4.policy", "/a b/\xc3\xa4.policy"},
      {"file://localhost/a", "/a"},
      {"file://elsewhere/a", nullptr},
      {"untitled:Untitled-1", nullptr},
      {"file:///a%2", nullptr},
      {"file:///a%zz", nullptr},
      {"file:///a%00", nullptr},
      {"", nullptr},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(path_of_uri(row.uri).value_or("none"), row.path == nullptr ? "none" : row.path);
  }
  EXPECT_EQ(uri_of_path("/a b/\xc3\xa4.policy"), "file:///a%20b/%C3%A4.policy");
}

}  // namespace
}  // namespace shamon::lsp
