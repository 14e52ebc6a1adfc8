#include "authority/core.hpp"

#include <gtest/gtest.h>

#include "authority/sqlite/sqlite_store.hpp"
#include "authority/test_machine.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {
namespace {

constexpr WallTime kStart{1'790'000'000'000};

class AuthorityCoreTest : public ::testing::Test {
 protected:
  AuthorityCoreTest() { open(kStart); }

  AuthorityOptions options() const {
    AuthorityOptions out;
    out.coalition = CoalitionName("test");
    out.endorser_roots = {endorser_.certificate};
    out.appraisal.required_components = {"shamond", "shamon-gate"};
    out.pcr_mask = 0x1ff;
    out.random = [](std::size_t size) { return random_bytes(size); };
    return out;
  }

  void open(WallTime now) {
    now_ = now;
    core_.reset();
    store_.reset();
    auto store = open_sqlite_store(folder_.path() + "/store");
    ASSERT_TRUE(store) << store.error().describe();
    store_ = std::move(*store);
    CertificateTemplate ca;
    ca.common_name = "ca";
    ca.is_ca = true;
    ca.not_before = WallTime{0};
    ca.not_after = WallTime{4'000'000'000'000};
    auto core = AuthorityCore::create(
        options(), {*issue_self_signed(ca, ca_key_), ca_key_, status_key_}, *store_, now);
    ASSERT_TRUE(core) << core.error().describe();
    core_ = std::move(*core);
    if (core_->policy().revision != Revision{}) return;
    ASSERT_TRUE(core_->set_reference_values(values_for(good_components()), false, now_));
    auto const ok = core_->set_policy({"test.policy", test_policy(7), {}}, now_);
    ASSERT_TRUE(ok) << ok.error().message;
  }

  TestMachine machine(std::string name, TestComponents components = good_components()) {
    return TestMachine(std::move(name), endorser_, folder_.path(), components);
  }
  void enroll(TestMachine& machine) {
    auto const challenge = core_->register_host(machine.registration(), now_);
    ASSERT_TRUE(challenge) << challenge.error().message;
    auto const registered = core_->activate(machine.activation(*challenge), now_);
    ASSERT_TRUE(registered) << registered.error().message;
  }
  Answer<JoinAccepted> join(TestMachine& machine) {
    auto const challenge = core_->challenge({machine.host()}, now_);
    if (!challenge) return refuse(challenge.error());
    return core_->join(machine.join(*challenge), now_);
  }
  void enroll_and_join(TestMachine& machine) {
    enroll(machine);
    auto const joined = join(machine);
    ASSERT_TRUE(joined) << joined.error().message;
  }
  std::string state(TestMachine const& machine) const { return core_->host(machine.host())->state; }

  /// Lets time pass; members given answer every challenge at once.
  void pass_time(Duration time, std::vector<TestMachine*> answering = {}) {
    WallTime const until = now_ + time;
    while (now_ < until) {
      now_ = now_ + std::chrono::milliseconds(100);
      core_->tick(now_);
      for (auto& output : core_->take_outputs()) {
        if (auto* change = std::get_if<StatusChange>(&output)) changes_.push_back(*change);
        auto const* asked = std::get_if<FeedChallenge>(&output);
        if (asked == nullptr) continue;
        for (auto* machine : answering) {
          if (machine->host() == asked->host) {
            last_answer_ = core_->evidence(machine->answer(asked->challenge), now_);
          }
        }
      }
    }
  }
  std::size_t count(ChangeKind kind, TestMachine const& machine) const {
    std::size_t n = 0;
    for (auto const& c : changes_) {
      n += c.kind == kind && c.member && c.member->host == machine.host() ? 1 : 0;
    }
    return n;
  }

