#include "host/explain_flow.hpp"

#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr std::string_view kPolicy = R"(coalition lab revision 4
type web_t
type db_t
label web { share web_t }
label db { share db_t }
label memo { share web_t  secrecy secret }
label open { share web_t }
allow web <-> db tcp/5432
label "the \"old\" web" { }
)";

class ExplainFlowTest : public ::testing::Test {
 protected:
  ExplainFlowTest() : build_(build_policy("lab.policy", kPolicy)) {
    EXPECT_TRUE(build_) << (build_ ? "" : build_.error().front().describe());
    question_.document = build_->document.get();
    question_.from_host_state = question_.to_host_state = "active";
    question_.lease_left_ms = 2000;
    set("web", "db");
  }
  static VmEntry vm(std::string name, std::string label, std::string host) {
    VmEntry out;
    out.vm = VmName(std::move(name));
    out.label = LabelName(std::move(label));
    out.host = HostName(std::move(host));
    out.state = "running";
    return out;
  }
  void set(std::string const& from, std::string const& to) {
    question_.from_name = "vm-1";
    question_.to_name = "vm-2";
    question_.from = vm("vm-1", from, "shype1");
    question_.to = vm("vm-2", to, "shype2");
  }
  void ask(std::uint16_t port) {
    question_.service = {6, port, 0};
    question_.service_text = "tcp/" + std::to_string(port);
  }
  Explanation explain() const { return explain_flow(question_, build_->compiled); }

  tl::expected<PolicyBuild, std::vector<Diagnostic>> build_;
  FlowQuestion question_;
};

std::string all(Explanation const& e) {
  std::string out;
  for (auto const& line : e.lines) out += line + "\n";
  return out;
}

TEST_F(ExplainFlowTest, an_open_association_is_shown_with_its_cipher) {
  EXPECT_NE(all(explain()).find("no association for this label is open"), std::string::npos);
  question_.association_cipher = "ENCR_CHACHA20_POLY1305";
  EXPECT_NE(all(explain()).find("an association for this label is open, ENCR_CHACHA20_POLY1305"),
            std::string::npos)
      << all(explain());
}

TEST_F(ExplainFlowTest, what_is_allowed_names_rule_line_labels_and_revision_and_needs_no_remedy) {
  ask(5432);
  Explanation const e = explain();
  EXPECT_EQ(e.verdict, "allowed") << all(e);
  EXPECT_EQ(e.question, "may vm-1 talk to vm-2 on tcp/5432?");
  ASSERT_EQ(e.premises.size(), 6u);
  EXPECT_EQ(e.premises[2].text, "policy lets web reach db on tcp/5432: allow statement");
  EXPECT_EQ(e.premises[2].rule, "lab.policy:8 revision 4");
  EXPECT_TRUE(e.remedies.empty());
  for (auto const& premise : e.premises) EXPECT_TRUE(premise.holds);
}

struct Case {
  char const* name;
  void (*change)(FlowQuestion&);
  char const* what;     ///< part of the remedy
  char const* who;      ///< part of who may
  char const* command;  ///< part of the command
};

TEST_F(ExplainFlowTest, each_refusal_says_what_would_have_to_change_and_who_may) {
  ask(5432);
  FlowQuestion const allowed = question_;
  Case const kCases[] = {
      {"another port",
       [](FlowQuestion& q) {
         q.service.port = 22;
         q.service_text = "tcp/22";
       },
       "allow web <-> db tcp/22", "operator of the coalition's authority", "shamon policy"},
      {"no common type", [](FlowQuestion& q) { q.from->label = LabelName("open"); },
       "allow open <-> db tcp/5432", "operator of the coalition's authority", "shamon policy"},
      {"a name that needs quotes",
       [](FlowQuestion& q) { q.from->label = LabelName("the \"old\" web"); },
       "allow \"the \\\"old\\\" web\" <-> db tcp/5432", "operator of the coalition's authority",
       "shamon policy"},
      {"secrecy",
       [](FlowQuestion& q) {
         q.from->label = LabelName("memo");
         q.to->label = LabelName("open");
       },
       "secrecy of open must reach that of memo", "operator of the coalition's authority",
       "shamon policy"},
      {"a label the policy does not have", [](FlowQuestion& q) { q.to->label = LabelName("gone"); },
       "gone, have to be defined", "operator of the coalition's authority", "shamon policy"},
      {"no such VM", [](FlowQuestion& q) { q.to.reset(); }, "has to be defined and started",
       "machine's administrator", ""},
      {"suspended", [](FlowQuestion& q) { q.to->state = "suspended"; }, "resumed",
       "administrator of shype2", "shamon vm resume vm-2"},
      {"revoked VM", [](FlowQuestion& q) { q.from->state = "revoked"; }, "approved software",
       "administrator of shype1", "shamon explain vm vm-1"},
      {"revoked machine", [](FlowQuestion& q) { q.to_host_state = "revoked"; }, "admit the machine",
       "operator of the coalition's authority", "shamon explain host shype2"},
      {"unattested machine", [](FlowQuestion& q) { q.to_host_state = "refused"; },
       "approved software", "administrator of shype2", "shamon attest explain shype2"},
      {"no lease", [](FlowQuestion& q) { q.lease_left_ms = 0; }, "heartbeat", "network",
       "shamon watch"},
  };
  for (auto const& row : kCases) {
    question_ = allowed;
    row.change(question_);
    Explanation const e = explain();
    SCOPED_TRACE(std::string(row.name) + "\n" + all(e));
    EXPECT_EQ(e.verdict, "denied");
    ASSERT_EQ(e.remedies.size(), 1u);
    EXPECT_NE(e.remedies[0].what.find(row.what), std::string::npos) << e.remedies[0].what;
    EXPECT_NE(e.remedies[0].who.find(row.who), std::string::npos) << e.remedies[0].who;
    EXPECT_NE(e.remedies[0].command.find(row.command), std::string::npos);
    EXPECT_NE(all(e).find("[no]"), std::string::npos);
    EXPECT_NE(all(e).find("to change it: "), std::string::npos);
  }
}

TEST_F(ExplainFlowTest, a_refusal_for_levels_quotes_both_labels_with_their_lines) {
  set("memo", "open");
  Explanation const e = explain();
  std::string const lines = all(e);
  EXPECT_NE(lines.find("(lab.policy:6 revision 4)"), std::string::npos) << lines;
  EXPECT_NE(lines.find("(lab.policy:7 revision 4)"), std::string::npos) << lines;
}

TEST_F(ExplainFlowTest, on_one_machine_membership_and_lease_do_not_matter) {
  ask(5432);
  question_.same_machine = true;
  question_.lease_left_ms = 0;
  question_.to_host_state = "revoked";
  EXPECT_EQ(explain().verdict, "allowed");
}

TEST_F(ExplainFlowTest, the_json_form_carries_premises_and_remedies) {
  ask(22);
  auto const back = decode_json<Explanation>(encode_json(explain()));
  ASSERT_TRUE(back) << back.error().describe();
  EXPECT_EQ(back->premises.size(), 6u);
  ASSERT_EQ(back->remedies.size(), 1u);
  EXPECT_EQ(back->remedies[0].who, "the operator of the coalition's authority");
}

}  // namespace
}  // namespace shamon
