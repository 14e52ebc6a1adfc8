#include <filesystem>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "base/process.hpp"
#include "operator/cli/policy_verbs.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

constexpr char kOld[] =
    "coalition c revision 3\n"
    "type green_t results_t\n"
    "label green { share green_t }\n"
    "label results { share results_t }\n"
    "label scrubber { guard }\n"
    "label \"blue & <old>\" { }\n"
    "label gone { }\n"
    "allow green <-> scrubber tcp/443\n"
    "allow scrubber -> results udp/9000\n"
    "allow green -> \"blue & <old>\" udp/1\n"
    "goal green never reaches results except through scrubber\n"
    "goal internet never reaches results\n";
constexpr char kNew[] =
    "coalition c revision 4\n"
    "type green_t results_t\n"
    "label green { share green_t }\n"
    "label results { share results_t }\n"
    "label scrubber { guard }\n"
    "allow green <-> scrubber tcp/443\n"
    "allow green -> results udp/53\n"
    "goal green never reaches results except through scrubber\n";
constexpr char kRunning[] =
    R"({"schema":"shamon.vm.list/1","data":{"vms":[
{"vm":"v1","label":"gone","host":"h1","address":"10.0.0.1","image":"","state":"running","ak_public":""},
{"vm":"v2","label":"results","host":"h2","address":"10.0.0.2","image":"","state":"stopped","ak_public":""}]}})";

class PolicyPlanVerbs : public FolderTest {
 protected:
  void SetUp() override {
    old_ = write("old.policy", kOld);
    new_ = write("new.policy", kNew);
  }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "policy");
    return run_verbs(add_policy_verbs, std::move(words));
  }

  std::string old_, new_;
};

TEST_F(PolicyPlanVerbs, AGoalThatBreaksExitsThirteenWithItsPath) {
  Outcome const plan = run({"plan", old_, new_, "--running", write("r.json", kRunning)});
  EXPECT_EQ(plan.exit_code, 13) << plan.err;
  for (char const* part :
       {"coalition c, revision 3 -> 4\n", "  removed label blue & <old>",
        "gains communication\n  green -> results  udp/53", "loses communication\n",
        "scrubber -> results  udp/9000", "holds -> violated", "green -> results  udp/53",
        "holds -> absent", "VM v1 on h1 stops: label gone is gone\n"}) {
    EXPECT_NE(plan.out.find(part), std::string::npos) << part << "\n" << plan.out;
  }
  EXPECT_EQ(plan.out.find("refused"), std::string::npos);
  EXPECT_EQ(run({"plan", new_, "--old", old_}).exit_code, 13);
}

TEST_F(PolicyPlanVerbs, NoHarmExitsZeroAndAnOldRevisionIsSaid) {
  Outcome const same = run({"plan", old_, old_});
  EXPECT_EQ(same.exit_code, 0);
  EXPECT_NE(same.out.find("refused by every monitor: the revision must grow\n"), std::string::npos);
  EXPECT_NE(same.out.find("no label, pair or goal changes\n"), std::string::npos);
  EXPECT_EQ(run({"plan", new_, old_}).exit_code, 0) << "a goal that becomes true is no harm";
}

TEST_F(PolicyPlanVerbs, JsonHoldsTheSame) {
  auto const plan = nlohmann::json::parse(
      run({"plan", old_, new_, "--json", "--running", write("r.json", kRunning)}).out);
  EXPECT_EQ(plan["schema"], "shamon.policy.plan/1");
  auto const& data = plan["data"];
  EXPECT_TRUE(data["violates"].get<bool>());
  EXPECT_TRUE(data["newer"].get<bool>());
  EXPECT_EQ(data["names"].size(), 2u);
  EXPECT_EQ(data["goals"].size(), 2u);
  EXPECT_EQ(data["goals"][0]["after"], "violated");
  EXPECT_EQ(data["cuts"][0]["kind"], "vm stops");
  EXPECT_EQ(data["cuts"][0]["names"][0], "v1");
}