  TemporaryFolder folder_;
  TestEndorser endorser_;
  PrivateKey ca_key_ = *PrivateKey::generate(KeyType::ecdsa_p256);
  PrivateKey status_key_ = *PrivateKey::generate(KeyType::ecdsa_p256);
  std::unique_ptr<Store> store_;
  std::unique_ptr<AuthorityCore> core_;
  WallTime now_ = kStart;
  std::vector<StatusChange> changes_;
  std::optional<Answer<EvidenceAccepted>> last_answer_;
};

TEST_F(AuthorityCoreTest, a_good_machine_registers_joins_stays_and_is_explained) {
  TestMachine m = machine("shype1");
  enroll(m);
  EXPECT_EQ(state(m), "registered");
  auto const joined = join(m);
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(joined->policy_revision, Revision(7));
  EXPECT_EQ(joined->members.size(), 1u);
  auto const certificate = Certificate::from_pem(joined->membership_chain.at(0));
  ASSERT_TRUE(certificate);
  auto const names = certificate->alternative_names();
  EXPECT_NE(std::find(names.begin(), names.end(), "shamon://test/host/shype1"), names.end());
  EXPECT_EQ(core_->authenticate(*certificate, now_).value(), m.host());
  EXPECT_LE(certificate->not_after(), now_ + kMembershipLifeMax);

  pass_time(std::chrono::seconds(70), {&m});
  ASSERT_TRUE(last_answer_);
  EXPECT_TRUE(*last_answer_) << last_answer_->error().message;
  EXPECT_EQ(state(m), "active");
  EXPECT_EQ(count(ChangeKind::member_suspect, m), 0u);

  Explanation const why = core_->explain_host(m.host());
  EXPECT_EQ(why.verdict, "trusted");
  EXPECT_GT(why.lines.size(), 8u);
  auto const proof = core_->trust().prove_member(m.host());
  ASSERT_TRUE(proof);
  EXPECT_TRUE(check_proof(*proof, builtin_rules(), [&](ProofStep const& step) {
    return core_->trust().engine().source_of(step.statement) != nullptr;
  }));
  EXPECT_EQ(core_->explain_host(HostName("nobody")).verdict, "unknown");
}

TEST_F(AuthorityCoreTest, a_certificate_is_renewed_until_its_member_is_seen_with_it) {
  TestMachine m = machine("shype1");
  enroll(m);
  auto const joined = join(m);
  ASSERT_TRUE(joined) << joined.error().message;
  auto const renewed_while_seen_with = [&](Certificate const& certificate) {
    EXPECT_TRUE(core_->authenticate(certificate, now_));
    last_answer_.reset();
    pass_time(core_->options().challenge_period, {&m});
    return last_answer_->value().membership_chain;
  };
  auto const first = Certificate::from_pem(joined->membership_chain.at(0));
  EXPECT_TRUE(renewed_while_seen_with(*first).empty());
  pass_time(core_->options().membership / 2, {&m});
  // Not every answer arrives.
  EXPECT_FALSE(renewed_while_seen_with(*first).empty());
  auto const chain = renewed_while_seen_with(*first);
  ASSERT_FALSE(chain.empty());
  EXPECT_TRUE(renewed_while_seen_with(*Certificate::from_pem(chain.at(0))).empty());
}

TEST_F(AuthorityCoreTest, a_wrong_secret_is_refused_and_the_attempt_is_used_up) {
  TestMachine m = machine("shype1");
  auto const challenge = core_->register_host(m.registration(), now_);
  ASSERT_TRUE(challenge);
  ActivateRequest const right = m.activation(*challenge);
  ActivateRequest wrong = right;
  wrong.secret[0] ^= 1;
  EXPECT_EQ(core_->activate(wrong, now_).error().code, "untrusted");
  EXPECT_EQ(core_->activate(right, now_).error().code, "stale");
  EXPECT_FALSE(core_->host(m.host()));

  auto const again = core_->register_host(m.registration(), now_);
  ASSERT_TRUE(again);
  EXPECT_EQ(core_->activate(m.activation(*again), now_ + kRegistrationLife).error().code, "stale");
}

TEST_F(AuthorityCoreTest, a_name_and_a_tpm_belong_together_for_ever) {
  TestMachine m = machine("shype1");
  enroll(m);
  TestMachine other = machine("other");
  RegisterRequest second_ek = other.registration();
  second_ek.host = m.host();
  EXPECT_EQ(core_->register_host(second_ek, now_).error().code, "conflict");
  RegisterRequest second_name = m.registration();
  second_name.host = HostName("shype2");
  EXPECT_EQ(core_->register_host(second_name, now_).error().code, "conflict");

  open(now_);  // also after a restart
  EXPECT_EQ(core_->register_host(second_ek, now_).error().code, "conflict");
  EXPECT_EQ(core_->register_host(second_name, now_).error().code, "conflict");
  enroll(m);
}

TEST_F(AuthorityCoreTest, two_registrations_of_one_name_at_once_cannot_both_win) {
  TestMachine a = machine("shype1");
  TestMachine b = machine("b");
  RegisterRequest stolen = b.registration();
  stolen.host = a.host();
  auto const first = core_->register_host(a.registration(), now_);
  auto const second = core_->register_host(stolen, now_);
  ASSERT_TRUE(first && second);
  ActivateRequest thief = b.activation(*second);
  thief.host = a.host();
  ASSERT_TRUE(core_->activate(a.activation(*first), now_));
  EXPECT_EQ(core_->activate(thief, now_).error().code, "conflict");
}

TEST_F(AuthorityCoreTest, a_tpm_nobody_endorses_is_refused) {
  TestEndorser const stranger;
  TestMachine m("shype1", stranger, folder_.path(), good_components());
  EXPECT_EQ(core_->register_host(m.registration(), now_).error().code, "untrusted");
  RegisterRequest bare = m.registration();
  bare.ek_certificate.clear();
  auto const refused = core_->register_host(bare, now_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("approved_eks"), std::string::npos);
}

TEST_F(AuthorityCoreTest, an_unknown_component_is_named_with_what_was_found_and_what_is_known) {
  TestComponents altered = good_components();
  altered[2].second = "gate 1 with a back door";
  TestMachine m = machine("rogue", altered);
  enroll(m);
  auto const refused = join(m);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, kAttestationFailed);
  EXPECT_EQ(http_status(refused.error()), 403);
  ASSERT_FALSE(refused.error().findings.empty());
  FindingMessage const& finding = refused.error().findings[0];
  EXPECT_EQ(finding.rule, "component_unknown");
  EXPECT_EQ(finding.component, "shamon-gate");
  EXPECT_NE(finding.found.find(sha256(as_bytes(altered[2].second)).hex()), std::string::npos);
  ASSERT_EQ(finding.known.size(), 1u);
  EXPECT_NE(finding.known[0].find(sha256(as_bytes("gate 1")).hex()), std::string::npos);
  EXPECT_EQ(state(m), "refused");
  Explanation const why = core_->explain_host(m.host());
  EXPECT_EQ(why.verdict, "not trusted");
  EXPECT_NE(why.lines.back().find("approved(shamon-gate"), std::string::npos) << why.lines.back();

