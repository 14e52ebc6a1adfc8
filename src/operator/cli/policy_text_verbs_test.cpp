#include "operator/cli/policy_text_verbs.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "crypto/hash.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

constexpr char kGood[] =
    "coalition c revision 3 \"spring term\"\n"
    "type green_t red_t blue_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "label blue { share blue_t }\n"
    "wall w { red_t blue_t }\n"
    "allow green <-> red tcp/443\n"
    "member host when platform in {lab}\n"
    "member vm green when image in {a}\n"
    "member vm red when image in {a}\n"
    "member vm blue when image in {a}\n";

class PolicyTextVerbs : public FolderTest {
 protected:
  void SetUp() override {
    good_ = write("good.policy", kGood);
    bad_ = write("bad.policy", "coalition c revision 3\nlable x { }\nallow a <-> b\n");
    std::filesystem::create_directory(folder_ + "/sites");
    write("sites/b.policy", "type b_t\nlabel b  { share b_t }\n");
    many_ = write("many.policy", std::string(kGood) + "include \"sites/b.policy\"\n");
  }

  Outcome run(std::vector<std::string> words) {
    return run_verbs(add_policy_text_verbs, std::move(words));
  }
  nlohmann::json data(std::vector<std::string> arguments) {
    return nlohmann::json::parse(run(std::move(arguments)).out)["data"];
  }

  std::string good_, bad_, many_;
};

TEST_F(PolicyTextVerbs, LintTellsEveryErrorOnStandardErrorAndExitsTwo) {
  Outcome const bad = run({"lint", bad_});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_EQ(bad.out, "");
  EXPECT_EQ(bad.err,
            bad_ +
                ":2:1: error: 'lable' does not start a statement; did you mean 'label'? [P003]\n"
                "2 | lable x { }\n  | ^~~~~\n" +
                bad_ + ":3:7: error: label 'a' is not defined [P020]\n" +
                "3 | allow a <-> b\n  |       ^\n" + bad_ +
                ":3:13: error: label 'b' is not defined [P020]\n" +
                "3 | allow a <-> b\n  |             ^\n");
  Outcome const good = run({"lint", good_});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.out, good_ + ": coalition c revision 3 \"spring term\", 3 labels, no errors\n");
  EXPECT_EQ(run({"lint", folder_ + "/none"}).exit_code, 2);
  EXPECT_EQ(run({"lint"}).exit_code, 2);
}

TEST_F(PolicyTextVerbs, NotesFailALintOnlyIfItIsStrict) {
  Outcome const noted = run({"lint", many_});
  EXPECT_EQ(noted.exit_code, 0);
  EXPECT_EQ(noted.err, folder_ +
                           "/sites/b.policy:2:7: note: no 'member vm' statement for label 'b': no "
                           "VM may run under it [P109]\n2 | label b  { share b_t }\n  |       ^\n");
  EXPECT_EQ(run({"lint", many_, "--strict"}).exit_code, 2);
  EXPECT_EQ(run({"lint", good_, "--strict"}).exit_code, 0);
}

TEST_F(PolicyTextVerbs, LintSpeaksJson) {
  auto const bad = data({"lint", bad_, "--json"});
  EXPECT_EQ(bad["ok"], false);
  ASSERT_EQ(bad["errors"].size(), 3u);
  EXPECT_EQ(
      bad["errors"][0],
      (nlohmann::json{{"file", bad_},
                      {"line", 2},
                      {"column", 1},
                      {"end_column", 6},
                      {"severity", "error"},
                      {"code", "P003"},
                      {"message", "'lable' does not start a statement; did you mean 'label'?"},
                      {"suggestion", "label"}}));
  EXPECT_EQ(bad["errors"][1]["suggestion"], nullptr);
  auto const many = data({"lint", many_, "--json"});
  EXPECT_EQ(many["ok"], true);
  EXPECT_EQ(many["revision"], 3);
  EXPECT_EQ(many["revision_name"], "spring term");
  ASSERT_EQ(many["notes"].size(), 1u);
  EXPECT_EQ(many["notes"][0]["severity"], "note");
  EXPECT_EQ(many["notes"][0]["file"], folder_ + "/sites/b.policy");
}

TEST_F(PolicyTextVerbs, FmtPrintsOrWritesTheCanonicalForm) {
  std::string const path = write("ugly.policy", "coalition  c   revision 3 # x\n\n\ntype a,b");
  std::string const canonical = "coalition c revision 3  # x\n\ntype a b\n";
  EXPECT_EQ(run({"fmt", path}).out, canonical);
  EXPECT_EQ(run({"fmt", path, "--check"}).exit_code, 2);
  EXPECT_EQ(run({"fmt", path, "--write"}).exit_code, 0);
  EXPECT_EQ(run({"fmt", path, "--check"}).exit_code, 0);
  EXPECT_EQ(read_text_file(path).value(), canonical);
  EXPECT_EQ(run({"fmt", bad_, "--write"}).exit_code, 2);
  EXPECT_NE(read_text_file(bad_).value().find("lable"), std::string::npos);
  EXPECT_EQ(run({"fmt", many_}).out, read_text_file(many_).value()) << "includes stay includes";
}

TEST_F(PolicyTextVerbs, FlattenPrintsOneTextAndDigestItsHash) {
  Outcome const flat = run({"flatten", many_});
  EXPECT_EQ(flat.exit_code, 0);
  EXPECT_EQ(flat.out, std::string(kGood) +
                          "# include \"sites/b.policy\"\ntype b_t\nlabel b { share b_t }\n"
                          "# end of \"sites/b.policy\"\n");
  std::string const digest = "sha256:" + sha256(as_bytes(flat.out)).hex();
  EXPECT_EQ(run({"digest", many_}).out,
            digest + "  coalition c revision 3 \"spring term\"  " + many_ + "\n");
  std::string const alone = write("flat.policy", flat.out);
  EXPECT_EQ(data({"digest", alone, "--json"})["digest"], digest);
  auto const many = data({"digest", many_, "--json"});
  EXPECT_EQ(many["digest"], digest);
  EXPECT_EQ(many["revision_name"], "spring term");
  EXPECT_EQ(many["files"], (nlohmann::json{many_, folder_ + "/sites/b.policy"}));
  EXPECT_EQ(run({"digest", bad_}).exit_code, 2);
  EXPECT_EQ(run({"flatten", bad_}).exit_code, 2);
  EXPECT_EQ(run({"flatten", bad_}).out, "");
}

}  // namespace
}  // namespace shamon
