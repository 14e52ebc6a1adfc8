// The real shamon-authority over TLS and its sockets, with real member machines as clients.
#include "authority/service.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "authority/test_daemon.hpp"
#include "authority/test_member.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {
namespace {

using std::chrono::seconds;

class AuthorityServiceTest : public ::testing::Test {
 protected:
  AuthorityServiceTest()
      : daemon_(SHAMON_BIN_DIR "/shamon-authority", folder_.path(), endorser_,
                "heartbeat_ms = 200\nlease_ms = 1000\nchallenge_period_ms = 500\n"
                "challenge_timeout_ms = 2000\nunreachable_after_ms = 4000\n") {}
  void SetUp() override {
    if (::access(SHAMON_BIN_DIR "/shamon-authority", X_OK) != 0) {
      GTEST_SKIP() << "shamon-authority is not built: build the target shamon-authority";
    }
    ASSERT_TRUE(daemon_.start()) << daemon_.log();
  }

  TestMember& add_member(std::string name) {
    machines_.push_back(std::make_unique<TestMachine>(std::move(name), endorser_, folder_.path(),
                                                      good_components()));
    members_.push_back(
        std::make_unique<TestMember>(loop_, daemon_.endpoint(), daemon_.ca(), *machines_.back()));
    members_.back()->start();
    return *members_.back();
  }
  HttpResponse ask(std::string method, std::string target, std::string body = {}) {
    HttpClient client(loop_, UnixTarget{daemon_.admin_socket()});
    HttpCall call;
    call.method = std::move(method);
    call.target = std::move(target);
    call.body = std::move(body);
    auto answer = client.call_and_wait(call);
    return answer ? *answer : HttpResponse{0, "", answer.error().describe()};
  }

  TemporaryFolder folder_;
  TestEndorser endorser_;
  TestDaemon daemon_;
  EventLoop loop_;
  std::vector<std::unique_ptr<TestMachine>> machines_;
  std::vector<std::unique_ptr<TestMember>> members_;
};

TEST_F(AuthorityServiceTest, members_join_follow_and_learn_of_a_revocation_at_once) {
  TestMember& a = add_member("shype1");
  TestMember& b = add_member("shype2");
  ASSERT_TRUE(loop_.run_until([&] { return a.following() && b.following(); }, seconds(30)))
      << a.member().reason() << b.member().reason() << daemon_.log();
  auto const hosts = decode_json<HostList>(ask("GET", "/v1/hosts").body);
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->hosts.size(), 2u);
  EXPECT_EQ(hosts->hosts[0].state, "active");
  EXPECT_TRUE(hosts->hosts[0].connected);
  EXPECT_FALSE(hosts->hosts[0].ek_fingerprint.empty());

  auto const proof = parse_proof(ask("GET", "/v1/proof/host/shype1").body);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->conclusion().statement.predicate, "member");
  EXPECT_TRUE(check_proof(*proof, builtin_rules(), [](auto const&) { return true; }));

  // Challenges go on and are answered.
  loop_.run_until([] { return false; }, seconds(3));
  EXPECT_TRUE(a.following() && b.following());

  auto const answer =
      ask("POST", "/v1/hosts/shype1/revoke", encode_json(RevokeRequest{"the lid was open"}));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(loop_.run_until(
      [&] { return !b.cut().empty() && a.member().state() == MemberState::revoked; }, seconds(5)));
  EXPECT_EQ(b.cut(), std::vector<std::string>{"shype1"});
  EXPECT_NE(a.member().reason().find("the lid was open"), std::string::npos);
  EXPECT_TRUE(b.following());

  auto const why = decode_json<Explanation>(ask("GET", "/v1/explain/host/shype1").body);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->verdict, "not trusted");
  auto const events = decode_json<EventList>(ask("GET", "/v1/events?json=1").body);
  ASSERT_TRUE(events);
  EXPECT_EQ(std::count_if(events->events.begin(), events->events.end(),
                          [](auto const& e) { return e.kind == "joined"; }),
            2);
}

TEST_F(AuthorityServiceTest, a_changed_component_is_found_by_the_next_challenge) {
  TestMember& a = add_member("shype1");
  TestMember& b = add_member("shype2");
  ASSERT_TRUE(loop_.run_until([&] { return a.following() && b.following(); }, seconds(30)))
      << daemon_.log();
  machines_[0]->measure("shamon-gate", "altered");
  EXPECT_TRUE(loop_.run_until([&] { return !b.cut().empty() && !a.following(); }, seconds(10)));
  auto const row = decode_json<HostRow>(ask("GET", "/v1/hosts/shype1").body);
  ASSERT_TRUE(row);
  ASSERT_FALSE(row->findings.empty());
  EXPECT_EQ(row->findings[0].component, "shamon-gate");
}

