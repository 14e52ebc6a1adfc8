#include "policy/import/shype.hpp"

#include <gtest/gtest.h>

#include "policy/compiled_policy.hpp"
#include "policy/document.hpp"
#include "policy/import/limits.hpp"
#include "policy/limits.hpp"

namespace shamon {
namespace {

std::string refusals(std::vector<XmlFile> const& files) {
  auto const imported = import_shype(files);
  if (imported) return "accepted";
  std::string all;
  for (auto const& diagnostic : imported.error()) all += diagnostic.describe() + "\n";
  return all;
}

/// A whole policy with something in each of its places; lines 1 to 4 come before `labels`.
std::string policy(std::string const& labels, std::string const& header = "",
                   std::string const& conflicts = "") {
  return "<SecurityPolicyDefinition xmlns='http://www.ibm.com'><PolicyHeader>"
         "<PolicyName>p</PolicyName>" +
         header +
         "</PolicyHeader>\n"
         "<SimpleTypeEnforcement><SimpleTypeEnforcementTypes><Type>red</Type><Type>green</Type>"
         "</SimpleTypeEnforcementTypes></SimpleTypeEnforcement>\n"
         "<ChineseWall><ChineseWallTypes><Type>red</Type><Type>blue</Type></ChineseWallTypes>"
         "<ConflictSets>" +
         conflicts +
         "<Conflict name='c'><Type>red</Type><Type>blue</Type></Conflict></ConflictSets>"
         "</ChineseWall>\n"
         "<SecurityLabelTemplate><SubjectLabels bootstrap='z'><VirtualMachineLabel><Name>z</Name>"
         "</VirtualMachineLabel>\n" +
         labels + "</SecurityLabelTemplate></SecurityPolicyDefinition>";
}

struct XmlRow {
  std::string xml;
  char const* refusal;  ///< from the line on
};

TEST(ShypeImport, WhatIsNotWellFormedIsRefusedAtItsPlace) {
  XmlRow const rows[] = {
      {"", "1:1: not well-formed XML: no element found"},
      {"type a", "1:1: not well-formed XML: syntax error"},
      {"<a>\n<b></a>", "2:6: not well-formed XML: mismatched tag"},
      {"<a b='1' b='2'/>", "1:10: not well-formed XML: duplicate attribute"},
      {"<a/>\n<b/>", "2:1: not well-formed XML: junk after document element"},
      {"<a>&bomb;</a>", "1:4: not well-formed XML: undefined entity"},
      {"<a>\xff</a>", "1:4: not well-formed XML: not well-formed (invalid token)"},
      {"<?xml version='1.0' encoding='UTF-7'?><a/>", "1:31: not well-formed XML: unknown encoding"},
      {"<?xml version='1.0' encoding='UTF-16'?><a/>",
       "1:31: not well-formed XML: encoding specified in XML declaration is incorrect"},
      {std::string("<a>\0</a>", 8), "1:4: not well-formed XML: not well-formed (invalid token)"},
      {"<x:a/>", "1:1: not well-formed XML: unbound prefix"},
      {"<a>\n<![CDATA[", "2:10: not well-formed XML: unclosed CDATA section"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(refusals({{"f", row.xml}}), "f:" + std::string(row.refusal) + "\n") << row.xml;
  }
}

TEST(ShypeImport, ADocumentTypeIsRefusedBeforeItDefinesAnything) {
  for (std::string const& xml :
       {std::string("<!DOCTYPE lolz [\n<!ENTITY lol 'lol'>\n<!ENTITY lol2 '&lol;&lol;&lol;'>\n]>\n"
                    "<SecurityPolicyDefinition>&lol2;</SecurityPolicyDefinition>"),
        std::string("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
        std::string("<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1/'> %x;]><a/>")}) {
    std::string const refusal = refusals({{"f", "<!-- one line -->\n" + xml}});
    EXPECT_EQ(refusal.substr(0, 4), "f:2:");
    EXPECT_NE(refusal.find(": a document type declaration is refused: a policy needs no entities "
                           "of its own\n"),
              std::string::npos)
        << refusal;
  }
}

TEST(ShypeImport, WhatIsNotInTheSchemaIsRefusedAtItsPlace) {
  std::string const end = "</SubjectLabels>";
  auto label = [&](std::string const& body) {
    return policy("<VirtualMachineLabel>" + body + "</VirtualMachineLabel>" + end);
  };
  XmlRow const rows[] = {
      {label("<Name>x</Name><Naem/>"),
       "5:36: unknown element 'Naem' in <VirtualMachineLabel>; did you mean 'Name'?"},
      {label("<Name>x</Name>text"), "5:36: text 'text' does not belong in <VirtualMachineLabel>"},
      {label("<Name form='y'>x</Name>"), "5:22: unknown attribute 'form' of <Name>"},
      {label("<Name>x</Name><Name>y</Name>"), "5:36: <Name> is there twice"},
      {label("<Name><b/>x</Name>"), "5:28: unknown element 'b' in <Name>, which holds text"},
      {label("<Name> \n </Name>"), "5:22: <Name> is empty"},
      {label(""), "5:1: <VirtualMachineLabel> has no <Name>"},
      {label("<Name>z</Name>"), "5:28: label 'z' is already defined on line 4"},
      {label("<Name>x</Name><SimpleTypeEnforcementTypes>\n <Type>gren</Type>"
             "</SimpleTypeEnforcementTypes>"),
       "6:8: STE type 'gren' is not defined; did you mean 'green'?"},
      {label("<Name>x</Name><ChineseWallTypes><Type>green</Type></ChineseWallTypes>"),
       "5:60: Chinese Wall type 'green' is not defined"},
      {label("<Name>a\nb</Name>"),
       "5:28: 'a?b' cannot be a name: 1 to 63 bytes that can be seen, no blank at either end"},
      {policy(end + "<ObjectLabels><ResourceLabel><Name>r</Name><SimpleTypeEnforcementTypes>"
                    "<Type>red</Type>\n<Type>green</Type></SimpleTypeEnforcementTypes>"
                    "</ResourceLabel></ObjectLabels>"),
       "6:7: a resource has one type, and this is the second"},
      {policy(end, "\n<Version>1.0.0</Version>"),
       "2:10: '1.0.0' is not a version: two numbers of 1 to 8 digits, as 1.0"},
      {policy(end, "\n<Version>123456789.0</Version>"),
       "2:10: '123456789.0' is not a version: two numbers of 1 to 8 digits, as 1.0"},
      {policy(end, "\n<FromPolicy/>"), "2:1: <FromPolicy> does not name a policy"},
      {policy(end, "", "\n<Conflict name='d'><Type>red</Type><Type>bleu</Type></Conflict>"),
       "4:42: Chinese Wall type 'bleu' is not defined; did you mean 'blue'?"},
      {policy(end, "", "\n<Conflict name='c'><Type>red</Type><Type>blue</Type></Conflict>\n"),
       "5:1: conflict set 'c' is already defined on line 4"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(refusals({{"f", row.xml}}), "f:" + std::string(row.refusal) + "\n") << row.xml;
  }
  EXPECT_NE(refusals({{"f", "<html/>"}}).find("f:1:1: 'html' is not the root of a policy"),
            std::string::npos);
  EXPECT_NE(refusals({{"f", "<SecurityPolicyDefinition xmlns='http://else/'/>"}}), "accepted");
}

TEST(ShypeImport, AllMistakesAreToldAtOnceInTheOrderOfTheText) {
  EXPECT_EQ(refusals({{"f",
                       "<SecurityPolicyDefinition>\n<PolicyHeader><Version>x</Version>"
                       "</PolicyHeader>\n<SecurityLabelTemplate>\n<SubjectLabels>"
                       "<VirtualMachineLabel><Name>a</Name>\n<ChineseWallTypes><Type>c</Type>"
                       "</ChineseWallTypes><Nmae/></VirtualMachineLabel></SubjectLabels>"
                       "</SecurityLabelTemplate></SecurityPolicyDefinition>"}}),
            "f:2:1: <PolicyHeader> does not name the policy\n"
            "f:2:24: 'x' is not a version: two numbers of 1 to 8 digits, as 1.0\n"
            "f:4:1: <SubjectLabels> needs the attribute 'bootstrap', the label of Domain-0\n"
            "f:5:25: Chinese Wall type 'c' is not defined\n"
            "f:5:52: unknown element 'Nmae' in <VirtualMachineLabel>; did you mean 'Name'?\n");
}

TEST(ShypeImport, TwoFilesAreAPolicyAndItsLabelsInEitherOrder) {
  std::string const head =
      "<SecurityPolicyDefinition><PolicyHeader><Name>p</Name><Date>d</Date></PolicyHeader>";
  std::string const types =
      "<SimpleTypeEnforcement><SimpleTypeEnforcementTypes><Type>red</Type>"
      "</SimpleTypeEnforcementTypes></SimpleTypeEnforcement>";
  std::string const close = "</SecurityPolicyDefinition>";
  XmlFile const old{"policy", head + types + close};
  XmlFile const labels{"labels",
                       "<SecurityLabelTemplate><LabelHeader><Name>l</Name></LabelHeader>\n"
                       "<SubjectLabels bootstrap='a'><VirtualMachineLabel><Name>a</Name>\n"
                       "<SimpleTypeEnforcementTypes><Type>red</Type></SimpleTypeEnforcementTypes>"
                       "</VirtualMachineLabel></SubjectLabels></SecurityLabelTemplate>"};
  XmlFile const whole{"whole", head + "<SecurityLabelTemplate/>" + close};
  auto const forward = import_shype(std::vector<XmlFile>{old, labels});
  auto const backward = import_shype(std::vector<XmlFile>{labels, old});
  ASSERT_TRUE(forward && backward);
  EXPECT_EQ(forward->text, backward->text);
  EXPECT_EQ(forward->vm_labels, 1u);
  EXPECT_EQ(refusals({labels}),
            "labels:1:1: labels without a policy: name the file that defines the types as well\n"
            "labels:3:35: STE type 'red' is not defined\n");
  EXPECT_NE(refusals({old, old})
                .find("policy:1:1: a second policy; the other file may hold its "
                      "labels only"),
            std::string::npos);
  EXPECT_NE(refusals({whole, labels}).find("labels:1:1: the policy has labels already"),
            std::string::npos);
  EXPECT_NE(refusals({}), "accepted");
  EXPECT_NE(refusals({old, labels, labels}), "accepted");
  EXPECT_EQ(refusals({old}), "accepted") << "types alone: no labels, nothing allowed";
}

TEST(ShypeImport, BoundsHoldExactly) {
  auto labels = [](std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      out += "<VirtualMachineLabel><Name>l" + std::to_string(i) + "</Name></VirtualMachineLabel>";
    }
    return policy(out + "</SubjectLabels>");
  };
  EXPECT_EQ(refusals({{"f", labels(kLabelsMax - 1)}}), "accepted");  // and z
  EXPECT_NE(refusals({{"f", labels(kLabelsMax)}}).find("more than 512 labels\n"),
            std::string::npos);
  auto conflicts = [](std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      out += "<Conflict name='n" + std::to_string(i) +
             "'><Type>red</Type><Type>blue</Type></Conflict>";
    }
    return policy("</SubjectLabels>", "", out);
  };
  EXPECT_EQ(refusals({{"f", conflicts(kWallsMax - 1)}}), "accepted");  // and c
  EXPECT_NE(refusals({{"f", conflicts(kWallsMax)}}).find("more than 64 conflict sets\n"),
            std::string::npos);
  std::string deep;
  for (std::size_t i = 0; i < kXmlDepthMax + 1; ++i) deep += "<a>";
  EXPECT_EQ(refusals({{"f", deep}}), "f:1:49: elements may stand 16 deep\n");
  EXPECT_EQ(refusals({{"f", std::string(kXmlBytesMax + 1, ' ')}}),
            "f:1:1: a document may have 4194304 bytes\n");
  std::string wide = "<a>";
  for (std::size_t i = 0; i < kXmlElementsMax; ++i) wide += "<b/>";
  EXPECT_EQ(refusals({{"f", wide}}), "f:1:400000: a document may have 100000 elements\n");
  EXPECT_EQ(refusals({{"f", "<a>" + std::string(kXmlTextBytesMax + 1, 'x')}}),
            "f:1:4: text may have 4096 bytes\n");
}

TEST(ShypeImport, ALabelWithMoreTypesThanALineHoldsIsToldSo) {
  std::string types;
  for (int i = 0; i < 100; ++i) {
    types += "<Type>" + std::string(50, 'a') + std::to_string(i) + "</Type>";
  }
  std::string const ste = "<SimpleTypeEnforcementTypes>" + types + "</SimpleTypeEnforcementTypes>";
  EXPECT_EQ(refusals({{"f",
                       "<SecurityPolicyDefinition><PolicyHeader><Name>p</Name></PolicyHeader>"
                       "<SimpleTypeEnforcement>" +
                           ste +
                           "</SimpleTypeEnforcement><SecurityLabelTemplate>"
                           "<SubjectLabels bootstrap='a'><VirtualMachineLabel>\n"
                           "<Name>a</Name>" +
                           ste +
                           "</VirtualMachineLabel></SubjectLabels></SecurityLabelTemplate>"
                           "</SecurityPolicyDefinition>"}}),
            "f:2:7: 'a' has more types than a line of policy can name (4096 bytes)\n");
}

TEST(ShypeImport, RenamesBecomeAMapFromThePolicyBefore) {
  auto const imported = import_shype(std::vector<XmlFile>{
      {"f", policy("<VirtualMachineLabel><Name from='old'>new</Name></VirtualMachineLabel>"
                   "<VirtualMachineLabel><Name>same</Name></VirtualMachineLabel></SubjectLabels>"
                   "<ObjectLabels><ResourceLabel><Name from='old'>disk</Name>"
                   "<SimpleTypeEnforcementTypes><Type>red</Type></SimpleTypeEnforcementTypes>"
                   "</ResourceLabel></ObjectLabels>",
                   "<Version>1.1</Version><FromPolicy><PolicyName>before</PolicyName>"
                   "<Version>1.0</Version></FromPolicy>")}});
  ASSERT_TRUE(imported) << imported.error().front().describe();
  auto const build = build_policy("p", imported->text);
  ASSERT_TRUE(build);
  ASSERT_EQ(build->document->maps.size(), 1u);
  MapStatement const& map = build->document->maps[0];
  EXPECT_EQ(map.site.text, "before");
  ASSERT_EQ(map.pairs.size(), 2u);
  EXPECT_EQ(map.pairs[0].theirs.text + "=" + map.pairs[0].ours.text, "old=new");
  EXPECT_EQ(map.pairs[1].theirs.text + "=" + map.pairs[1].ours.text, "resource:old=disk");
  EXPECT_EQ(build->compiled.revision(), Revision(100'000'002));
}

}  // namespace
}  // namespace shamon
