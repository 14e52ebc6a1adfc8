#include "policy/service.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

struct PatternRow {
  char const* text;
  ServicePattern pattern;
};

TEST(Service, PatternsReadAndWriteTheSame) {
  PatternRow const rows[] = {
      {"tcp/443", {6, 443, 443}},         {"udp/1", {17, 1, 1}},  {"udp/65535", {17, 65535, 65535}},
      {"tcp/8000-8100", {6, 8000, 8100}}, {"tcp", {6, 0, 65535}}, {"icmp", {1, 0, 65535}},
      {"icmp6", {58, 0, 65535}},          {"any", {0, 0, 65535}}, {"tcp/1-65535", {6, 1, 65535}},
  };
  for (auto const& row : rows) {
    auto const parsed = parse_service_pattern(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, row.pattern) << row.text;
    EXPECT_EQ(to_string(*parsed), row.text);
  }
}

TEST(Service, WhatIsNotAServiceIsRefusedWithItsPlace) {
  struct {
    char const* text;
    std::uint64_t offset;
  } const rows[] = {{"", 0},          {"sctp/1", 0},  {"tcp/", 4},        {"tcp/0", 4},
                    {"tcp/65536", 4}, {"tcp/080", 4}, {"tcp/-1", 4},      {"tcp/x", 4},
                    {"udp/9-8", 6},   {"udp/9-", 6},  {"udp/1-65536", 6}, {"icmp/8", 4},
                    {"icmp6/1", 5},   {"TCP/443", 0}, {"tcp/4 43", 4},    {"tcp/1-2-3", 6}};
  for (auto const& row : rows) {
    auto const parsed = parse_service_pattern(row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_EQ(parsed.error().offset, row.offset) << row.text;
  }
}

TEST(Service, OneServiceIsNotARange) {
  EXPECT_EQ(parse_service("tcp/443").value(), (Service{6, 443}));
  EXPECT_EQ(parse_service("icmp").value(), (Service{1, 0}));
  EXPECT_EQ(parse_service("any").value(), Service{});
  EXPECT_FALSE(parse_service("tcp/1-2"));
  EXPECT_EQ(to_string(Service{6, 51000, 443}), "tcp/51000 from 443");
  EXPECT_EQ(to_string(Service{47, 0}), "protocol 47");
}

}  // namespace
}  // namespace shamon