  m.boot(good_components());  // repaired
  EXPECT_TRUE(join(m));
}

TEST_F(AuthorityCoreTest, evidence_that_is_not_for_this_join_is_refused) {
  TestMachine m = machine("shype1");
  TestMachine other = machine("shype2");
  enroll(m);
  enroll(other);
  auto const challenge = core_->challenge({m.host()}, now_);
  ASSERT_TRUE(challenge);
  JoinRequest const good = m.join(*challenge);

  // The nonce of one machine is not for another.
  JoinRequest foreign_nonce = other.join(*challenge);
  EXPECT_EQ(core_->join(foreign_nonce, now_).error().code, "stale");

  // A relayed quote: the attacker's TLS key in place of the one the TPM vouched for.
  JoinRequest relayed = good;
  relayed.tls_public = other.tls_public();
  auto const refused = core_->join(relayed, now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().findings.at(0).rule, "quote_nonce");
  // The nonce is used up, even for the real machine.
  EXPECT_EQ(core_->join(good, now_).error().code, "stale");

  // A quote by another TPM.
  auto const second = core_->challenge({m.host()}, now_);
  JoinRequest swapped = m.join(*second);
  Bytes const qualifying = join_qualifying_data(second->nonce, swapped.tls_public);
  swapped.evidence = other.evidence(*second, qualifying);
  auto const by_other = core_->join(swapped, now_);
  ASSERT_FALSE(by_other);
  EXPECT_EQ(by_other.error().findings.at(0).rule, "quote_signature");

  // Too late by nothing, and in time by a millisecond.
  auto const late = core_->challenge({m.host()}, now_);
  EXPECT_EQ(core_->join(m.join(*late), now_ + kNonceLife).error().code, "stale");
  auto const in_time = core_->challenge({m.host()}, now_);
  EXPECT_TRUE(core_->join(m.join(*in_time), now_ + (kNonceLife - std::chrono::milliseconds(1))));
}

TEST_F(AuthorityCoreTest, a_failed_challenge_revokes_at_once_with_its_findings) {
  TestMachine m = machine("shype1");
  enroll_and_join(m);
  pass_time(std::chrono::seconds(5), {&m});
  m.measure("shamon-gate", "something else");
  pass_time(std::chrono::seconds(4), {&m});
  EXPECT_EQ(state(m), "revoked");
  ASSERT_EQ(count(ChangeKind::member_revoked, m), 1u);
  auto const& change = *std::find_if(changes_.begin(), changes_.end(), [](auto const& c) {
    return c.kind == ChangeKind::member_revoked;
  });
  ASSERT_FALSE(change.findings.empty());
  EXPECT_EQ(change.findings[0].component, "shamon-gate");
  // A repaired machine may prove itself anew.
  m.boot(good_components());
  EXPECT_TRUE(join(m));
}

