#include "operator/cli/proof_verbs.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/folder_fixture.hpp"
#include "operator/cli/verbs_fixture.hpp"
#include "trust/engine.hpp"
#include "trust/proof.hpp"

namespace shamon {
namespace {

Outcome run(std::vector<std::string> words) {
  return run_verbs(add_proof_verbs, std::move(words));
}

/// The proof that machine h is a member of coalition c, true until 40 ms after 1970 began.
std::string membership_proof() {
  TrustEngine engine(builtin_rules());
  Validity const validity{WallTime(0), WallTime(40'000'000)};
  auto const add = [&](std::string predicate, std::vector<std::string> terms) {
    Statement const fact{"authority", std::move(predicate), std::move(terms)};
    EXPECT_TRUE(engine.insert(fact, validity, "source of " + fact.predicate));
  };
  add("registered", {"h", "ek"});
  add("policy_of", {"c", "p"});
  add("fits", {"h", "p", "f.policy:3"});
  add("quoted", {"h", "s"});
  add("measured", {"h", "s", "start", "end", "gate", "d"});
  add("approved", {"gate", "d"});
  add("required", {"c", "start", "end", "gate"});
  auto const proof = engine.prove({"authority", "member", {"h", "c"}});
  EXPECT_TRUE(proof);
  return proof ? encode_proof(*proof) : "";
}

class ProofVerbs : public FolderTest {
 protected:
  std::string write(std::string const& text) { return FolderTest::write("proof", text); }
};

TEST_F(ProofVerbs, a_proof_holds_on_the_word_of_those_believed_and_names_what_they_said) {
  std::string const file = write(membership_proof());
  Outcome const ran =
      run({"proof", "check", file, "--speaker", "authority", "--at", "39", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  auto const data = nlohmann::json::parse(ran.out)["data"];
  EXPECT_EQ(data["holds"], true);
  EXPECT_EQ(data["conclusion"], "authority says member(h, c)");
  ASSERT_EQ(data["believed"].size(), 7u);
  EXPECT_EQ(data["believed"][0]["source"].get<std::string>().substr(0, 10), "source of ");
}

TEST_F(ProofVerbs, a_proof_that_does_not_hold_says_why_and_exits_with_15) {
  std::string const proof = membership_proof();
  struct Case {
    char const* name;
    std::string text;
    std::vector<std::string> options;
    int exit_code;
    char const* says;
  };
  auto const swapped = [&](std::string const& from, std::string const& to) {
    std::string text = proof;
    return text.replace(text.rfind(from), from.size(), to);
  };
  std::vector<std::string> const believed{"--speaker", "authority", "--at", "39"};
  Case const cases[] = {
      {"nobody is believed", proof, {"--at", "39"}, 15, "believed"},
      {"another one is believed", proof, {"--speaker", "campus", "--at", "39"}, 15, "believed"},
      {"its time is over", proof, {"--speaker", "authority", "--at", "40"}, 15, "not at"},
      {"now is long after", proof, {"--speaker", "authority"}, 15, "not at"},
      {"another conclusion", swapped("member(h, c)", "member(rogue, c)"), believed, 15, "step"},
      {"no proof at all", "hello\n", believed, 2, "malformed"},
      {"an empty file", "", believed, 2, "malformed"}};
  for (auto const& c : cases) {
    std::vector<std::string> words{"proof", "check", write(c.text)};
    words.insert(words.end(), c.options.begin(), c.options.end());
    Outcome const ran = run(words);
    EXPECT_EQ(ran.exit_code, c.exit_code) << c.name << "\n" << ran.out << ran.err;
    EXPECT_NE(ran.err.find(c.says), std::string::npos) << c.name << "\n" << ran.err;
  }
}

TEST_F(ProofVerbs, prints_the_rules_a_proof_is_checked_against) {
  Outcome const ran = run({"proof", "rules"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_NE(ran.out.find("rule member"), std::string::npos);
}

}  // namespace
}  // namespace shamon
