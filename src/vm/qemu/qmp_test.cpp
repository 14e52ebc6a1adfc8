#include "vm/qemu/qmp.hpp"

#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/limits.hpp"

namespace shamon {
namespace {

TEST(Qmp, TellsLinesApart) {
  struct Case {
    char const* line;
    QmpLine kind;
  };
  Case const cases[] = {
      {R"({"QMP": {"version": {}, "capabilities": ["oob"]}})", QmpLine::greeting},
      {R"({"return": {}})", QmpLine::success},
      {R"({"error": {"class": "CommandNotFound", "desc": "x"}})", QmpLine::error},
      {R"({"timestamp": {"seconds": 1}, "event": "STOP"})", QmpLine::event},
      {R"({"event": "STOP"})", QmpLine::event},
      {R"({"other": {"return": {}}})", QmpLine::unknown},
      {R"(  {"return": {}})", QmpLine::unknown},
      {"", QmpLine::unknown},
  };
  for (auto const& test : cases) EXPECT_EQ(classify_qmp_line(test.line), test.kind) << test.line;
}

/// Opens a connection to a peer that says only this: what a QEMU taken over by its guest might do.
Status open_against(std::string const& said) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("pair");
  UniqueFd ours(ends[0]);
  std::thread peer([fd = ends[1], &said] {
    UniqueFd const theirs(fd);
    for (std::size_t at = 0; at < said.size();) {
      auto const sent = ::send(theirs.get(), said.data() + at, said.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<std::size_t>(sent);
    }
    ::shutdown(theirs.get(), SHUT_WR);
    char rest[256];
    while (::read(theirs.get(), rest, sizeof rest) > 0) {
    }
  });
  Status result;
  {
    auto const connection = QmpConnection::open(std::move(ours));
    if (!connection) result = pass(connection);
  }
  peer.join();
  return result;
}

TEST(Qmp, RefusesAPeerThatDoesNotKeepTheProtocol) {
  std::string const greeting = "{\"QMP\": {}}\n";
  struct Case {
    char const* what;
    std::string said;
    std::optional<Errc> expected;
  };
  Case const cases[] = {
      {"all well, with an event between", greeting + "{\"event\": \"X\"}\n{\"return\": {}}\n",
       std::nullopt},
      {"silence", "", Errc::unreachable},
      {"half a greeting", "{\"QMP\"", Errc::unreachable},
      {"no greeting", "{\"return\": {}}\n", Errc::malformed},
      {"refusal", greeting + "{\"error\": {}}\n", Errc::denied},
      {"end before the answer", greeting, Errc::unreachable},
      {"nonsense", greeting + "hello\n", Errc::malformed},
      {"a line without end", std::string(kQmpLineBytesMax + 1, 'x'), Errc::too_large},
  };
  for (auto const& test : cases) {
    auto const result = open_against(test.said);
    ASSERT_EQ(result.has_value(), !test.expected.has_value()) << test.what;
    if (test.expected) {
      EXPECT_EQ(result.error().code, *test.expected) << test.what;
    }
  }
}

}  // namespace
}  // namespace shamon
