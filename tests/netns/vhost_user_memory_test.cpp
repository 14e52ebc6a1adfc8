// Which memory of a QEMU guest the gate takes: none that could be taken away under it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/gate_fixture.hpp"
#include "netns/qemu_guest.hpp"

namespace shamon::netns {
namespace {

using ::testing::HasSubstr;

struct Row {
  char const* name;
  char const* object;  ///< without its size; FOLDER stands for the guest's
  bool taken;
};
std::ostream& operator<<(std::ostream& out, Row const& row) {
  return out << row.name;
}
constexpr Row kRows[] = {
    {"memfd_sealed_as_qemu_does_by_itself", "memory-backend-memfd,id=ram,share=on", true},
    {"memfd_without_seals", "memory-backend-memfd,id=ram,share=on,seal=off", false},
    {"file", "memory-backend-file,id=ram,share=on,mem-path=FOLDER/ram", false},
};

class VhostUserMemoryTest : public GateTest, public ::testing::WithParamInterface<Row> {
 protected:
  void SetUp() override {
    std::string const missing = QemuGuest::missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
    GateTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    QemuGuest::Options options = QemuGuest::v1(lab_->directory + "/v1");
    options.memory_object = std::string(GetParam().object) + ",size=128M";
    auto const at = options.memory_object.find("FOLDER");
    if (at != std::string::npos) options.memory_object.replace(at, 6, options.folder);
    guest_.emplace(options);
    ASSERT_DONE(guest_->attach_v1(a()));
  }
  void TearDown() override { guest_.reset(); }

  std::optional<QemuGuest> guest_;
};

TEST_P(VhostUserMemoryTest, passes_frames_or_stops_the_port_with_the_reason) {
  auto const faults = [&] { return a().of<gate::PortFault>(); };
  if (GetParam().taken) {
    EXPECT_TRUE(eventually([&] { return ping("g1", kGuestAddress); }, 120'000)) << guest_->told();
    EXPECT_TRUE(faults().empty());
    return;
  }
  // The memory is shown when the guest's driver starts the card.
  ASSERT_TRUE(eventually([&] { return !faults().empty(); }, 120'000)) << guest_->told();
  gate::PortFault const fault = faults().front();
  EXPECT_EQ(fault.port, kGuestPort);
  EXPECT_THAT(std::string(fault.text.data()), HasSubstr("no F_SEAL_SHRINK"));
  EXPECT_FALSE(ping("g1", kGuestAddress));
  EXPECT_TRUE(a().gate_running());
  EXPECT_TRUE(eventually([&] { return ping("g1", "10.77.0.2"); })) << "others do not notice";
}

INSTANTIATE_TEST_SUITE_P(Memory, VhostUserMemoryTest, ::testing::ValuesIn(kRows),
                         [](auto const& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace shamon::netns
