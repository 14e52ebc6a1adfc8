#include "measurement/reference_values.hpp"

#include <gtest/gtest.h>

namespace shamon {
namespace {

using Standing = ReferenceValues::Standing;

Digest digest_of(std::string_view text) {
  return sha256(as_bytes(text));
}

ReferenceValue value(std::string component, std::string_view content, bool trusted,
                     std::optional<WallTime> retired_after = {}) {
  return {std::move(component), digest_of(content), trusted, "test", retired_after};
}

TEST(ReferenceValues, StandingFollowsComponentDigestAndTime) {
  ReferenceValues values;
  values.add(value("kernel", "k1", true, WallTime{1000}));
  values.add(value("kernel", "k2", true));
  values.add(value("shamon-gate", "bad", false));
  struct Row {
    char const* component;
    char const* content;
    std::int64_t now;
    Standing standing;
  };
  Row const rows[] = {
      {"kernel", "k2", 5000, Standing::trusted}, {"kernel", "k1", 1000, Standing::trusted},
      {"kernel", "k1", 1001, Standing::retired}, {"kernel", "k3", 0, Standing::unknown},
      {"initrd", "k2", 0, Standing::unknown},    {"shamon-gate", "bad", 0, Standing::untrusted},
  };
  for (Row const& row : rows) {
    EXPECT_EQ(values.standing(row.component, digest_of(row.content), WallTime{row.now}),
              row.standing)
        << row.component << ' ' << row.content << ' ' << row.now;
  }
  EXPECT_EQ(values.standing(digest_of("k2"), WallTime{0}), Standing::trusted);
  EXPECT_EQ(values.standing(digest_of("k3"), WallTime{0}), Standing::unknown);
  EXPECT_EQ(values.known("kernel").size(), 2u);
  EXPECT_EQ(values.all().size(), 3u);
}

TEST(ReferenceValues, ADistrustIsNeverOutvotedAndOneValidEntryIsEnough) {
  ReferenceValues values;
  values.add(value("file:/a", "x", true));
  values.add(value("file:/b", "x", true, WallTime{10}));
  EXPECT_EQ(values.standing(digest_of("x"), WallTime{20}), Standing::trusted);
  values.add(value("file:/c", "x", false));
  EXPECT_EQ(values.standing(digest_of("x"), WallTime{20}), Standing::untrusted);
  EXPECT_EQ(values.standing("file:/a", digest_of("x"), WallTime{20}), Standing::trusted);
}

TEST(ReferenceValues, RemovalTakesAllOfOneDigestAndNoOthers) {
  ReferenceValues values;
  values.add(value("kernel", "k1", true));
  values.add(value("kernel", "k1", false));
  values.add(value("kernel", "k2", true));
  values.add(value("initrd", "k1", true));
  EXPECT_EQ(values.remove("kernel", digest_of("k1")), 2u);
  EXPECT_EQ(values.remove("kernel", digest_of("k1")), 0u);
  EXPECT_EQ(values.standing("kernel", digest_of("k1"), WallTime{0}), Standing::unknown);
  EXPECT_EQ(values.standing("kernel", digest_of("k2"), WallTime{0}), Standing::trusted);
  EXPECT_EQ(values.standing("initrd", digest_of("k1"), WallTime{0}), Standing::trusted);
}

TEST(ReferenceValues, ADigestOfAnotherAlgorithmIsUnknown) {
  ReferenceValues values;
  values.add(value("kernel", "k1", true));
  EXPECT_EQ(values.standing("kernel", hash(HashAlgorithm::sha1, as_bytes("k1")), WallTime{0}),
            Standing::unknown);
}

}  // namespace
}  // namespace shamon
