#include "operator/cli/policy_prove_verbs.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "operator/cli/smt_solver.hpp"
#include "operator/cli/verbs_fixture.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] =
    "coalition c revision 3\n"
    "type green_t red_t\n"
    "label green { share green_t }\n"
    "label red { share red_t }\n"
    "allow green <-> red tcp/443\n";

class PolicyProve : public FolderTest {
 protected:
  void SetUp() override {
    path_ = std::getenv("PATH");
    good_ = write("good.policy", kPolicy);
  }
  void TearDown() override { ::setenv("PATH", path_.c_str(), 1); }

  /// A program in place of z3 that answers as it likes.
  void pretend_z3(std::string const& script) {
    ::setenv("PATH", (folder_ + ":" + path_).c_str(), 1);
    write("z3", "#!/bin/sh\n[ \"$1\" = --version ] && { echo pretended 1; exit; }\n" + script,
          0755);
  }
  bool have(std::string const& solver) {
    return SmtSolver::start(solver, std::chrono::seconds(10)).has_value();
  }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "prove");
    return run_verbs(add_policy_prove_verbs, std::move(words));
  }

  std::string path_, good_;
};

TEST_F(PolicyProve, ExitsZeroOnlyWithAProof) {
  if (!have("z3")) GTEST_SKIP() << "needs the Debian package z3";
  Outcome const outcome = run({good_, "--solver", "z3"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find(good_ + ": proved: the compiled policy says what its statements say\n"
                                     "  2 labels, 4 pairs, every protocol and port of each\n"),
            0u)
      << outcome.out;
  auto const json = nlohmann::json::parse(run({good_, "--json"}).out);
  EXPECT_EQ(json["schema"], "shamon.policy.prove/1");
  EXPECT_EQ(json["data"]["proved"], true);
  EXPECT_EQ(json["data"]["solvers"][0]["rows"], 2);
  EXPECT_EQ(json["data"]["counterexample"], nullptr);
}

TEST_F(PolicyProve, BothSolversMustProveWhenBothAreAsked) {
  if (!have("z3") || !have("cvc5")) GTEST_SKIP() << "needs the Debian packages z3 and cvc5";
  Outcome const outcome = run({good_, "--solver", "both", "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["data"]["solvers"].size(), 2u);
}

TEST_F(PolicyProve, TheScriptItWritesAnswersTheSameInAnySolver) {
  std::string const script = folder_ + "/good.smt2";
  (void)run({good_, "--emit", script});
  for (auto const& command :
       {std::vector<std::string>{"z3", "-smt2", script},
        std::vector<std::string>{"cvc5", "--lang=smt2", "--incremental", script}}) {
    if (!have(command[0])) GTEST_SKIP() << "needs the Debian package " << command[0];
    auto const output = run_process(command);
    ASSERT_TRUE(output) << output.error().describe();
    EXPECT_EQ(output->text, "sat\nunsat\nunsat\n") << command[0];
  }
}

TEST_F(PolicyProve, AnImageThatSaysSomethingElseIsShown) {
  if (!have("z3")) GTEST_SKIP() << "needs the Debian package z3";
  std::string text = kPolicy;
  auto image = [&](std::string const& name) {
    auto const build = build_policy(good_, text);
    auto const path = folder_ + "/" + name;
    EXPECT_TRUE(build && write_file_atomically(path, build->compiled.image()));
    return path;
  };
  EXPECT_EQ(run({good_, "--image", image("same")}).exit_code, 0);
  text.replace(text.find("443"), 3, "444");
  Outcome const outcome = run({good_, "--image", image("other"), "--solver", "z3"});
  EXPECT_EQ(outcome.exit_code, 15);
  EXPECT_NE(outcome.out.find("not so: the compiled policy differs from its statements\n"),
            std::string::npos);
  EXPECT_NE(outcome.out.find("good.policy:5: allow green <-> red tcp/443\n"), std::string::npos)
      << outcome.out;
  auto const json =
      nlohmann::json::parse(run({good_, "--image", image("other"), "--json"}).out)["data"];
  EXPECT_EQ(json["proved"], false);
  EXPECT_EQ(json["counterexample"]["confirmed"], true);
  EXPECT_EQ(json["counterexample"]["operation"], "flow");
  text.replace(text.find("revision 3"), 10, "revision 4");
  Outcome const newer = run({good_, "--image", image("newer")});
  EXPECT_EQ(newer.exit_code, 15);
  EXPECT_NE(newer.out.find("the statements are revision 3, the tables revision 4"),
            std::string::npos);
  EXPECT_EQ(run({good_, "--image", good_}).exit_code, 2) << "a file that is no image";
}

struct Failure {
  char const* what;
  char const* script;
  int exit_code;
  char const* message;
};

TEST_F(PolicyProve, ASolverThatFailsProvesNothing) {
  Failure const rows[] = {
      {"it always says unsat",
       "while read -r line; do case $line in *check-sat*) echo unsat;; esac; done", 1,
       "found no answer to the control question"},
      {"it does not know",
       "while read -r line; do case $line in *check-sat*) echo unknown;; esac; done", 5,
       "answered 'unknown'"},
      {"it complains",
       "while read -r line; do case $line in *check-sat*) echo '(error \"no\")';; esac; done", 1,
       "z3 said: (error \"no\")"},
      {"it babbles", "yes", 1, "z3 sa"},  // "said: y", or "says too much" if it is faster
      {"it babbles without an end", "tr '\\0' '(' < /dev/zero", 1, "z3 says too much"},
      {"it ends at once", "exit 3", 1, "z3 ended before it answered, with status 3"},
      {"it crashes", "kill -SEGV $$", 1, "z3 ended before it answered, with status 139"},
      {"it dies while it is told", "read -r line; exit 4", 1, "z3 ended before it answered"},
      {"it never answers", "exec sleep 30", 5, "z3 found no answer in time"},
      {"it knows values that are none",
       "while read -r line; do case $line in *check-sat*) echo sat;; *get-value*) echo '((to "
       "x))';; esac; done",
       1, "a solver's values"},
  };
  for (auto const& row : rows) {
    pretend_z3(row.script);
    Outcome const outcome = run({good_, "--solver", "z3", "--timeout", "1"});
    EXPECT_NE(outcome.exit_code, 0) << row.what;
    EXPECT_EQ(outcome.exit_code, row.exit_code) << row.what << ": " << outcome.err;
    EXPECT_NE(outcome.err.find(row.message), std::string::npos) << row.what << ": " << outcome.err;
    EXPECT_NE(outcome.err.find("shamon: nothing is proved\n"), std::string::npos) << row.what;
    EXPECT_EQ(outcome.out, "") << row.what;
  }
}

TEST_F(PolicyProve, WithoutASolverItSaysWhichPackageHasOne) {
  ::setenv("PATH", folder_.c_str(), 1);
  Outcome const outcome = run({good_});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.err,
            "shamon: not found: neither z3 nor cvc5 is installed: apt-get install z3\n"
            "shamon: nothing is proved\n");
  EXPECT_EQ(run({good_, "--solver", "cvc5"}).exit_code, 3);
}

TEST_F(PolicyProve, AFileWithErrorsIsRefused) {
  Outcome const outcome = run({write("bad.policy", "coalition c revision 3\nallow a <-> b\n")});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("bad.policy:2:7: error: label 'a' is not defined"), std::string::npos);
  EXPECT_EQ(run({good_, "--solver", "yices"}).exit_code, 2);
  EXPECT_EQ(run({good_, "--timeout", "0"}).exit_code, 2);
  EXPECT_EQ(run({folder_ + "/none"}).exit_code, 2);
}

}  // namespace
}  // namespace shamon
