#include "operator/cli/policy_union_verbs.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

using nlohmann::json;

class PolicyUnionVerbs : public FolderTest {
 protected:
  void SetUp() override {
    home_ = write("home.policy",
                  "coalition home revision 3\n"
                  "type web_t\n"
                  "label web { share web_t }\n"
                  "label store { share web_t }\n"
                  "map site { green = web }\n");
    site_ = write("site.policy",
                  "coalition site revision 5\n"
                  "type green_t\n"
                  "label green { share green_t }\n"
                  "label red { }\n"
                  "goal red never reaches green\n");
    closed_ = write("closed.policy",
                    "coalition site revision 5\n"
                    "type green_t\n"
                    "label green { share green_t }\n"
                    "goal green never reaches internet\n");
    bad_ = write("bad.policy", "coalition c revision 3\nlable x { }\n");
  }

  static Outcome run(std::vector<std::string> words) {
    return run_verbs(add_policy_union_verbs, std::move(words));
  }

  std::string home_, site_, closed_, bad_;
};

TEST_F(PolicyUnionVerbs, UnionPrintsOnePolicyThatUnitesWithItselfAgain) {
  auto const united = run({"union", home_, site_});
  ASSERT_EQ(united.exit_code, 0) << united.err;
  EXPECT_NE(united.out.find("label web { share web_t site.green_t }\n"), std::string::npos)
      << united.out;
  EXPECT_NE(united.out.find("goal site.red never reaches web\n"), std::string::npos);
  std::string const out = folder_ + "/united.policy";
  auto const written = run({"union", home_, site_, "-o", out});
  EXPECT_EQ(written.exit_code, 0);
  EXPECT_EQ(written.out, "");
  EXPECT_EQ(read_text_file(out).value_or(""), united.out);
  EXPECT_EQ(run({"union", out}).exit_code, 0);
}

TEST_F(PolicyUnionVerbs, AConflictIsReadableAndWritesNothing) {
  std::string const out = folder_ + "/united.policy";
  auto const refused = run({"union", home_, closed_, "-o", out});
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_EQ(refused.out, "");
  EXPECT_EQ(refused.err, "conflict (goal): goal 'goal green never reaches internet' of " + closed_ +
                             " would be broken\n"
                             "  " +
                             closed_ +
                             ":4:1: goal green never reaches internet\n"
                             "  " +
                             home_ +
                             ":5:1: map site { green = web }\n"
                             "  for example: web -> store (every service, " +
                             home_ +
                             ":3)\n"
                             "shamon: 1 conflict; nothing was written\n");
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(PolicyUnionVerbs, JsonHasTheStatementsAndTheAnswersOfAnExample) {
  auto const refused = run({"union", "--json", home_, closed_});
  EXPECT_EQ(refused.exit_code, 6);
  json const data = json::parse(refused.out);
  EXPECT_EQ(data["schema"], "shamon.policy.union/1");
  EXPECT_EQ(data["data"]["ok"], false);
  json const& conflict = data["data"]["conflicts"].at(0);
  EXPECT_EQ(conflict["kind"], "goal");
  EXPECT_EQ(conflict["statements"].at(0)["line"], 4);
  EXPECT_EQ(conflict["example"]["answers"].at(0)["object"], "store");
  EXPECT_EQ(conflict["example"]["answers"].at(0)["verdict"], "allow");
  auto const united = run({"union", "--json", home_, site_});
  EXPECT_EQ(united.exit_code, 0);
  json const all = json::parse(united.out)["data"];
  EXPECT_EQ(all["ok"], true);
  EXPECT_EQ(all["policies"].at(1)["labels"]["green"], "web");
  EXPECT_EQ(all["policies"].at(1)["labels"]["red"], "site.red");
  EXPECT_EQ(all["policy"], run({"union", home_, site_}).out);
}

TEST_F(PolicyUnionVerbs, CompatAsksWithTheCoalitionAtHome) {
  auto const yes = run({"compat", home_, site_});
  EXPECT_EQ(yes.exit_code, 0);
  EXPECT_EQ(yes.out, home_ + ": compatible with " + site_ +
                         "; 3 labels together, every decision of each is kept, 1 goal holds\n");
  EXPECT_EQ(run({"compat", home_, closed_}).exit_code, 6);
  auto const as_json = run({"compat", "--json", home_, site_});
  EXPECT_EQ(json::parse(as_json.out)["data"]["policies"].at(1)["labels"]["web"], "green");
}

TEST_F(PolicyUnionVerbs, TranslateGivesOurNameOrDenies) {
  auto const found = run({"translate", home_, "site", "green"});
  EXPECT_EQ(found.exit_code, 0);
  EXPECT_EQ(found.out, "web\n");
  EXPECT_EQ(run({"translate", home_, "site", "web"}).exit_code, 3);
  EXPECT_EQ(run({"translate", home_, "other-site", "web"}).out, "web\n");
  EXPECT_EQ(run({"translate", home_, "other-site", "green"}).exit_code, 3);
  auto const as_json = run({"translate", "--json", home_, "site", "green"});
  json const data = json::parse(as_json.out)["data"];
  EXPECT_EQ(data["ours"], "web");
  EXPECT_EQ(data["revision"], 3);
  EXPECT_EQ(data["map"]["line"], 5);
}

TEST_F(PolicyUnionVerbs, AFileThatIsNoPolicyIsAWrongQuestion) {
  EXPECT_EQ(run({"union", home_, bad_}).exit_code, 2);
  EXPECT_EQ(run({"union", home_, folder_ + "/nothing"}).exit_code, 2);
  EXPECT_EQ(run({"translate", bad_, "x", "y"}).exit_code, 2);
  EXPECT_EQ(run({"union"}).exit_code, 2);
}

}  // namespace
}  // namespace shamon
