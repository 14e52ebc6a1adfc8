#include "policy/prove/matrix_question.hpp"

#include <gtest/gtest.h>

#include "policy/prove/counterexample.hpp"
#include "policy/prove/limits.hpp"
#include "policy/prove/smt_text.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

constexpr char kPolicy[] =
    "coalition c revision 3\n"
    "type a_t b_t\n"
    "label x { share a_t }\n"
    "label y { share b_t }\n"
    "allow x -> y udp/5-7\n";

TEST(SmtText, NamesBecomeSymbolsThatNoOtherNameBecomes) {
  EXPECT_EQ(smt::symbol("label", "green-1.b_t"), "label.green-1.b_t");
  EXPECT_EQ(smt::symbol("label", "a b|c\\"), "label.a%20b%7cc%5c");
  EXPECT_EQ(smt::symbol("label", "a%20b"), "label.a%2520b");
  EXPECT_EQ(smt::symbol("label", "\xc3\xbc"), "label.%c3%bc");
  EXPECT_EQ(smt::comment("a\n(assert false)\x7f"), "; a?(assert false)?\n");
}

TEST(MatrixQuestion, AsksOneRowForEachLabel) {
  auto const build = build_policy("q.policy", kPolicy);
  ASSERT_TRUE(build);
  MatrixQuestion const question(*build->document, build->compiled);
  EXPECT_TRUE(question.disagreements().empty());
  EXPECT_EQ(question.rows(), 2u);
  std::string const script = question.script();
  EXPECT_NE(script.find("; q.policy:5: allow x -> y udp/5-7\n"), std::string::npos);
  EXPECT_NE(script.find("(bvule (bvsub key #x00110005) #x00000002)"), std::string::npos);
}

TEST(MatrixQuestion, SeesWithoutASolverThatNamesAndRevisionsDiffer) {
  struct Row {
    char const* what;
    char const* from;
    char const* to;
    char const* disagreement;
  };
  Row const rows[] = {
      {"a coalition", "coalition c", "coalition d",
       "the statements name coalition c, the tables d"},
      {"a revision", "revision 3", "revision 4",
       "the statements are revision 3, the tables revision 4"},
      {"a label less", "label y { share b_t }\nallow x -> y udp/5-7", "allow x -> x udp/5-7",
       "label y is not in the tables"},
      {"a label more", "allow", "label z { }\nallow", "no statement defines label z"},
      {"another line", "label x { share a_t }\nlabel y { share b_t }",
       "label y { share b_t }\nlabel x { share a_t }",
       "the tables name another statement than its own for label x"},
  };
  auto const build = build_policy("q.policy", kPolicy);
  ASSERT_TRUE(build);
  for (auto const& row : rows) {
    std::string text = kPolicy;
    text.replace(text.find(row.from), std::string(row.from).size(), row.to);
    auto const other = build_policy("q.policy", text);
    ASSERT_TRUE(other) << row.what;
    MatrixQuestion const question(*build->document, other->compiled);
    ASSERT_FALSE(question.disagreements().empty()) << row.what;
    EXPECT_EQ(question.disagreements().front(), row.disagreement) << row.what;
    EXPECT_EQ(question.rows(), 0u) << row.what;
  }
}

std::string answer(std::string const& to) {
  std::string out = "((to " + to + ")\n (protocol #x06) (port #x01bb) (source-port #xffff)";
  for (char const* side : {"statements", "compiled"}) {
    for (char const* aspect : {"flow", "memory", "device", "start"}) {
      out += std::string(" (") + side + "." + aspect +
             (side[0] == 's' && aspect[0] == 'f' ? " true)" : " false)");
    }
  }
  return out + " (compiled.unlicensed false))";
}

TEST(RowValues, AreReadInHexadecimalAndInBinary) {
  for (char const* to : {"#x0102", "#b0000000100000010"}) {
    auto const values = parse_row_values(answer(to));
    ASSERT_TRUE(values) << values.error().describe();
    EXPECT_EQ(values->to, 0x102);
    EXPECT_EQ(values->service, (Service{6, 443, 65535}));
    EXPECT_TRUE(values->statements.flow);
    EXPECT_FALSE(values->compiled.flow);
  }
}

TEST(RowValues, AnythingElseIsRefused) {
  std::string const good = answer("#x0102");
  std::string const missing =
      std::string(good).replace(good.find("(compiled.memory false)"), 23, "");
  std::string const rows[] = {"",
                              "()",
                              "unsat",
                              "(error \"line 3\")",
                              good + ")",
                              good.substr(0, good.size() - 1),
                              answer("#x102"),
                              answer("#x01022"),
                              answer("#b00000001000000102"),
                              answer("258"),
                              answer("true"),
                              answer("(_ bv258 16)"),
                              missing,
                              "((to #x0102) " + good.substr(1),
                              std::string(kAnswerBytesMax + 1, ' ')};
  for (auto const& row : rows) EXPECT_FALSE(parse_row_values(row)) << row.substr(0, 80);
}

}  // namespace
}  // namespace shamon
