#include "operator/cli/policy_verbs.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/folder_fixture.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

constexpr char kGood[] =
    "coalition c revision 3\n"
    "type green_t red_t blue_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "label blue { share blue_t }\n"
    "wall w { red_t blue_t }\n"
    "allow green <-> red tcp/443\n";

class PolicyVerbs : public FolderTest {
 protected:
  void SetUp() override {
    good_ = write("good.policy", kGood);
    bad_ = write("bad.policy", "coalition c revision 3\nlable x { }\nallow a <-> b\n");
  }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "policy");
    return run_verbs(add_policy_verbs, std::move(words));
  }

  std::string good_, bad_;
};

TEST_F(PolicyVerbs, ShowTellsLabelsAndWhatMayFlow) {
  Outcome const shown = run({"show", good_});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_NE(shown.out.find("green      all    some  -"), std::string::npos) << shown.out;
  auto const data = nlohmann::json::parse(run({"show", good_, "--json"}).out)["data"];
  EXPECT_EQ(data["coalition"], "c");
  EXPECT_EQ(data["allows"][0]["services"][0], "tcp/443");
  EXPECT_EQ(data["walls"][0]["types"][1], "blue_t");
  EXPECT_EQ(run({"show", bad_}).exit_code, 2);
}

struct DecideRow {
  std::vector<std::string> question;
  int exit_code;
  std::string answer;  ///< after the verdict's "allowed " or "denied "
};

TEST_F(PolicyVerbs, DecideAnswersWithTheRule) {
  std::string const at = good_ + ":";
  DecideRow const rows[] = {
      {{"flow", "green", "red", "--service", "tcp/443"},
       0,
       "flow green -> red tcp/443: allow statement; " + at + "7 allow green <-> red tcp/443"},
      {{"flow", "green", "red", "--service", "tcp/80"},
       12,
       "flow green -> red tcp/80: service not allowed; " + at + "7 allow green <-> red tcp/443"},
      {{"flow", "red", "blue"},
       12,
       "flow red -> blue any: no common type; " + at + "4 label red { share red_t }"},
      {{"flow", "red", "nobody"}, 12, "flow red -> nobody any: unknown label"},
      {{"share", "green", "green"},
       0,
       "share green -> green: same label; " + at + "3 label green { share green_t }"},
      {{"share", "green", "red"},
       12,
       "share green -> red: no common type; " + at + "3 label green { share green_t }"},
      {{"start", "red"}, 0, "start red: no wall; " + at + "4 label red { share red_t }"},
      {{"start", "red", "--running", "green,blue"},
       12,
       "start red: Chinese Wall; " + at + "6 wall w { red_t blue_t }"},
  };
  for (auto const& row : rows) {
    std::vector<std::string> arguments = {"decide", good_};
    arguments.insert(arguments.end(), row.question.begin(), row.question.end());
    Outcome const outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, row.exit_code) << row.answer << outcome.err;
    EXPECT_EQ(outcome.out, (row.exit_code == 0 ? "allowed " : "denied ") + row.answer + "\n");
  }
}

TEST_F(PolicyVerbs, DecideRefusesQuestionsThatMakeNoSense) {
  for (std::vector<std::string> const& question :
       {std::vector<std::string>{"flow", "green"},
        {"start", "green", "red"},
        {"eat", "green", "red"},
        {"flow", "green", "red", "--service", "tcp/99999"},
        {"flow", "green", "red", "--service", "tcp/1-2"},
        {"start", "red", "--running", "nobody"}}) {
    std::vector<std::string> arguments = {"decide", good_};
    arguments.insert(arguments.end(), question.begin(), question.end());
    EXPECT_EQ(run(arguments).exit_code, 2) << question[0];
  }
}

TEST_F(PolicyVerbs, DecideSpeaksJson) {
  auto const data = nlohmann::json::parse(
      run({"decide", good_, "flow", "green", "red", "--service", "tcp/443", "--json"}).out)["data"];
  EXPECT_EQ(data["verdict"], "allow");
  EXPECT_EQ(data["rule"]["line"], 7);
}

}  // namespace
}  // namespace shamon
