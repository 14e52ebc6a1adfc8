#include "policy/export/selinux_names.hpp"

#include <set>

#include <gtest/gtest.h>

namespace shamon {
namespace {

struct NameRow {
  char const* label;
  char const* type;
};

TEST(SelinuxNames, EveryLabelHasAnIdentifierForAType) {
  NameRow const rows[] = {
      {"green", "green_t"},
      {"dom_Fun", "dom_Fun_t"},
      {"a.b-c", "a_x2e_b_x2d_c_t"},
      {"res_HardDrive (hda)", "res_HardDrive_x20__x28_hda_x29__t"},
      {"_x", "label_x__x5f_x_t"},
      {"a_xb", "a_x5f_xb_t"},
      {"a_Xb", "a_Xb_t"},
      {"a_x2e_b", "a_x5f_x2e_b_t"},
      {"9lives", "label_x_9lives_t"},
      {"__UNLABELED__", "label_x___UNLABELED___t"},
      {"unlabeled", "label_x_unlabeled_t"},
      {"label", "label_t"},
      {"label_x_9lives", "label_x5f_x_9lives_t"},
      {"r\xc3\xa9seau", "r_xc3__xa9_seau_t"},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(selinux_type(LabelName(row.label)), row.type);
    EXPECT_EQ(label_of_selinux_type(row.type).value(), row.label);
  }
}

/// Every text of up to five letters from the ones that matter to the spelling.
TEST(SelinuxNames, DifferentLabelsHaveDifferentTypes) {
  std::string const letters = "x_2e.";
  std::set<std::string> types;
  std::size_t labels = 0;
  std::vector<std::string> names = {""};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) {
      ++labels;
      std::string const type = selinux_type(LabelName(names[i]));
      types.insert(type);
      EXPECT_EQ(label_of_selinux_type(type).value(), names[i]);
      EXPECT_NE(type, kUnlabeledType);
    }
    if (names[i].size() == 6) continue;
    for (char c : letters) names.push_back(names[i] + c);
  }
  EXPECT_EQ(types.size(), labels);
}

TEST(SelinuxNames, WhatIsNoLabelsTypeIsNone) {
  for (char const* type : {"", "_t", "green", "unlabeled_t", "a_x2E_b_t", "a_x2e", "label_x__t",
                           "label_x_green_t", "a_x61_t", "_green_t"}) {
    EXPECT_EQ(label_of_selinux_type(type).value(), "") << type;
  }
}

}  // namespace
}  // namespace shamon
