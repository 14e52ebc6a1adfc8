#include "vm/qemu/qemu_arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ipv4_text.hpp"
#include "vm/limits.hpp"

namespace shamon {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

VmSpec good_spec() {
  VmSpec spec;
  spec.name = VmName("vm-red");
  spec.kind = "qemu";
  spec.kernel = "/k";
  spec.initrd = "/i";
  spec.command_line = "console=ttyS0";
  spec.address = *parse_ipv4("10.77.1.20");
  spec.mac = *parse_mac("52:54:00:4d:01:14");
  spec.state_folder = "/tmp/vm";
  return spec;
}

TEST(QemuArguments, RefuseWhatCannotBeAVm) {
  struct Case {
    char const* what;
    void (*change)(VmSpec&);
    std::optional<Errc> expected;
  };
  Case const cases[] = {
      {"as it should be", [](VmSpec&) {}, std::nullopt},
      {"no name", [](VmSpec& s) { s.name = VmName(""); }, Errc::invalid},
      {"option in name", [](VmSpec& s) { s.name = VmName("a,debug-threads=on"); }, Errc::invalid},
      {"other kind", [](VmSpec& s) { s.kind = "domain"; }, Errc::invalid},
      {"least memory", [](VmSpec& s) { s.memory_mb = kVmMemoryMbMin; }, std::nullopt},
      {"below least memory", [](VmSpec& s) { s.memory_mb = kVmMemoryMbMin - 1; }, Errc::invalid},
      {"most memory", [](VmSpec& s) { s.memory_mb = kVmMemoryMbMax; }, std::nullopt},
      {"above most memory", [](VmSpec& s) { s.memory_mb = kVmMemoryMbMax + 1; }, Errc::invalid},
      {"no processor", [](VmSpec& s) { s.processors = 0; }, Errc::invalid},
      {"most processors", [](VmSpec& s) { s.processors = kVmProcessorsMax; }, std::nullopt},
      {"above most processors", [](VmSpec& s) { s.processors = kVmProcessorsMax + 1; },
       Errc::invalid},
      {"no queues", [](VmSpec& s) { s.queues = 0; }, Errc::invalid},
      {"most queues", [](VmSpec& s) { s.queues = kVmQueuesMax; }, std::nullopt},
      {"above most queues", [](VmSpec& s) { s.queues = kVmQueuesMax + 1; }, Errc::invalid},
      {"prefix 32", [](VmSpec& s) { s.prefix_length = 32; }, std::nullopt},
      {"prefix 33", [](VmSpec& s) { s.prefix_length = 33; }, Errc::invalid},
      {"multicast MAC", [](VmSpec& s) { s.mac.octets[0] = 1; }, Errc::invalid},
      {"relative folder", [](VmSpec& s) { s.state_folder = "vm"; }, Errc::invalid},
      {"longest folder",
       [](VmSpec& s) { s.state_folder = "/" + std::string(kStateFolderBytesMax - 1, 'a'); },
       std::nullopt},
      {"folder too long",
       [](VmSpec& s) { s.state_folder = "/" + std::string(kStateFolderBytesMax, 'a'); },
       Errc::too_large},
      {"longest command line",
       [](VmSpec& s) { s.command_line = std::string(kCommandLineBytesMax, 'a'); }, std::nullopt},
      {"command line too long",
       [](VmSpec& s) { s.command_line = std::string(kCommandLineBytesMax + 1, 'a'); },
       Errc::too_large},
      {"line break", [](VmSpec& s) { s.command_line = "a\nb"; }, Errc::invalid},
  };
  for (auto const& test : cases) {
    auto spec = good_spec();
    test.change(spec);
    auto const checked = check_spec(spec);
    ASSERT_EQ(checked.has_value(), !test.expected.has_value()) << test.what;
    if (test.expected) {
      EXPECT_EQ(checked.error().code, *test.expected) << test.what;
    }
  }
}

TEST(QemuArguments, UseKvmOnlyWhereItCanWork) {
  struct Case {
    char const* cpuinfo;
    bool kvm_opens;
    Accelerator expected;
  };
  Case const cases[] = {
      {"processor\t: 0\nflags\t\t: fpu vmx sse\n", true, Accelerator::kvm},
      {"processor\t: 0\nflags\t\t: svm\n", true, Accelerator::kvm},
      {"processor\t: 0\nflags\t\t: fpu vmx\n", false, Accelerator::tcg},
      {"processor\t: 0\nflags\t\t: fpu vmxx avmx\n", true, Accelerator::tcg},
      {"processor\t: 0\nflags\t\t: fpu\nvmx flags\t: vmx svm\n", true, Accelerator::tcg},
      {"", true, Accelerator::tcg},
      {"\nflags", true, Accelerator::tcg},
  };
  for (auto const& test : cases) {
    EXPECT_EQ(choose_accelerator(test.cpuinfo, test.kvm_opens), test.expected) << test.cpuinfo;
  }
}

TEST(QemuArguments, TellTheGuestItsNameAndAddress) {
  auto spec = good_spec();
  EXPECT_EQ(kernel_command_line(spec),
            "console=ttyS0 pci=hpmmioprefsize=64M shamon.name=vm-red shamon.ip=10.77.1.20/16");
  spec.address = {};
  EXPECT_EQ(kernel_command_line(spec), "console=ttyS0 pci=hpmmioprefsize=64M shamon.name=vm-red");
  spec.command_line.clear();
  EXPECT_THAT(kernel_command_line(spec), HasSubstr("ima_policy=tcb"));
}

TEST(QemuArguments, ACommaInAPathStartsNoOption) {
  auto spec = good_spec();
  spec.state_folder = "/tmp/a,server=off";
  auto const arguments = qemu_arguments("qemu", spec, {3, 4, 5, 6}, Accelerator::tcg);
  EXPECT_THAT(arguments, Contains(HasSubstr("path=/tmp/a,,server=off/console.sock,server=on")));
  EXPECT_THAT(arguments, Contains("dgram,id=net,local.type=fd,local.str=3"));
  EXPECT_THAT(arguments, Contains(HasSubstr("mac=52:54:00:4d:01:14")));
}

TEST(QemuArguments, GiveTheGateTheMemoryOnlyWithAVhostUserCard) {
  auto spec = good_spec();
  auto const plain = qemu_arguments("qemu", spec, {3, 4, 5, 6}, Accelerator::tcg);
  EXPECT_THAT(plain, Contains("q35"));
  EXPECT_THAT(plain, Not(Contains(HasSubstr("memfd"))));
  spec.nic = Nic::vhost_user;
  spec.packed_ring = true;
  spec.state_folder = "/tmp/a,b";
  auto const shared = qemu_arguments("qemu", spec, {-1, 4, 5, 6}, Accelerator::tcg);
  EXPECT_THAT(shared, Contains("memory-backend-memfd,id=ram,size=256M,share=on,seal=on"));
  EXPECT_THAT(shared, Contains("q35,memory-backend=ram"));
  EXPECT_THAT(shared, Contains("socket,id=gate,path=/tmp/a,,b/net.sock,reconnect=1"));
  EXPECT_THAT(shared, Contains("vhost-user,id=net,chardev=gate,queues=1"));
  EXPECT_THAT(shared, Contains(AllOf(HasSubstr("packed=on"), HasSubstr(",mq=off,vectors=0"))));
  EXPECT_THAT(shared, Not(Contains(HasSubstr("dgram"))));
}

TEST(QemuArguments, GiveAVhostUserCardItsQueuesAndEachAVectorWithKvm) {
  auto spec = good_spec();
  spec.nic = Nic::vhost_user;
  spec.processors = 4;
  spec.queues = 3;
  auto const emulated = qemu_arguments("qemu", spec, {-1, 4, 5, 6}, Accelerator::tcg);
  EXPECT_THAT(emulated, Contains("vhost-user,id=net,chardev=gate,queues=3"));
  EXPECT_THAT(emulated, Contains(HasSubstr(",mq=on,vectors=0")));
  EXPECT_EQ(*std::next(std::ranges::find(emulated, "-smp")), "4");
  EXPECT_THAT(qemu_arguments("qemu", spec, {-1, 4, 5, 6}, Accelerator::kvm),
              Contains(HasSubstr(",mq=on,vectors=8")));
  spec.nic = Nic::socket;
  EXPECT_THAT(qemu_arguments("qemu", spec, {3, 4, 5, 6}, Accelerator::kvm),
              Not(Contains(AnyOf(HasSubstr("queues="), HasSubstr("mq=")))));
}

}  // namespace
}  // namespace shamon
