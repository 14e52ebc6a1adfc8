#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace shamon {
namespace {

TEST(Hex, RoundTripsAndNamesTheBadDigit) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0xab, 0xff}), "00abff");
  EXPECT_EQ(from_hex("00ABff").value(), (Bytes{0x00, 0xab, 0xff}));
  EXPECT_EQ(from_hex("00x0").error().offset, 2u);
  EXPECT_EQ(from_hex("000").error().code, Errc::malformed);
}

TEST(Base64, MatchesTheRfc4648Table) {
  struct Row {
    std::string_view plain, padded, url;
  };
  Row const rows[] = {{"", "", ""},
                      {"f", "Zg==", "Zg"},
                      {"fo", "Zm8=", "Zm8"},
                      {"foo", "Zm9v", "Zm9v"},
                      {"foob", "Zm9vYg==", "Zm9vYg"},
                      {"\xff\xfe", "//4=", "__4"}};
  for (auto const& row : rows) {
    EXPECT_EQ(to_base64(as_bytes(row.plain)), row.padded);
    EXPECT_EQ(to_base64url(as_bytes(row.plain)), row.url);
    EXPECT_EQ(from_base64(row.padded).value(), to_bytes(row.plain));
    EXPECT_EQ(from_base64(row.url).value(), to_bytes(row.plain));
  }
}

TEST(Base64, RefusesStrayBitsBadDigitsAndCutText) {
  EXPECT_FALSE(from_base64("Zh==").has_value());
  EXPECT_EQ(from_base64("Zm9*").error().offset, 3u);
  EXPECT_FALSE(from_base64("Z").has_value());
}

TEST(ConstantTime, ComparesContentAndSize) {
  EXPECT_TRUE(equal_constant_time(Bytes{1, 2}, Bytes{1, 2}));
  EXPECT_FALSE(equal_constant_time(Bytes{1, 2}, Bytes{1, 3}));
  EXPECT_FALSE(equal_constant_time(Bytes{1, 2}, Bytes{1}));
}

}  // namespace
}  // namespace shamon
