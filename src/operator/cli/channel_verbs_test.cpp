#include "operator/cli/channel_verbs.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

TEST(ParseSize, TakesBytesKibibytesAndMebibytes) {
  struct Case {
    char const* text;
    std::optional<std::uint64_t> bytes;
  };
  Case const cases[] = {
      {"4096", 4096},
      {"64K", 65536},
      {"1M", 1u << 20},
      {"", std::nullopt},
      {"M", {}},
      {"1G", {}},
      {"1 M", {}},
      {"-1", {}},
      {"1MM", {}},
      {"0x1000", {}},
      {"1099511627776", {}},  // 2^40, one too many
      {"99999999999999999999", {}},
  };
  for (auto const& test : cases) EXPECT_EQ(parse_size(test.text), test.bytes) << test.text;
}

}  // namespace
}  // namespace shamon
