#include "label/label_name.hpp"

#include <string>

#include <gtest/gtest.h>

namespace shamon {
namespace {

TEST(LabelName, IsShortAndHasNoControlCharacter) {
  for (std::string const& name : {std::string("green"), std::string("res_HardDrive (hda)"),
                                  std::string("r\xc3\xa9seau"), std::string(63, 'a')}) {
    EXPECT_TRUE(is_valid_label_name(name)) << name;
  }
  for (std::string const& name : {std::string(), std::string(64, 'a'), std::string("a\nb"),
                                  std::string("a\x7f"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(is_valid_label_name(name)) << name;
  }
}

}  // namespace
}  // namespace shamon