TEST_F(PolicyPlanVerbs, WrongFilesAndWordsAreRefused) {
  EXPECT_EQ(run({"plan"}).exit_code, 2);
  EXPECT_EQ(run({"plan", old_, folder_ + "/none"}).exit_code, 2);
  EXPECT_EQ(run({"plan", old_, new_, "--old", old_}).exit_code, 2);
  EXPECT_NE(run({"plan", old_, new_, "--running", write("bad.json", "{\"data\":3}")}).exit_code, 0);
  EXPECT_NE(run({"plan", new_, "--authority", folder_ + "/no.sock"}).exit_code, 0);
}

TEST_F(PolicyPlanVerbs, GraphDrawsTheSamePictureTwiceAndEscapesNames) {
  Outcome const svg = run({"graph", old_, "--format", "svg"});
  EXPECT_EQ(svg.exit_code, 0);
  EXPECT_EQ(run({"graph", old_, "--format", "svg"}).out, svg.out);
  for (char const* part : {"<svg ", "<polygon class=\"node guard\"", "blue &amp; &lt;old&gt;",
                           "tcp/443", "class=\"node outside\"", "holds: goal green"}) {
    EXPECT_NE(svg.out.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(svg.out.find("blue & <old>"), std::string::npos);
  EXPECT_EQ(svg.out.find(" bad\""), std::string::npos);
  std::string const file = folder_ + "/new.svg";
  EXPECT_EQ(run({"graph", new_, "-o", file}).exit_code, 0);
  auto const violated = read_text_file(file);
  ASSERT_TRUE(violated);
  EXPECT_NE(violated->find("class=\"line bad\""), std::string::npos);
  EXPECT_NE(violated->find("violated: goal green"), std::string::npos);
  EXPECT_NE(run({"graph", new_}).out.find("color=red"), std::string::npos);
  EXPECT_EQ(run({"graph", new_, "--format", "png"}).exit_code, 2);
}

TEST_F(PolicyPlanVerbs, AWayThatLevelsLeaveOpenOneWayHasAnArrow) {
  std::string const file = write("levels.policy",
                                 "coalition c revision 1\ntype t\n"
                                 "label low { share t  secrecy open }\n"
                                 "label lower { share t  secrecy open }\n"
                                 "label high { share t  secrecy secret }\n");
  std::string const svg = run({"graph", file, "--format", "svg"}).out;
  auto const line_of = [&](std::string const& pair) {
    std::size_t const at = svg.find("<title>" + pair);
    if (at == std::string::npos) return std::string();
    std::size_t const from = svg.rfind("<path", at);
    return svg.substr(from, at - from);
  };
  EXPECT_NE(line_of("low -&gt; high").find("marker-end"), std::string::npos) << svg;
  EXPECT_EQ(line_of("low -&gt; high").find("marker-start"), std::string::npos);
  EXPECT_EQ(line_of("high -&gt; low"), "");
  ASSERT_NE(line_of("low &lt;-&gt; lower"), "");
  EXPECT_EQ(line_of("low &lt;-&gt; lower").find("marker"), std::string::npos);
}

TEST_F(PolicyPlanVerbs, GraphvizReadsTheGraph) {
  if (!std::filesystem::exists("/usr/bin/dot")) {
    GTEST_SKIP() << "NOT TESTED: no dot; install graphviz";
  }
  std::string const file = folder_ + "/old.dot";
  EXPECT_EQ(run({"graph", old_, "-o", file}).exit_code, 0);
  auto const drawn = run_process({"/usr/bin/dot", "-Tplain", file});
  ASSERT_TRUE(drawn);
  EXPECT_EQ(drawn->status, 0) << drawn->text;
  EXPECT_NE(drawn->text.find("\"blue & <old>\""), std::string::npos) << drawn->text;
}

}  // namespace
}  // namespace shamon
