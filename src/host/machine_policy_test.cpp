#include "host/machine_policy.hpp"

#include <stdexcept>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/folder_fixture.hpp"
#include "host/audit_rows.hpp"

namespace shamon {
namespace {

constexpr char kOwn[] =
    "coalition m1 revision 1\n"
    "type web_t pay_t\n"
    "label web { share web_t }\n"
    "label backup { share web_t }\n"
    "label payroll { share pay_t }\n"
    "label guest { share pay_t2 }\n"
    "type pay_t2\n"
    "wall mine { pay_t pay_t2 }\n"
    "map boinc { green = web  red = guest }\n"
    "goal payroll never reaches internet\n";

std::string boinc(int revision, std::string const& more = "") {
  return "coalition boinc revision " + std::to_string(revision) +
         "\ntype green_t red_t\nlabel green { share green_t }\nlabel red { share red_t }\n" + more;
}

class MachinePolicyTest : public FolderTest {
 protected:
  MachinePolicyTest() {
    auto log = AuditLog::open(folder_, HostName("m1"), WallTime{});
    if (!log) throw std::runtime_error(log.error().describe());
    journal_ = std::make_unique<Journal>(HostName("m1"), folder_, std::move(*log));
    monitor_ = std::make_unique<Monitor>(
        [this](AuditRecord const& record) { journal_->audit(row_of(record, monitor_->policy())); });
  }

  Result<MachinePolicy> read(std::string const& text) {
    return MachinePolicy::read(write("own.policy", text));
  }

  static std::shared_ptr<PolicyBuild const> build(std::string const& text) {
    auto built = build_policy("boinc.policy", text);
    if (built) return std::make_shared<PolicyBuild const>(std::move(*built));
    ADD_FAILURE() << built.error().front().describe();
    return nullptr;
  }

  /// As the host monitor does: judged, permitted, in force.
  Result<MachinePolicy::Combined> arrive(MachinePolicy const& own, std::string const& text) {
    auto combined = own.judge(build(text), *monitor_, *journal_, WallTime{});
    if (!combined) return combined;
    auto permit =
        monitor_->authorize(PolicyLoad{combined->enforced->compiled.revision(), true}, WallTime{});
    if (!permit) return fail(Errc::denied, "not permitted");
    monitor_->load(std::move(*permit), {combined->enforced, &combined->enforced->compiled});
    return combined;
  }