TEST_F(AuthorityCoreTest, silence_makes_suspect_then_revoked) {
  TestMachine m = machine("shype1");
  TestMachine good = machine("shype2");
  enroll_and_join(m);
  enroll_and_join(good);
  pass_time(std::chrono::milliseconds(5900), {&good});
  EXPECT_EQ(state(m), "active");
  pass_time(std::chrono::milliseconds(200), {&good});
  EXPECT_EQ(state(m), "suspect");
  pass_time(std::chrono::milliseconds(5800), {&good});
  EXPECT_EQ(state(m), "suspect");
  pass_time(std::chrono::milliseconds(200), {&good});
  EXPECT_EQ(state(m), "revoked");
  EXPECT_EQ(core_->host(m.host())->reason.rfind("unreachable", 0), 0u);
  EXPECT_EQ(state(good), "active");
}

TEST_F(AuthorityCoreTest, a_suspect_that_answers_is_active_again) {
  TestMachine m = machine("shype1");
  enroll_and_join(m);
  pass_time(std::chrono::milliseconds(6500));
  EXPECT_EQ(state(m), "suspect");
  pass_time(std::chrono::milliseconds(4000), {&m});
  EXPECT_EQ(state(m), "active");
  EXPECT_EQ(count(ChangeKind::member_joined, m), 1u + 1u);
}

TEST_F(AuthorityCoreTest, an_operators_word_stands_until_it_is_taken_back) {
  TestMachine m = machine("shype1");
  enroll_and_join(m);
  auto const certificate = Certificate::from_pem(join(m)->membership_chain.at(0));
  ASSERT_TRUE(core_->revoke_host(m.host(), "stolen", now_));
  EXPECT_EQ(core_->revoke_host(m.host(), "stolen", now_).error().code, "conflict");
  EXPECT_EQ(core_->revoke_host(HostName("nobody"), "", now_).error().code,
            to_string(Errc::not_found));
  EXPECT_EQ(core_->authenticate(*certificate, now_).error().code, "denied");
  EXPECT_EQ(join(m).error().code, "denied");
  open(now_);
  EXPECT_EQ(join(m).error().code, "denied");
  ASSERT_TRUE(core_->reinstate_host(m.host(), now_));
  EXPECT_TRUE(join(m));
}

TEST_F(AuthorityCoreTest, policy_only_goes_forward_and_decides_who_stays) {
  TestMachine m = machine("shype1");
  enroll_and_join(m);
  EXPECT_EQ(core_->set_policy({"p", test_policy(6), {}}, now_).error().code, "conflict");
  EXPECT_EQ(core_->set_policy({"p", test_policy(7), {}}, now_).error().code, "conflict");
  auto const bad =
      core_->set_policy({"bad.policy", "coalition test revision 8\nlabel x {", {}}, now_);
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("bad.policy:2:"), std::string::npos);
  // What comes over the network makes the authority read no file.
  auto const including =
      core_->set_policy({"p", test_policy(8) + "\ninclude \"authority.toml\"\n", {}}, now_);
  ASSERT_FALSE(including);
  EXPECT_NE(including.error().message.find("stands alone"), std::string::npos);
  EXPECT_EQ(core_->policy().revision, Revision(7));
  ASSERT_TRUE(core_->set_policy({"p", test_policy(8), {}}, now_));
  EXPECT_EQ(state(m), "active");
  m.measure("policy", test_policy(8));  // loaded and measured: approved by its authority
  pass_time(std::chrono::seconds(4), {&m});
  EXPECT_EQ(state(m), "active");
  ASSERT_TRUE(core_->set_policy({"p", test_policy(9, "south"), {}}, now_));
  EXPECT_EQ(state(m), "revoked");
  auto const refused = join(m);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().findings.at(0).rule, "policy.member_host");
}

TEST_F(AuthorityCoreTest, a_component_no_longer_trusted_ends_memberships_built_on_it) {
  TestMachine m = machine("shype1");
  enroll_and_join(m);
  Revision const before = core_->revision();
  ASSERT_TRUE(core_->set_reference_values(values_for(good_components()), false, now_));
  EXPECT_EQ(core_->revision(), before);  // nothing new
  auto values = values_for(good_components());
  values[0].trusted = false;
  ASSERT_TRUE(core_->set_reference_values(values, false, now_));
  EXPECT_EQ(state(m), "revoked");
  EXPECT_EQ(core_->set_reference_values({{"x", "sha256:12", true, ""}}, false, now_).error().code,
            "malformed");
}

