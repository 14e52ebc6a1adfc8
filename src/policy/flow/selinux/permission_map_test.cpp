#include "policy/flow/selinux/permission_map.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"

namespace shamon {
namespace {

constexpr char kInstalledMap[] = "/usr/lib/python3/dist-packages/setools/perm_map";

TEST(PermissionMap, ReadsDirectionsAndWeights) {
  auto const map = PermissionMap::parse(
      "# a comment\n\n2\nclass file 5\n  read r 10\n write\tw 9\n ioctl b 1\n getattr n 7\n"
      "quotaon u 3\n # another\nclass dir 1\nsearch r 1\n");
  ASSERT_TRUE(map) << map.error().describe();
  struct Row {
    char const *object_class, *permission;
    unsigned read, write;
  };
  for (Row const& row :
       {Row{"file", "read", 10, 0}, Row{"file", "write", 0, 9}, Row{"file", "ioctl", 1, 1},
        Row{"file", "getattr", 0, 0}, Row{"file", "quotaon", 0, 0}, Row{"dir", "search", 1, 0},
        Row{"dir", "read", 0, 0}, Row{"socket", "read", 0, 0}}) {
    auto const weights = map->find(row.object_class, row.permission);
    EXPECT_EQ(weights.read, row.read) << row.object_class << " " << row.permission;
    EXPECT_EQ(weights.write, row.write) << row.object_class << " " << row.permission;
  }
}

TEST(PermissionMap, RefusesWhatIsMalformedWithItsLine) {
  struct Row {
    char const *text, *message;
  };
  for (Row const& row :
       {Row{"", "the file says nothing"}, Row{"x\n", "line 1: the number of classes"},
        Row{"0\n", "line 1: the number of classes"}, Row{"1\nfile 1\n", "line 2: expected: class"},
        Row{"1\nclass file 0\n", "line 2: the number of permissions"},
        Row{"1\nclass file 65537\n", "line 2: the number of permissions"},
        Row{"1\nclass file 1\nread r\n", "line 3: expected: PERMISSION"},
        Row{"1\nclass file 1\nread x 1\n", "line 3: the direction"},
        Row{"1\nclass file 1\nread rw 1\n", "line 3: the direction"},
        Row{"1\nclass file 1\nread r 0\n", "line 3: the weight"},
        Row{"1\nclass file 1\nread r 11\n", "line 3: the weight"},
        Row{"1\nclass file 1\nread r 1x\n", "line 3: the weight"},
        Row{"1\nclass file 2\nread r 1\n", "the file ends inside a class"},
        Row{"1\nclass a 1\nread r 1\nclass b 1\nread r 1\n", "line 4: more classes"}}) {
    auto const map = PermissionMap::parse(row.text);
    ASSERT_FALSE(map) << row.text;
    EXPECT_EQ(map.error().code, Errc::malformed);
    EXPECT_NE(map.error().message.find(row.message), std::string::npos)
        << row.text << ": " << map.error().message;
  }
}

TEST(PermissionMap, ReadsTheOneSetoolsInstalls) {
  auto const text = read_text_file(kInstalledMap);
  if (!text) GTEST_SKIP() << "NOT TESTED: no permission map; install python3-setools";
  auto const map = PermissionMap::parse(*text);
  ASSERT_TRUE(map) << map.error().describe();
  EXPECT_GT(map->class_count(), 50u);
  EXPECT_EQ(map->find("file", "read").read, 10u);
  EXPECT_EQ(map->find("file", "write").write, 10u);
}

}  // namespace
}  // namespace shamon
