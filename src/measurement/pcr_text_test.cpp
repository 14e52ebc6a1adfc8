#include "measurement/pcr_text.hpp"

#include <gtest/gtest.h>

#include "measurement/testdata.hpp"

namespace shamon {
namespace {

TEST(PcrText, WhatTpm2PcrreadPrintedIsRead) {
  auto const banks = parse_pcr_text(as_text(testdata::captured("clean/quote1/pcrs.txt")));
  ASSERT_TRUE(banks) << banks.error().describe();
  ASSERT_EQ(banks->size(), 1u);
  EXPECT_EQ(banks->front().algorithm(), HashAlgorithm::sha256);
  EXPECT_EQ(banks->front().value(PcrIndex{17}), Digest::ones(HashAlgorithm::sha256));
  for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
    EXPECT_TRUE(banks->front().touched(PcrIndex{pcr})) << int{pcr};
  }
  EXPECT_TRUE(parse_pcr_text("")->empty());
}

TEST(PcrText, MalformedLinesAreRefusedWithTheirOffset) {
  std::string const value(40, 'a');
  ASSERT_TRUE(parse_pcr_text("sha1:\n 23: 0x" + value + "\n"));
  for (std::string const& line : {"24: 0x" + value, "x: 0x" + value, "1: 0x" + value + "a",
                                  "1: " + value + "aa", std::string("1: zz"), std::string("1"),
                                  std::string("sha1:"), std::string("md5:"), "0: " + value}) {
    SCOPED_TRACE(line);
    auto const banks = parse_pcr_text("sha1:\n0: " + value + "\n" + line);
    ASSERT_FALSE(banks);
    EXPECT_EQ(banks.error().offset, 50u);
  }
  EXPECT_FALSE(parse_pcr_text("1: " + value));
}

}  // namespace
}  // namespace shamon
