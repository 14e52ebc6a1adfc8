// Policies made of several files.
#include "policy/language/include.hpp"

#include <map>

#include <gtest/gtest.h>

#include "policy/document.hpp"
#include "policy/limits.hpp"

namespace shamon {
namespace {

using Files = std::map<std::string, std::string>;

PolicyReader reader_of(Files const& files) {
  return [&files](std::string const& file) -> Result<std::string> {
    auto const at = files.find(file);
    if (at == files.end()) return fail(Errc::not_found, "no such file");
    return at->second;
  };
}

std::string refusals(Files const& files, std::string const& top = "p") {
  auto const build = build_policy(top, files.at(top), reader_of(files));
  if (build) return "accepted";
  std::string all;
  for (auto const& diagnostic : build.error()) {
    all += to_string(diagnostic.code) + " " + diagnostic.describe() + "\n";
  }
  return all;
}

constexpr char kTop[] =
    "coalition c revision 3 \"spring term\"\n"
    "type green_t\n"
    "# the campuses\n"
    "\n"
    "include   \"sites/campus-b.policy\"   # theirs\n"
    "allow green -> b udp/9000\n";
constexpr char kCampus[] =
    "type b_t   # only here\n"
    "include \"../common/labels.policy\"\n"
    "label b { share b_t }";
constexpr char kLabels[] = "\n\nlabel green { share green_t }\n\n";

Files campus_files() {
  return {{"policies/boinc.policy", kTop},
          {"policies/sites/campus-b.policy", kCampus},
          {"policies/common/labels.policy", kLabels}};
}

TEST(Include, StatementsKnowTheFileTheyStandIn) {
  Files const files = campus_files();
  auto const build =
      build_policy("policies/boinc.policy", files.at("policies/boinc.policy"), reader_of(files));
  ASSERT_TRUE(build) << build.error().front().describe();
  PolicyDocument const& document = *build->document;
  EXPECT_EQ(document.coalition.revision_name, "spring term");
  ASSERT_EQ(document.labels.size(), 2u);
  EXPECT_EQ(document.labels[0].name.text, "green");
  EXPECT_EQ(document.labels[0].origin.file, "policies/common/labels.policy");
  EXPECT_EQ(document.labels[0].origin.line, 3u);
  EXPECT_EQ(document.labels[1].origin.file, "policies/sites/campus-b.policy");
  EXPECT_EQ(document.allows[0].origin.file, "policies/boinc.policy");
  ASSERT_EQ(document.includes.size(), 2u);
  EXPECT_EQ(document.includes[0].file, "policies/sites/campus-b.policy");
  EXPECT_EQ(document.includes[1].file, "policies/common/labels.policy");
  auto const origin = build->compiled.origin(document.labels[0].origin.statement);
  EXPECT_EQ(origin.file, "policies/common/labels.policy");
  EXPECT_EQ(origin.line, 3u);
  EXPECT_EQ(origin.text, "label green { share green_t }");
}

TEST(Include, TheFlatFormIsOneCanonicalTextThatMeansTheSame) {
  Files const files = campus_files();
  auto const& top = files.at("policies/boinc.policy");
  auto const flat = flatten_policy("policies/boinc.policy", top, reader_of(files));
  ASSERT_TRUE(flat) << flat.error().front().describe();
  EXPECT_EQ(*flat,
            "coalition c revision 3 \"spring term\"\n"
            "type green_t\n"
            "# the campuses\n"
            "\n"
            "# include \"sites/campus-b.policy\"  # theirs\n"
            "type b_t  # only here\n"
            "# include \"../common/labels.policy\"\n"
            "label green { share green_t }\n"
            "# end of \"common/labels.policy\"\n"
            "label b { share b_t }\n"
            "# end of \"sites/campus-b.policy\"\n"
            "allow green -> b udp/9000\n");
  EXPECT_EQ(format_policy("flat", *flat).value(), *flat);
  EXPECT_EQ(flatten_policy("flat", *flat, {}).value(), *flat);
  auto const whole = build_policy("policies/boinc.policy", top, reader_of(files));
  auto const alone = build_policy("flat", *flat);
  ASSERT_TRUE(whole && alone);
  ASSERT_EQ(whole->document->labels.size(), alone->document->labels.size());
  for (std::size_t i = 0; i < alone->document->labels.size(); ++i) {
    EXPECT_EQ(whole->document->labels[i].origin.statement,
              alone->document->labels[i].origin.statement);
  }
}

TEST(Include, ATextThatStandsAloneIncludesNothing) {
  auto const build = build_policy("p", "coalition c revision 1\ninclude \"b\"\n");
  ASSERT_FALSE(build);
  ASSERT_EQ(build.error().size(), 1u);
  EXPECT_EQ(build.error()[0].describe(),
            "p:2:9: this text stands alone and cannot include files; send what 'shamon policy "
            "flatten' prints");
  EXPECT_EQ(to_string(build.error()[0].code), "P040");
  EXPECT_EQ(build.error()[0].end_column, 12u);
}

struct RefusalRow {
  char const* what;
  Files files;
  char const* refusals;
};

TEST(Include, WhatMayNotBeIncludedIsSaidWhereItStands) {
  std::string const head = "coalition c revision 1\n";
  RefusalRow const rows[] = {
      {"absolute", {{"p", head + "include \"/etc/passwd\"\n"}}, "P041 p:2:9: "},
      {"above the top", {{"p", head + "include \"../b\"\n"}}, "P041 p:2:9: "},
      {"above, then back", {{"p", head + "include \"a/../../b\"\n"}}, "P041 p:2:9: "},
      {"a folder", {{"p", head + "include \"a/\"\n"}}, "P041 p:2:9: "},
      {"nothing", {{"p", head + "include \"\"\n"}}, "P041 p:2:9: "},
      {"a missing file",
       {{"p", head + "include \"b\"\n"}},
       "P042 p:2:9: cannot read 'b': no such file\n"},
      {"itself", {{"p", head + "include \"p\"\n"}}, "P043 p:2:9: a file includes itself: p -> p\n"},
      {"a cycle of three",
       {{"p", head + "include \"d/b\"\n"},
        {"d/b", "include \"c\"\n"},
        {"d/c", "\ninclude \"../p\""}},
       "P043 d/c:2:9: a file includes itself: p -> d/b -> d/c -> p\n"},
      {"the same file twice",
       {{"p", head + "include \"b\"\ninclude \"./x/../b\"\n"}, {"b", ""}},
       "P044 p:3:9: 'b' is already included at p:2\n"},
      {"a second coalition",
       {{"p", head + "include \"b\"\n"}, {"b", head}},
       "P046 b:1:1: an included file does not name the coalition: 'p' does\n"},
      {"no quotes",
       {{"p", head + "include b\n"}},
       "P004 p:2:9: expected the file's path in quotes"},
      {"open quotes", {{"p", head + "include \"b\n"}}, "P011 p:2:9: text in quotes ends on "},
      {"a name defined in two files",
       {{"p", head + "include \"b\"\ntype t\n"}, {"b", "type t\n"}},
       "P021 p:3:6: type 't' is already defined at b:1\n"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(refusals(row.files).substr(0, std::string(row.refusals).size()), row.refusals)
        << row.what;
  }
}

TEST(Include, MistakesInManyFilesAreToldFileByFileInTheOrderOfReading) {
  Files const files = {{"p", "coalition c revision 1\ninclude \"b\"\nlable x\n"},
                       {"b", "allow gren -> green\nlabel green { }\n"}};
  EXPECT_EQ(refusals(files),
            "P003 p:3:1: 'lable' does not start a statement; did you mean 'label'?\n"
            "P020 b:1:7: label 'gren' is not defined; did you mean 'green'?\n");
}

TEST(Include, BoundsHoldExactly) {
  auto chain = [](std::size_t depth) {
    Files files;
    files["p"] = "coalition c revision 1\ninclude \"f2\"\n";
    for (std::size_t i = 2; i <= depth; ++i) {
      files["f" + std::to_string(i)] =
          i == depth ? "" : "include \"f" + std::to_string(i + 1) + "\"\n";
    }
    return refusals(files);
  };
  EXPECT_EQ(chain(kIncludeDepthMax), "accepted");
  EXPECT_EQ(chain(kIncludeDepthMax + 1),
            "P045 f8:1:9: includes may be 8 files deep: p -> f2 -> f3 -> f4 -> f5 -> f6 -> f7 -> "
            "f8 -> f9\n");
  auto many = [](std::size_t count) {
    Files files;
    files["p"] = "coalition c revision 1\n";
    for (std::size_t i = 0; i < count; ++i) {
      files["f" + std::to_string(i)] = "";
      files["p"] += "include \"f" + std::to_string(i) + "\"\n";
    }
    return refusals(files);
  };
  EXPECT_EQ(many(kIncludedFilesMax), "accepted");
  EXPECT_EQ(many(kIncludedFilesMax + 1), "P060 p:258:9: a policy may include 256 files\n");
  auto large = [](std::size_t bytes) {
    Files files{{"p", "coalition c revision 1\ninclude \"b\"\n"}};
    files["b"] = std::string(bytes - files["p"].size(), '\n');
    return refusals(files);
  };
  EXPECT_EQ(large(kPolicyBytesMax), "accepted");
  EXPECT_EQ(large(kPolicyBytesMax + 1), "P061 b:1:1: a policy may have 4194304 bytes\n");
}

TEST(Include, PathsAreTakenFromTheFileThatIncludes) {
  struct {
    char const* folder;
    char const* path;
    char const* resolved;
  } const rows[] = {
      {"", "a.policy", "a.policy"}, {"", "a/b", "a/b"},       {"a/", "b", "a/b"},
      {"a/", "../b", "b"},          {"a/b/", "../../c", "c"}, {"a/b/", "./../c//d", "a/c/d"},
      {"a/", "../../b", nullptr},   {"a/", "..", nullptr},    {"", ".", nullptr},
      {"", "a/.", nullptr},         {"", "/a", nullptr},
  };
  for (auto const& row : rows) {
    auto const resolved = resolve_include(row.folder, row.path);
    EXPECT_EQ(resolved.value_or("refused"), row.resolved ? row.resolved : "refused") << row.path;
  }
  EXPECT_TRUE(resolve_include("", std::string(kFileNameBytesMax, 'a')));
  EXPECT_FALSE(resolve_include("", std::string(kFileNameBytesMax + 1, 'a')));
}

}  // namespace
}  // namespace shamon
