#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/folder_fixture.hpp"
#include "operator/cli/policy_verbs.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] =
    "coalition c revision 3\n"                                     // 1
    "type green_t results_t red_t\n"                               // 2
    "label green { share green_t }\n"                              // 3
    "label green2 { share green_t }\n"                             // 4
    "label results { share results_t }\n"                          // 5
    "label red { share red_t }\n"                                  // 6
    "label scrubber { guard }\n"                                   // 7
    "allow green2 <-> scrubber tcp/443\n"                          // 8
    "allow scrubber -> results udp/9000\n"                         // 9
    "goal red never reaches results\n"                             // 10
    "goal green never reaches results except through scrubber\n";  // 11

class PolicyFlowVerbs : public FolderTest {
 protected:
  void SetUp() override { file_ = write("c.policy", kPolicy); }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), {"policy", "flow"});
    return run_verbs(add_policy_verbs, std::move(words));
  }

  std::string file_;
};

TEST_F(PolicyFlowVerbs, APathExitsThirteenWithEveryStepsLineAndService) {
  Outcome const path = run({file_, "green ~> results"});
  EXPECT_EQ(path.exit_code, 13);
  EXPECT_EQ(path.out,
            "green ~> results: a path of 3 steps\n"
            "  green -> green2      every service  " +
                file_ + ":3  common type: label green { share green_t }; " + file_ +
                ":4 label green2 { share green_t }\n"
                "  green2 -> scrubber   tcp/443        " +
                file_ +
                ":8  allow green2 <-> scrubber tcp/443\n"
                "  scrubber -> results  udp/9000       " +
                file_ + ":9  allow scrubber -> results udp/9000\n");
  EXPECT_EQ(run({"green~>results", file_}).out, path.out) << "either order, with or without blanks";
}

TEST_F(PolicyFlowVerbs, NoPathExitsZeroAndSaysSo) {
  for (auto const& [question, out] : std::vector<std::pair<std::string, std::string>>{
           {"red ~> results", "red ~> results: no path\n"},
           {"results ~> green", "results ~> green: no path\n"},
           {"green ~> internet",
            "green ~> internet: no path; no statement opens a way to or from the internet\n"}}) {
    Outcome const none = run({file_, question});
    EXPECT_EQ(none.exit_code, 0) << question;
    EXPECT_EQ(none.out, out);
  }
  EXPECT_EQ(run({file_, "green ~> results", "--avoid", "scrubber"}).exit_code, 0);
  EXPECT_EQ(run({file_, "green ~> results", "--avoid", "red"}).exit_code, 13);
}

TEST_F(PolicyFlowVerbs, WrongQuestionsAreUsageErrors) {
  for (std::vector<std::string> const& words :
       std::vector<std::vector<std::string>>{{file_},
                                             {file_, "green ~> gren"},
                                             {file_, "green ~> green"},
                                             {file_, "green -> results"},
                                             {file_, "~> results"},
                                             {file_, "green ~> red", "--avoid", "nobody"},
                                             {file_, "green ~> red", "--goals"},
                                             {file_, "--goals", "--avoid", "red"},
                                             {folder_ + "/none", "green ~> red"},
                                             {"green ~> red", "green ~> results"}}) {
    Outcome const refused = run(words);
    EXPECT_EQ(refused.exit_code, 2) << words.back();
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.err, "") << words.back();
  }
}

TEST_F(PolicyFlowVerbs, GoalsExitThirteenWhenOneIsViolated) {
  Outcome const held = run({file_, "--goals"});
  EXPECT_EQ(held.exit_code, 0);
  EXPECT_EQ(held.out, "holds     " + file_ + ":10  goal red never reaches results\nholds     " +
                          file_ +
                          ":11  goal green never reaches results except through scrubber\n");
  std::string const worse =
      write("worse.policy", std::string(kPolicy) + "allow red -> results icmp\n");
  Outcome const broken = run({worse, "--goals"});
  EXPECT_EQ(broken.exit_code, 13);
  EXPECT_NE(broken.out.find("violated  " + worse +
                            ":10  goal red never reaches results\n"
                            "  red -> results  icmp  " +
                            worse + ":12  allow red -> results icmp\nholds     "),
            std::string::npos)
      << broken.out;
}

TEST_F(PolicyFlowVerbs, JsonHoldsThePathWithItsRules) {
  auto const path = nlohmann::json::parse(run({file_, "green ~> results", "--json"}).out);
  EXPECT_EQ(path["schema"], "shamon.policy.flow/1");
  EXPECT_TRUE(path["data"]["reaches"].get<bool>());
  ASSERT_EQ(path["data"]["path"].size(), 3u);
  EXPECT_EQ(path["data"]["path"][1]["services"], "tcp/443");
  EXPECT_EQ(path["data"]["path"][1]["ways"][0]["rule"]["line"], 8);
  auto const goals = nlohmann::json::parse(run({file_, "--goals", "--json"}).out);
  EXPECT_EQ(goals["data"]["violated"], 0);
  EXPECT_EQ(goals["data"]["goals"].size(), 2u);
}

}  // namespace
}  // namespace shamon
