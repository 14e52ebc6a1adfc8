#include "net/http_text.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/http_parser.hpp"
#include "net/limits.hpp"
#include "net/server_sent_events.hpp"

namespace shamon {
namespace {

using Map = std::map<std::string, std::string>;

TEST(Target, is_split_and_decoded_or_refused) {
  struct Row {
    char const* target;
    char const* path;  ///< null: refused
    Map query;
  };
  Row const rows[] = {
      {"/", "/", {}},
      {"/v1/hosts?x=1&y=a+b%26c&flag", "/v1/hosts", {{"x", "1"}, {"y", "a b&c"}, {"flag", ""}}},
      {"/a%20b", "/a b", {}},
      {"/a+b", "/a+b", {}},
      {"/?", "/", {}},
      {"/?&&=v", "/", {}},
      {"/?a=1=2", "/", {{"a", "1=2"}}},
      {"", nullptr, {}},
      {"*", nullptr, {}},
      {"http://evil/", nullptr, {}},
      {"/a%2Fb", nullptr, {}},
      {"/a%00", nullptr, {}},
      {"/a%", nullptr, {}},
      {"/a%2", nullptr, {}},
      {"/a%zz", nullptr, {}},
      {"/?q=%4", nullptr, {}},
  };
  for (Row const& row : rows) {
    HttpRequest request;
    Status const status = parse_target(row.target, request);
    EXPECT_EQ(status.has_value(), row.path != nullptr) << row.target;
    if (!status || row.path == nullptr) continue;
    EXPECT_EQ(request.path, row.path);
    EXPECT_EQ(request.query, row.query) << row.target;
  }
  std::string many = "/?";
  for (std::size_t i = 0; i < kQueryParametersMax; ++i) many += fmt::format("p{}=1&", i);
  HttpRequest request;
  EXPECT_TRUE(parse_target(many, request));
  HttpRequest fresh;
  EXPECT_EQ(parse_target(many + "more=1", fresh).error().code, Errc::too_large);
}

TEST(Route, takes_one_segment_per_name) {
  struct Row {
    char const *pattern, *path;
    bool matches;
    Map parameters;
  };
  Row const rows[] = {
      {"/v1/hosts", "/v1/hosts", true, {}},
      {"/v1/hosts", "/v1/hosts/", false, {}},
      {"/v1/hosts", "/v1/host", false, {}},
      {"/v1/hosts/{name}", "/v1/hosts/shype1", true, {{"name", "shype1"}}},
      {"/v1/hosts/{name}", "/v1/hosts/", false, {}},
      {"/v1/hosts/{name}", "/v1/hosts/a/b", false, {}},
      {"/v1/{a}/x/{b}", "/v1/1/x/2", true, {{"a", "1"}, {"b", "2"}}},
      {"/v1/{a}/x/{b}", "/v1/1/y/2", false, {}},
  };
  for (Row const& row : rows) {
    Map parameters{{"stale", "1"}};
    EXPECT_EQ(match_route(row.pattern, row.path, parameters), row.matches) << row.path;
    if (row.matches) {
      EXPECT_EQ(parameters, row.parameters);
    }
  }
}

TEST(Request, cannot_be_made_to_carry_a_second_one) {
  HttpCall call;
  call.target = "/v1/hosts";
  call.headers = {{"X-One", "1"}};
  EXPECT_EQ(*format_request(call, "h:1", true),
            "GET /v1/hosts HTTP/1.1\r\nHost: h:1\r\nX-One: 1\r\n\r\n");
  call.headers = {{"X-One", "1\r\nX-Two: 2"}};
  EXPECT_EQ(format_request(call, "h", true).error().code, Errc::invalid);
  call.headers = {{"X One", "1"}};
  EXPECT_FALSE(format_request(call, "h", true));
  call.headers = {};
  for (char const* target : {"", "v1", "/a b", "/a\r\nb", "/\xc3\xa4"}) {
    call.target = target;
    EXPECT_FALSE(format_request(call, "h", true)) << target;
  }
  call.target = "/";
  call.method = "GET /x HTTP/1.1\r\n";
  EXPECT_FALSE(format_request(call, "h", true));
  call.method = "POST";
  call.body = "x";
  call.content_type = "a\nb";
  EXPECT_FALSE(format_request(call, "h", true));
  EXPECT_EQ(format_response({200, "a\r\nb", "x"}, true, true),
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
}

struct ParseRow {
  char const* name;
  std::string text;
  int refusal;  ///< 0: whole, -1: more is needed
  std::string body;
};

TEST(Parser, reads_requests_whole_or_bytewise_and_refuses_the_same_ones) {
  std::string const big_header(300, 'h');
  ParseRow const rows[] = {
      {"get", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 0, ""},
      {"post", "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 0, "abc"},
      {"chunked",
       "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 0,
       "abc"},
      {"body at its bound", "POST /a HTTP/1.1\r\nContent-Length: 8\r\n\r\n12345678", 0, "12345678"},
      {"body over its bound", "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789", 413, ""},
      {"claimed length of 2^63", "POST /a HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\n",
       413, ""},
      {"claimed length over 2^64",
       "POST /a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, ""},
      {"negative length", "POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, ""},
      {"two lengths", "POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400,
       ""},
      {"length and chunked",
       "POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
       ""},
      {"chunks over the bound",
       "POST /a HTTP/1.1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n",
       413, ""},
      {"bad chunk size", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, ""},
      {"header over its bound", "GET /a HTTP/1.1\r\nX: " + big_header + "\r\n\r\n", 431, ""},
      {"not HTTP", "\x16\x03\x01\x02\x00 hello\r\n\r\n", 400, ""},
      {"HTTP/2", "GET /a HTTP/2.0\r\n\r\n", 400, ""},
      {"space before colon", "GET /a HTTP/1.1\r\nX : y\r\n\r\n", 400, ""},
      {"no end", "GET /a HTTP/1.1\r\nX: y\r\n", -1, ""},
      {"part of the body", "POST /a HTTP/1.1\r\nContent-Length: 8\r\n\r\n1234", -1, ""},
  };
  for (ParseRow const& row : rows) {
    for (std::size_t step : {std::size_t{1}, row.text.size()}) {
      SCOPED_TRACE(std::string(row.name) + " in steps of " + std::to_string(step));
      HttpParser parser(HttpParser::Kind::request, {256, 8});
      Status status;
      for (std::size_t i = 0; i < row.text.size() && status; i += step) {
        status = parser.feed(as_bytes(std::string_view(row.text).substr(i, step)));
      }
      ASSERT_EQ(status.has_value(), row.refusal <= 0);
      if (!status) {
        EXPECT_EQ(parser.refusal_status(), row.refusal);
        EXPECT_FALSE(parser.feed(as_bytes("GET / HTTP/1.1\r\n\r\n")));
        continue;
      }
      EXPECT_EQ(parser.done(), row.refusal == 0);
      if (!parser.done()) {
        EXPECT_EQ(parser.finish().error().code, Errc::truncated);
        continue;
      }
      auto const request = parser.take_request();
      ASSERT_TRUE(request);
      EXPECT_EQ(request->path, "/a");
      EXPECT_EQ(request->body, row.body);
    }
  }
}

TEST(Parser, keeps_what_follows_a_message_and_joins_repeated_headers) {
  HttpParser parser(HttpParser::Kind::request, {});
  ASSERT_TRUE(parser.feed(as_bytes("GET /1 HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\nGET /2 HT")));
  EXPECT_TRUE(parser.done() && parser.keep_alive());
  EXPECT_EQ(parser.take_request()->headers.at("a"), "1, 2");
  EXPECT_EQ(as_text(parser.take_rest()), "GET /2 HT");
}

TEST(Events, survive_writing_and_reading_in_pieces) {
  ServerSentEvent const events[] = {
      {"1", "revoke", "{\"host\":\"shype1\"}"}, {"2", "", "two\nlines"}, {"2", "empty", ""}};
  std::string text = ": comment\n";
  for (ServerSentEvent const& event : events) text += format_event(event);
  for (std::size_t step : {std::size_t{1}, std::size_t{3}, text.size()}) {
    EventParser parser;
    std::vector<ServerSentEvent> read;
    for (std::size_t i = 0; i < text.size(); i += step) {
      ASSERT_TRUE(parser.feed(std::string_view(text).substr(i, step),
                              [&](ServerSentEvent const& event) { read.push_back(event); }));
    }
    ASSERT_EQ(read.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(read[i].id, events[i].id);
      EXPECT_EQ(read[i].name, events[i].name);
      EXPECT_EQ(read[i].data, events[i].data);
    }
  }
  EXPECT_EQ(format_event({"1\n2", "a\r\nb", "x"}), "id: 12\nevent: ab\ndata: x\n\n");
}

TEST(Events, follow_the_corner_cases_of_the_standard) {
  struct Row {
    char const* text;
    std::vector<std::string> expected;  ///< "id|name|data"
  };
  Row const rows[] = {
      {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", {"||a", "||b", "||c"}},
      {"\xef\xbb\xbf"
       "data: bom\n\n",
       {"||bom"}},
      {"data\n\n", {"||"}},
      {"data:no space\ndata:  two\n\n", {"||no space\n two"}},
      {"id: 7\n\ndata: x\n\n", {"7||x"}},
      {"id: 7\ndata: x\n\ndata: y\n\nid\ndata: z\n\n", {"7||x", "7||y", "||z"}},
      {"event: e\n\ndata: x\n\n", {"||x"}},
      {"unknown: e\nretry: 5\n: c\ndata: x\n\n", {"||x"}},
      {"data: unfinished\n", {}},
  };
  for (Row const& row : rows) {
    EventParser parser;
    std::vector<std::string> read;
    ASSERT_TRUE(parser.feed(row.text, [&](ServerSentEvent const& event) {
      read.push_back(event.id + "|" + event.name + "|" + event.data);
    }));
    EXPECT_EQ(read, row.expected) << row.text;
  }
}

TEST(Events, over_the_bound_are_refused) {
  auto none = [](ServerSentEvent const&) {};
  EventParser most;
  EXPECT_TRUE(most.feed("data:" + std::string(kEventBytesMax - 5, 'x') + "\n\n", none));
  EventParser more;
  EXPECT_EQ(more.feed("data:" + std::string(kEventBytesMax - 4, 'x'), none).error().code,
            Errc::too_large);
  EventParser lines;
  Status status;
  for (int i = 0; i < 9 && status; ++i) {
    status = lines.feed("data: " + std::string(kEventBytesMax / 8, 'x') + "\n", none);
  }
  EXPECT_FALSE(status);
}

}  // namespace
}  // namespace shamon
