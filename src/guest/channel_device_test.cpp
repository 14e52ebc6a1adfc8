#include "guest/channel_device.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/folder_fixture.hpp"

namespace shamon::guest {
namespace {

/// Folders with files in place of what the kernel shows.
class ChannelDeviceTest : public FolderTest {
 protected:
  static void make(std::string const& path, std::string const& content) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
  void make_pci(std::string const& address, char const* device, char const* index) {
    std::string const folder = places().pci + "/" + address;
    make(folder + "/vendor", "0x1af4\n");
    make(folder + "/device", device);
    make(folder + "/enable", "0\n");
    make(folder + "/acpi_index", index);
    make(folder + "/resource2", std::string(8192, '\0'));
  }
  ChannelPlaces places() const { return {folder_ + "/pci", folder_ + "/ports", folder_ + "/dev"}; }
};

TEST_F(ChannelDeviceTest, MemoryAndEventsOfOneNumberAreOneChannel) {
  make_pci("0000:03:00.0", "0x1110\n", "12\n");
  make_pci("0000:04:00.0", "0x1110\n", "7\n");
  make_pci("0000:05:00.0", "0x1110\n", "\n");    // an ivshmem device that is no channel
  make_pci("0000:00:01.0", "0x1000\n", "99\n");  // a network card
  make(places().ports + "/vport0p1/name", "org.shamon.guest.0\n");
  make(places().ports + "/vport0p2/name", "org.shamon.channel.7\n");
  make(places().ports + "/vport0p3/name", "org.shamon.channel.x\n");
  auto const found = find_channels(places());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].number, 7u);
  EXPECT_EQ(found[0].memory, places().pci + "/0000:04:00.0");
  EXPECT_EQ(found[0].memory_bytes, 8192u);
  EXPECT_EQ(found[0].events, places().devices + "/vport0p2");
  EXPECT_EQ(found[1].number, 12u);
  EXPECT_EQ(found[1].events, "");
}

TEST_F(ChannelDeviceTest, MemoryIsTurnedOnAndUsedOnlyInside) {
  make_pci("0000:04:00.0", "0x1110\n", "7\n");
  auto const found = find_channels(places());
  ASSERT_EQ(found.size(), 1u);
  auto const memory = ChannelMemory::map(found[0]);
  ASSERT_TRUE(memory) << memory.error().describe();
  std::ifstream enable(found[0].memory + "/enable");
  EXPECT_EQ(enable.get(), '1');
  ASSERT_TRUE(memory->write(8190, as_bytes("ab")));
  EXPECT_FALSE(memory->write(8191, as_bytes("ab")));
  EXPECT_EQ(memory->read(8190, 2).value(), (Bytes{'a', 'b'}));
  EXPECT_FALSE(memory->read(8190, 3));
  EXPECT_FALSE(memory->read(8193, 0));
  EXPECT_FALSE(memory->read(~std::uint64_t{0}, 2)) << "no sum wraps";
}

TEST_F(ChannelDeviceTest, EventsAreBytesOfThePort) {
  std::string const port = folder_ + "/port";
  ASSERT_EQ(::mkfifo(port.c_str(), 0600), 0);
  ChannelSeen seen;
  seen.events = port;
  auto const events = ChannelEvents::open(seen);
  ASSERT_TRUE(events) << events.error().describe();
  EXPECT_EQ(events->wait(0).error().code, Errc::timeout);
  ASSERT_TRUE(events->ring(5));  // into its own pipe
  EXPECT_EQ(events->wait(1000).value(), 5u);
  EXPECT_EQ(events->ring(8).error().code, Errc::invalid);
}

TEST_F(ChannelDeviceTest, WhatAChannelDoesNotHaveIsSaid) {
  EXPECT_EQ(ChannelMemory::map({}).error().code, Errc::not_found);
  EXPECT_EQ(ChannelEvents::open({}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace shamon::guest
