#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

/// The first mistake that is not only a missing coalition, if there is one.
Diagnostic mistake_of(std::string const& text) {
  auto const build = build_policy("p", text);
  if (build || build.error().empty()) return {};
  for (auto const& diagnostic : build.error()) {
    if (diagnostic.code != PolicyCode::coalition_missing) return diagnostic;
  }
  return build.error().front();
}

TEST(Diagnostics, AreShownWithTheLineAndACaretUnderWhatIsMeant) {
  struct {
    std::string text;
    std::string shown;
  } const rows[] = {
      {"lable x { }",
       "p:1:1: error: 'lable' does not start a statement; did you mean 'label'? [P003]\n"
       "1 | lable x { }\n"
       "  | ^~~~~\n"},
      {"coalition c revision 1\n\t label green { }  # why\n  allow gren -> green   # because\n",
       "p:3:9: error: label 'gren' is not defined; did you mean 'green'? [P020]\n"
       "3 |   allow gren -> green\n"
       "  |         ^~~~\n"},
      {"\ttype\t$",
       "p:1:7: error: unexpected character '$' [P001]\n1 | \ttype\t$\n  | \t    \t^\n"},
      {"type",
       "p:1:5: error: expected a type's name, found the end of the line [P004]\n1 | type\n"
       "  |     ^\n"},
      {"type a  \x01\xc3\xa4",
       "p:1:9: error: unexpected character '?' [P001]\n1 | type a  ?\xc3\xa4\n  |         ^\n"},
      {"", "p:1:1: error: 'coalition NAME revision N' is missing [P028]\n"},
      {"type " + std::string(300, 'a'), "p:1:6: error: expected a type's name, found '" +
                                            std::string(64, 'a') + "...' [P004]\n1 | type " +
                                            std::string(115, 'a') + "\n  |      ^" +
                                            std::string(114, '~') + "\n"},
      {"type" + std::string(300, ' ') + "$ and more",
       "p:1:305: error: unexpected character '$' [P001]\n1 | " + std::string(60, ' ') +
           "$ and more\n  | " + std::string(60, ' ') + "^\n"},
  };
  for (auto const& row : rows) EXPECT_EQ(mistake_of(row.text).show(), row.shown);
}

TEST(Diagnostics, SayWhatToWriteInstead) {
  Diagnostic const found = mistake_of("coalition c revision 1\nlabel a { secrecy opne }\n");
  EXPECT_EQ(found.line, 2u);
  EXPECT_EQ(found.column, 19u);
  EXPECT_EQ(found.end_column, 23u);
  EXPECT_EQ(found.severity, Severity::error);
  EXPECT_EQ(to_string(found.code), "P023");
  EXPECT_EQ(found.suggestion, "open");
}

}  // namespace
}  // namespace shamon
