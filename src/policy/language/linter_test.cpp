#include <gtest/gtest.h>

#include "policy/source.hpp"

namespace shamon {
namespace {

// A policy about which there is nothing to say, with one line in question before its end: line 11.
std::string around(std::string const& line) {
  return "coalition c revision 1\n"
         "type green_t red_t blue_t\n"
         "label green { share green_t }\n"
         "label red { share red_t }\n"
         "label blue { share blue_t }\n"
         "label filter { guard }\n"
         "wall vendors { red_t blue_t }\n"
         "allow green <-> filter tcp/443 udp/9000-9010\n"
         "allow green -> red udp/53\n"
         "allow blue <-> red\n" +
         line +
         "\nmember host when platform in {lab}\n"
         "member vm green when image in {a}\n"
         "member vm red when image in {a}\n"
         "member vm blue when image in {a}\n"
         "member vm filter when image in {a}\n"
         "goal green never reaches blue except through filter\n";
}

std::string notes(std::string const& text) {
  auto const build = build_policy("p", text);
  if (!build) return build.error().front().describe();
  std::string all;
  for (auto const& note : lint_policy(*build)) {
    EXPECT_EQ(note.severity, Severity::note);
    all += to_string(note.code) + " " + note.describe() + "\n";
  }
  return all;
}

struct NoteRow {
  char const* line;
  char const* notes;
};

TEST(Linter, SaysWhatIsRightButDoubtful) {
  NoteRow const rows[] = {
      {"", ""},
      {"allow green <-> green", ""},  // says aloud what is so
      {"allow green <-> green tcp/443",
       "P100 p:11:1: these labels share a type, so all services are allowed, not only the named\n"},
      {"allow filter <-> green tcp/443",
       "P103 p:11:1: all of this is allowed by line 8: allow green <-> filter tcp/443 "
       "udp/9000-9010\n"},
      {"allow green -> filter udp/9003-9005 udp/9010",
       "P103 p:11:1: all of this is allowed by line 8: allow green <-> filter tcp/443 "
       "udp/9000-9010\n"},
      {"allow green -> filter udp/9003-9011", ""},
      {"allow green -> filter", ""},  // one way only, and line 8 the other way: neither has all
      {"allow green <-> filter",
       "P103 p:8:1: all of this is allowed by line 11: allow green <-> filter\n"},
      {"allow red -> green udp/53", ""},
      {"allow green -> red udp/53",
       "P103 p:11:1: all of this is allowed by line 9: allow green -> red udp/53\n"},
      {"allow green <-> red udp/53",
       "P103 p:9:1: all of this is allowed by line 11: allow green <-> red udp/53\n"},
      {"type spare", "P104 p:11:6: type 'spare' is used by no label and no wall\n"},
      {"category pay lab",
       "P105 p:11:10: category 'pay' is used by no label\n"
       "P105 p:11:14: category 'lab' is used by no label\n"},
      {"wall w { red_t blue_t missing_t }", "p:11:23: type 'missing_t' is not defined"},
      {"wall w { red_t red_only }", "p:11:16: type 'red_only' is not defined"},
      {"goal green never reaches blue except through {green filter}",
       "p:11:47: label 'green' is not a guard"},
      {"goal filter never reaches blue except through filter",
       "P111 p:11:47: every path goes through 'filter', an end of this goal: the goal forbids "
       "nothing\n"},
  };
  for (auto const& row : rows) EXPECT_EQ(notes(around(row.line)), row.notes) << row.line;
}

TEST(Linter, SaysWhatIsMissing) {
  EXPECT_EQ(notes("coalition c revision 1\n"),
            "P110 p:1:1: no 'member host' statement: no machine is admitted\n");
  EXPECT_EQ(
      notes("coalition c revision 1\ntype a b d\nlabel x { share a }\nlabel y { }\n"
            "label z { share b  wall none }\nwall w { a b }\nwall v { a d }\n"
            "member vm x when image in {i}\nmember vm y when image in {i}\n"),
      "P110 p:1:1: no 'member host' statement: no machine is admitted\n"
      "P108 p:4:7: label 'y' reaches nobody and nobody reaches it, not even another VM with "
      "this label\n"
      "P109 p:5:7: no 'member vm' statement for label 'z': no VM may run under it\n"
      "P107 p:6:6: wall 'w' keeps nothing apart: fewer than two of its types are a label's\n"
      "P107 p:7:6: wall 'v' keeps nothing apart: fewer than two of its types are a label's\n");
  EXPECT_EQ(notes("coalition c revision 1\ntype a b d\nlabel x { share a }\nlabel z { share b }\n"
                  "wall w { a b d }\nmember host when platform in {l}\n"),
            "P109 p:1:1: no 'member vm' statement: no VM may run\n"
            "P106 p:5:14: no label has type 'd' for walls\n");
}

TEST(Linter, TellsNotesOfIncludedFilesWithTheirFile) {
  auto const build = build_policy("d/p", "coalition c revision 1\ninclude \"s/b\"\n",
                                  [](std::string const&) -> Result<std::string> {
                                    return std::string("\n  type spare  # for later\n");
                                  });
  ASSERT_TRUE(build);
  auto const found = lint_policy(*build);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].show(),
            "d/s/b:2:8: note: type 'spare' is used by no label and no wall [P104]\n"
            "2 |   type spare\n"
            "  |        ^~~~~\n");
}

TEST(Linter, SaysWhereLevelsForbidWhatAnAllowSeemsToGrant) {
  NoteRow const rows[] = {
      {"low -> low", ""},
      {"low -> secret", ""},
      {"secret -> low",
       "levels let nothing flow from 'secret' to 'low' (secrecy): this allows nothing"},
      {"low -> high",
       "levels let nothing flow from 'low' to 'high' (integrity): this allows nothing"},
      {"high -> low", ""},
      {"low <-> secret",
       "levels let nothing flow from 'secret' to 'low' (secrecy): only the other way passes"},
      {"secret <-> low tcp/443",
       "levels let nothing flow from 'secret' to 'low' (secrecy): only the other way passes"},
      {"secret <-> other",
       "levels let nothing flow from 'secret' to 'other' (secrecy), and nothing flow from 'other' "
       "to 'secret' (secrecy): this allows nothing"},
      {"secret <-> filter", ""},
      {"filter -> high", ""},
  };
  for (auto const& row : rows) {
    auto const build = build_policy("p", std::string("coalition c revision 1\ncategory a b\n"
                                                     "label low { }\n"
                                                     "label secret { secrecy secret {a} }\n"
                                                     "label high { integrity high }\n"
                                                     "label other { secrecy open {b} }\n"
                                                     "label filter { guard }\n"
                                                     "allow ") +
                                             row.line + "\n");
    ASSERT_TRUE(build) << row.line;
    std::string found;
    for (auto const& note : lint_policy(*build)) {
      if (note.code == PolicyCode::levels_forbid) found += note.message;
    }
    EXPECT_EQ(found, row.notes) << row.line;
  }
}

TEST(Linter, SaysThatALabelOnBothSidesOfAWallNeverStarts) {
  EXPECT_EQ(notes(around("label both { share red_t  wall red_t blue_t }\nmember vm both when image "
                         "in {a}")),
            "P101 p:11:7: label 'both' stands on both sides of wall 'vendors', so it can never "
            "start\n");
}

}  // namespace
}  // namespace shamon