TEST_F(AuthorityCoreTest, members_enforce_what_they_acknowledged) {
  TestMachine m = machine("shype1");
  enroll_and_join(m);
  EXPECT_EQ(core_->status().unacknowledged, std::vector<HostName>{m.host()});
  Acknowledgement future{m.host(), Revision(core_->revision().value() + 1)};
  EXPECT_FALSE(core_->acknowledge(future, now_));
  ASSERT_TRUE(core_->acknowledge({m.host(), core_->revision()}, now_));
  EXPECT_TRUE(core_->status().unacknowledged.empty());
}

TEST_F(AuthorityCoreTest, vms_are_what_the_policy_admits_and_their_machines_say) {
  TestMachine m = machine("shype1");
  TestMachine other = machine("shype2");
  enroll_and_join(m);
  enroll_and_join(other);
  VmEntry vm;
  vm.vm = VmName("vm-a");
  vm.label = LabelName("green");
  vm.host = m.host();
  vm.address = {0x0a000001};
  vm.image = "client";
  vm.state = "running";
  struct Row {
    char const* what;
    std::function<void(VmReport&)> change;
    char const* code;
  };
  for (Row const& row : {
           Row{"foreign host", [](VmReport& r) { r.vm.host = HostName("shype2"); }, "invalid"},
           Row{"no name", [](VmReport& r) { r.vm.vm = VmName(); }, "invalid"},
           Row{"odd state", [](VmReport& r) { r.vm.state = "revoked"; }, "invalid"},
           Row{"no such label", [](VmReport& r) { r.vm.label = LabelName("blue"); }, "denied"},
           Row{"image not admitted", [](VmReport& r) { r.vm.image = "server"; }, "denied"},
           Row{"label without images", [](VmReport& r) { r.vm.label = LabelName("red"); },
               "denied"},
       }) {
    VmReport report{m.host(), vm};
    row.change(report);
    auto const answer = core_->report_vm(report, now_);
    ASSERT_FALSE(answer) << row.what;
    EXPECT_EQ(answer.error().code, row.code) << row.what << answer.error().message;
  }
  ASSERT_TRUE(core_->report_vm({m.host(), vm}, now_));
  VmEntry stolen = vm;
  stolen.host = other.host();
  EXPECT_EQ(core_->report_vm({other.host(), stolen}, now_).error().code, "conflict");
  VmEntry same_address = stolen;
  same_address.vm = VmName("vm-b");
  EXPECT_EQ(core_->report_vm({other.host(), same_address}, now_).error().code, "conflict");

  ASSERT_TRUE(core_->revoke_host(m.host(), "", now_));
  ASSERT_TRUE(core_->report_vm({other.host(), stolen}, now_));  // its machine is no member
  stolen.state = "stopped";
  ASSERT_TRUE(core_->report_vm({other.host(), stolen}, now_));
  ASSERT_TRUE(core_->reinstate_host(m.host(), now_));
  ASSERT_TRUE(join(m));
  ASSERT_TRUE(core_->report_vm({m.host(), vm}, now_));

  // Another machine's word about it leads to a challenge, its own machine's word ends it.
  FailureReport report;
  report.reporter = other.host();
  report.about_vm = vm.vm;
  ASSERT_TRUE(core_->report_failure(report, now_));
  EXPECT_EQ(core_->vms().vms.at(0).state, "running");
  report.reporter = m.host();
  ASSERT_TRUE(core_->report_failure(report, now_));
  EXPECT_EQ(core_->vms().vms.at(0).state, "revoked");
  EXPECT_EQ(core_->report_vm({m.host(), vm}, now_).error().code, "denied");
  vm.state = "stopped";
  ASSERT_TRUE(core_->report_vm({m.host(), vm}, now_));
  vm.state = "running";
  ASSERT_TRUE(core_->report_vm({m.host(), vm}, now_));
  ASSERT_TRUE(core_->revoke_vm(vm.vm, "operator", now_));
  EXPECT_EQ(core_->vms().vms.at(0).state, "revoked");
}

TEST_F(AuthorityCoreTest, a_restart_asks_members_at_once_and_keeps_those_that_answer) {
  TestMachine m = machine("shype1");
  TestMachine gone = machine("shype2");
  enroll_and_join(m);
  enroll_and_join(gone);
  Revision const before = core_->revision();
  open(now_ + std::chrono::seconds(30));
  EXPECT_EQ(core_->revision(), before);
  EXPECT_EQ(state(m), "active");
  pass_time(std::chrono::seconds(15), {&m});
  EXPECT_EQ(state(m), "active");
  EXPECT_EQ(core_->explain_host(m.host()).verdict, "trusted");
  EXPECT_EQ(state(gone), "revoked");
}

}  // namespace
}  // namespace shamon
