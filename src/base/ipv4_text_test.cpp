#include "base/ipv4_text.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/time_text.hpp"

namespace shamon {
namespace {

TEST(Ipv4, ParsesExactlyDottedDecimal) {
  EXPECT_EQ(parse_ipv4("10.0.0.1")->bits, 0x0a000001u);
  for (auto bad : {"", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.1 ", "1.2.3.4.5", "a.b.c.d"}) {
    EXPECT_FALSE(parse_ipv4(bad).has_value()) << bad;
  }
  EXPECT_EQ(to_string(*parse_ipv4("255.1.0.9")), "255.1.0.9");
}

TEST(Endpoint, NeedsAnAddressAndAPort) {
  EXPECT_EQ(parse_endpoint("10.0.0.1:8443")->port, 8443);
  for (auto bad : {"10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "x:1"}) {
    EXPECT_FALSE(parse_endpoint(bad).has_value()) << bad;
  }
}

TEST(Mac, RoundTrips) {
  EXPECT_EQ(to_string(*parse_mac("02:00:5e:10:00:0f")), "02:00:5e:10:00:0f");
  EXPECT_FALSE(parse_mac("02:00:5e:10:00").has_value());
  EXPECT_FALSE(parse_mac("02-00-5e-10-00-0f").has_value());
}

TEST(Names, FollowOneAlphabet) {
  EXPECT_TRUE(is_valid_name("shype1"));
  EXPECT_TRUE(is_valid_name("a.b-c_d"));
  EXPECT_FALSE(is_valid_name(""));
  EXPECT_FALSE(is_valid_name("-x"));
  EXPECT_FALSE(is_valid_name("a/b"));
  EXPECT_FALSE(is_valid_name(std::string(64, 'a')));
}

TEST(WallTime, PrintsIso8601) {
  EXPECT_EQ(to_iso8601(WallTime{0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(WallTime{1795296605123}), "2026-11-21T21:30:05.123Z");
}

TEST(Files, AreReplacedWholeOrNotAtAll) {
  std::string const path = testing::TempDir() + "shamon_fd_test";
  ASSERT_TRUE(write_file_atomically(path, Bytes{1, 2, 3}).has_value());
  EXPECT_EQ(read_file(path).value(), (Bytes{1, 2, 3}));
  EXPECT_EQ(read_file(path, 2).error().code, Errc::too_large);
  EXPECT_EQ(read_file(path + ".absent").error().code, Errc::system);
  EXPECT_FALSE(write_file_atomically(path + ".absent/x", Bytes{1}).has_value());
}

}  // namespace
}  // namespace shamon