  bool may_start(char const* label, char const* beside) {
    CompiledPolicy const& policy = monitor_->policy();
    return ask({Operation::start, LabelName(label), {}, {}, {LabelName(beside)}, policy.revision()},
               policy)
        .allowed();
  }

  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Monitor> monitor_;
};

TEST_F(MachinePolicyTest, without_one_the_coalition_stands_alone) {
  auto const none = MachinePolicy::read("");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->present());
  auto const combined = arrive(*none, boinc(7));
  ASSERT_TRUE(combined);
  EXPECT_EQ(combined->enforced, combined->coalition);
}

TEST_F(MachinePolicyTest, both_are_enforced_under_the_coalitions_names_and_revision) {
  auto const own = read(kOwn);
  ASSERT_TRUE(own) << own.error().describe();
  ASSERT_TRUE(arrive(*own, boinc(7)));
  EXPECT_EQ(monitor_->policy().coalition(), CoalitionName("boinc"));
  EXPECT_EQ(monitor_->revision(), Revision(7));
  // The machine's wall keeps the coalition's red from its payroll, and nothing else changes.
  EXPECT_FALSE(may_start("red", "m1.payroll"));
  EXPECT_FALSE(may_start("m1.payroll", "red"));
  EXPECT_TRUE(may_start("green", "m1.payroll"));
  EXPECT_TRUE(may_start("green", "red"));
  // The next revision too, if it agrees.
  ASSERT_TRUE(arrive(*own, boinc(8, "label blue { }\n")));
  EXPECT_EQ(monitor_->revision(), Revision(8));
  EXPECT_FALSE(may_start("red", "m1.payroll"));
}

TEST_F(MachinePolicyTest, what_does_not_agree_is_refused_audited_and_told) {
  auto const own = read(kOwn);
  ASSERT_TRUE(own) << own.error().describe();
  ASSERT_TRUE(arrive(*own, boinc(7)));
  struct Row {
    char const* what;
    std::string text;
    char const* says;
  };
  Row const rows[] = {
      {"its green must not leave it, but ours talks to backup",
       boinc(8, "goal green never reaches internet\n"), "green -> m1.backup"},
      {"it has no red any more, which our map names",
       "coalition boinc revision 8\ntype t\nlabel green { share t }\n", "has no label 'red'"},
      {"its green is secret",
       "coalition boinc revision 8\ntype t\nlabel red { }\n"
       "label green { share t  secrecy secret }\n",
       "has two levels"},
  };
  for (auto const& row : rows) {
    std::size_t const audits = journal_->audits(true, 100).records.size();
    auto const refused = arrive(*own, row.text);
    ASSERT_FALSE(refused) << row.what;
    EXPECT_EQ(refused.error().code, Errc::conflict) << row.what;
    EXPECT_NE(refused.error().message.find(row.says), std::string::npos)
        << row.what << ": " << refused.error().message;
    EXPECT_EQ(monitor_->revision(), Revision(7)) << row.what;
    auto const denied = journal_->audits(true, 100).records;
    ASSERT_EQ(denied.size(), audits + 1) << row.what;
    auto const about = std::find_if(denied.begin(), denied.end(), [](AuditRow const& audit) {
      return audit.hook == "policy_load" && audit.subject == "revision 8";
    });
    ASSERT_NE(about, denied.end()) << row.what;
    EXPECT_EQ(about->reason, "policy not compatible") << row.what;
    auto const events = journal_->events().events;
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back().kind, "policy_conflict") << row.what;
    EXPECT_NE(events.back().text.find("for example"), std::string::npos) << row.what;
  }
  EXPECT_FALSE(may_start("red", "m1.payroll"));
}

TEST_F(MachinePolicyTest, labels_of_the_configuration_are_translated) {
  auto const own = read(kOwn);
  ASSERT_TRUE(own) << own.error().describe();
  auto const none = MachinePolicy::read("");
  std::string const text = boinc(7, "map campus { verde = green  web = red }\n");
  auto const both = own->combine(build(text));
  auto const alone = none->combine(build(text));
  ASSERT_TRUE(both && alone);
  struct Row {
    bool with_own;
    char const* site;
    char const* configured;
    char const* expected;
  } const rows[] = {
      {false, "", "green", "green"},         {false, "", "verde", "not found"},
      {false, "campus", "verde", "green"},   {false, "campus", "green", "not found"},
      {false, "campus", "web", "red"},       {true, "campus", "web", "green"},
      {true, "", "payroll", "m1.payroll"},   {true, "", "green", "green"},
      {true, "", "m1.payroll", "not found"}, {true, "campus", "verde", "green"},
  };
  for (auto const& row : rows) {
    auto const found = row.with_own ? own->label_of(LabelName(row.configured), row.site, *both)
                                    : none->label_of(LabelName(row.configured), row.site, *alone);
    EXPECT_EQ(found ? found->value() : std::string(to_string(found.error().code)), row.expected)
        << row.site << " " << row.configured << (row.with_own ? " with own" : "");
  }
}

TEST_F(MachinePolicyTest, a_file_that_is_no_policy_is_no_machine_policy) {
  EXPECT_FALSE(MachinePolicy::read(folder_ + "/nothing"));
  auto const bad = read("coalition m1 revision 1\nlable x { }\nallow a -> b\n");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::malformed);
  EXPECT_NE(bad.error().message.find("own.policy:2:1"), std::string::npos);
  EXPECT_NE(bad.error().message.find("own.policy:3:7"), std::string::npos);
}

}  // namespace
}  // namespace shamon