TEST_F(AuthorityServiceTest, killed_at_any_time_it_comes_back_with_all_it_acknowledged) {
  TestMember& a = add_member("shype1");
  ASSERT_TRUE(loop_.run_until([&] { return a.following(); }, seconds(30))) << daemon_.log();
  ASSERT_EQ(ask("PUT", "/v1/policy", encode_json(PolicyMessage{"p", test_policy(5), {}})).status,
            200);
  auto const before = decode_json<AuthorityStatus>(ask("GET", "/v1/status").body);
  ASSERT_TRUE(before);
  daemon_.stop(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return !a.following(); }, seconds(5)));  // the lease ended
  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  auto const after = decode_json<AuthorityStatus>(ask("GET", "/v1/status").body);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->revision, before->revision);
  EXPECT_EQ(after->policy_revision, Revision(5));
  EXPECT_EQ(after->members_active, 1u);
}

TEST_F(AuthorityServiceTest, answers_operators_and_nobody_else) {
  struct Row {
    char const *method, *target, *body;
    int status;
  };
  for (Row const& row : {
           Row{"GET", "/livez", "", 200},
           Row{"GET", "/readyz", "", 200},
           Row{"GET", "/metrics", "", 200},
           Row{"GET", "/v1/vms", "", 200},
           Row{"GET", "/v1/policy", "", 200},
           Row{"GET", "/v1/reference-values", "", 200},
           Row{"GET", "/v1/explain/host/nobody", "", 200},
           Row{"GET", "/v1/proof/host/nobody", "", 404},
           Row{"GET", "/v1/hosts/nobody", "", 404},
           Row{"GET", "/v1/nothing", "", 404},
           Row{"POST", "/v1/hosts/nobody/revoke", "{\"reason\":\"x\"}", 404},
           Row{"POST", "/v1/hosts/nobody/revoke", "{", 400},
           Row{"PUT", "/v1/policy", "{\"name\":\"p\",\"text\":\"nonsense\",\"revision\":0}", 400},
       }) {
    auto const answer = ask(row.method, row.target, row.body);
    EXPECT_EQ(answer.status, row.status) << row.method << " " << row.target << answer.body;
  }
  auto const downgrade =
      ask("PUT", "/v1/policy", encode_json(PolicyMessage{"p", test_policy(1), {}}));
  EXPECT_EQ(downgrade.status, 409) << downgrade.body;

  // The socket for everybody only answers questions.
  HttpClient reader(loop_, UnixTarget{daemon_.read_socket()});
  HttpCall call;
  call.target = "/v1/status";
  EXPECT_EQ(reader.call_and_wait(call)->status, 200);
  call.method = "POST";
  call.target = "/v1/hosts/shype1/revoke";
  call.body = "{\"reason\":\"x\"}";
  EXPECT_GE(reader.call_and_wait(call)->status, 404);
  struct stat info {};
  ASSERT_EQ(::stat(daemon_.admin_socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  // Over TLS without a certificate there is registration, and nothing of members or operators.
  TlsOptions options;
  options.trusted_roots = {daemon_.ca()};
  auto const context = TlsContext::create(options);
  ASSERT_TRUE(context);
  HttpClient stranger(loop_, TlsTarget{daemon_.endpoint(), *context});
  for (Row const& row : {Row{"GET", "/v1/feed?from=0", "", 403}, Row{"GET", "/v1/hosts", "", 404},
                         Row{"POST", "/v1/acknowledge", "{\"host\":\"a\",\"revision\":1}", 403},
                         Row{"POST", "/v1/challenge", "{\"host\":\"a\"}", 404}}) {
    HttpCall attempt;
    attempt.method = row.method;
    attempt.target = row.target;
    attempt.body = row.body;
    auto const answer = stranger.call_and_wait(attempt);
    ASSERT_TRUE(answer) << answer.error().describe();
    EXPECT_EQ(answer->status, row.status) << row.target << answer->body;
  }
}

TEST_F(AuthorityServiceTest, takes_over_files_on_hangup_only_if_they_are_good) {
  daemon_.write("test.policy", "coalition test revision 3\nnonsense\n");
  ::kill(daemon_.pid(), SIGHUP);
  loop_.run_until([] { return false; }, std::chrono::milliseconds(300));
  EXPECT_EQ(decode_json<AuthorityStatus>(ask("GET", "/v1/status").body)->policy_revision,
            Revision(1));
  daemon_.write("test.policy", test_policy(3));
  ::kill(daemon_.pid(), SIGHUP);
  EXPECT_TRUE(loop_.run_until(
      [&] {
        return decode_json<AuthorityStatus>(ask("GET", "/v1/status").body)->policy_revision ==
               Revision(3);
      },
      seconds(5)));
  int const status = daemon_.stop(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_NE(::access(daemon_.admin_socket().c_str(), F_OK), 0);
}

TEST_F(AuthorityServiceTest, a_bad_configuration_ends_it_with_the_place_and_code_2) {
  daemon_.stop();
  daemon_.write("authority.toml", "coalition = 'test'\nnonsense = 1\n");
  EXPECT_FALSE(daemon_.start());
  int const status = daemon_.stop();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
  EXPECT_NE(daemon_.log().find("authority.toml:2:"), std::string::npos) << daemon_.log();
}

}  // namespace
}  // namespace shamon
