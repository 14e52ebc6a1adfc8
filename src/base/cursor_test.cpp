#include "base/cursor.hpp"

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"

namespace shamon {
namespace {

TEST(Cursor, ReadsBothByteOrders) {
  Bytes const bytes = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06};
  Cursor c(bytes);
  EXPECT_EQ(c.u16le(), 0x0201);
  EXPECT_EQ(c.u32be(), 0x03040506u);
  EXPECT_TRUE(c.ok() && c.at_end());
}

TEST(Cursor, FailsOnceAndStaysFailed) {
  Bytes const bytes = {1, 2, 3};
  Cursor c(bytes, 100);
  EXPECT_EQ(c.u32le(), 0u);
  EXPECT_FALSE(c.ok());
  EXPECT_EQ(c.u8(), 0);
  EXPECT_EQ(c.truncated("a field").offset, 100u);
}

TEST(ByteWriter, IsTheInverseOfCursor) {
  Bytes const out = std::move(ByteWriter().u8(7).u16be(0x0102).u64le(5).u32be(9)).take();
  Cursor c(out);
  EXPECT_EQ(c.u8(), 7);
  EXPECT_EQ(c.u16be(), 0x0102);
  EXPECT_EQ(c.u64le(), 5u);
  EXPECT_EQ(c.u32be(), 9u);
  EXPECT_TRUE(c.at_end());
}

}  // namespace
}  // namespace shamon
