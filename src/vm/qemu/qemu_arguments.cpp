#include "vm/qemu/qemu_arguments.hpp"

#include <fmt/format.h>

#include "base/ipv4_text.hpp"
#include "vm/limits.hpp"
#include "vm/qemu/qemu_channels.hpp"

namespace shamon {
namespace {

/// QEMU separates options by commas; a comma inside a value is doubled.
std::string escape(std::string_view value) {
  std::string escaped;
  for (char const c : value) escaped.append(c == ',' ? 2 : 1, c);
  return escaped;
}

bool is_one_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

/// The network card and what is behind it; with vhost-user also the memory that both sides use.
std::vector<std::pair<char const*, std::string>> network_options(VmSpec const& spec, int fd,
                                                                 Accelerator accelerator) {
  auto const card = fmt::format("virtio-net-pci,netdev=net,mac={},romfile=", to_string(spec.mac));
  if (spec.nic == Nic::socket) {
    return {{"-M", "q35"},
            {"-netdev", fmt::format("dgram,id=net,local.type=fd,local.str={}", fd)},
            {"-device", card}};
  }
  unsigned const queues = spec.queues.value_or(1);
  // The gate takes no memory that could shrink, and no card older than virtio 1. Each queue has an
  // MSI-X vector, and so have its configuration and the control queue. Without KVM, QEMU 7.2
  // dereferences a null pointer when a vhost-user card's vectors are set up: it gets none then and
  // interrupts by line.
  return {{"-object",
           fmt::format("memory-backend-memfd,id=ram,size={}M,share=on,seal=on", spec.memory_mb)},
          {"-M", "q35,memory-backend=ram"},
          {"-chardev",
           fmt::format("socket,id=gate,path={},reconnect=1", escape(vhost_user_socket_path(spec)))},
          {"-netdev", fmt::format("vhost-user,id=net,chardev=gate,queues={}", queues)},
          {"-device",
           fmt::format("{},disable-legacy=on,packed={},rx_queue_size=1024,tx_queue_size=1024,"
                       "mq={},vectors={}",
                       card, spec.packed_ring ? "on" : "off", queues > 1 ? "on" : "off",
                       accelerator == Accelerator::tcg ? 0 : 2 * queues + 2)}};
}

bool has_word(std::string_view line, std::string_view word) {
  while (!line.empty()) {
    auto const end = std::min(line.size(), line.find(' '));
    if (line.substr(0, end) == word) return true;
    line.remove_prefix(std::min(line.size(), end + 1));
  }
  return false;
}

}  // namespace

Accelerator choose_accelerator(std::string_view cpuinfo, bool kvm_opens) noexcept {
  bool virtualises = false;
  auto const at = cpuinfo.find("\nflags");
  if (at != std::string_view::npos) {
    auto const line = cpuinfo.substr(at + 1, cpuinfo.find('\n', at + 1) - at - 1);
    auto const flags = line.substr(std::min(line.size(), line.find(':') + 1));
    virtualises = has_word(flags, "vmx") || has_word(flags, "svm");
  }
  return virtualises && kvm_opens ? Accelerator::kvm : Accelerator::tcg;
}

Status check_spec(VmSpec const& spec) {
  if (!is_valid_name(spec.name.value())) return fail(Errc::invalid, "no valid VM name");
  if (spec.kind != "qemu") return fail(Errc::invalid, "not a QEMU guest: " + spec.kind);
  if (spec.memory_mb < kVmMemoryMbMin || spec.memory_mb > kVmMemoryMbMax) {
    return fail(Errc::invalid, fmt::format("memory of {} MB is not in {}..{}", spec.memory_mb,
                                           kVmMemoryMbMin, kVmMemoryMbMax));
  }
  if (spec.processors < 1 || spec.processors > kVmProcessorsMax) {
    return fail(Errc::invalid,
                fmt::format("{} processors are not in 1..{}", spec.processors, kVmProcessorsMax));
  }
  if (spec.queues && (*spec.queues < 1 || *spec.queues > kVmQueuesMax)) {
    return fail(Errc::invalid,
                fmt::format("{} pairs of queues are not in 1..{}", *spec.queues, kVmQueuesMax));
  }
  if (spec.prefix_length > 32) return fail(Errc::invalid, "prefix length exceeds 32");
  // A group bit would make the address a multicast one (IEEE 802 §8.2).
  if ((spec.mac.octets[0] & 1) != 0) return fail(Errc::invalid, "MAC address is a group address");
  if (spec.state_folder.empty() || spec.state_folder.front() != '/') {
    return fail(Errc::invalid, "state folder is not an absolute path");
  }
  if (spec.state_folder.size() > kStateFolderBytesMax) {
    return fail(Errc::too_large, "path of the state folder exceeds what a UNIX socket may have");
  }
  if (spec.command_line.size() > kCommandLineBytesMax) {
    return fail(Errc::too_large, "kernel command line exceeds the limit");
  }
  if (!is_one_line(spec.command_line) || !is_one_line(spec.state_folder)) {
    return fail(Errc::invalid, "control character in the VM's specification");
  }
  return {};
}

std::string kernel_command_line(VmSpec const& spec) {
  std::string_view const base =
      spec.command_line.empty() ? kGuestImageCommandLine : std::string_view(spec.command_line);
  // Room for a channel's memory in each empty slot; the kernel's own choice is 2 MB.
  auto text = fmt::format("{} pci=hpmmioprefsize=64M shamon.name={}", base, spec.name.value());
  if (spec.address.bits != 0) {
    text += fmt::format(" shamon.ip={}/{}", to_string(spec.address), spec.prefix_length);
  }
  return text;
}

std::string console_socket_path(VmSpec const& spec) {
  return spec.state_folder + "/console.sock";
}
std::string console_log_path(VmSpec const& spec) {
  return spec.state_folder + "/console.log";
}
std::string vhost_user_socket_path(VmSpec const& spec) {
  return spec.state_folder + "/net.sock";
}

std::vector<std::string> qemu_arguments(std::string const& qemu, VmSpec const& spec,
                                        QemuDescriptors const& descriptors,
                                        Accelerator accelerator) {
  bool const kvm = accelerator == Accelerator::kvm;
  // Nothing that is not asked for: no default devices, no user configuration, no display.
  std::vector<std::string> arguments{qemu, "-nodefaults", "-no-user-config", "-no-reboot"};
  std::pair<char const*, std::string> const options[] = {
      {"-name", "guest=" + spec.name.value()},
      {"-display", "none"},
      {"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"},
      {"-accel", kvm ? "kvm" : "tcg"},
      {"-cpu", kvm ? "host" : "max"},
      // qboot keeps its ACPI tables below 1 MB. SeaBIOS puts them at the end of memory, where with
      // a TPM they are larger than QEMU thinks and the initramfs overwrites them (QEMU 7.2).
      {"-bios", "qboot.rom"},
      {"-smp", std::to_string(spec.processors)},
      {"-m", fmt::format("{}M", spec.memory_mb)},
      {"-kernel", spec.kernel},
      {"-initrd", spec.initrd},
      {"-append", kernel_command_line(spec)},
      {"-chardev",
       fmt::format("socket,id=console,path={},server=on,wait=off,logfile={},logappend=on",
                   escape(console_socket_path(spec)), escape(console_log_path(spec)))},
      {"-serial", "chardev:console"},
      {"-chardev", fmt::format("socket,id=qmp,fd={}", descriptors.qmp)},
      {"-mon", "chardev=qmp,mode=control"},
      {"-chardev", fmt::format("socket,id=vtpm,fd={}", descriptors.vtpm)},
      {"-tpmdev", "emulator,id=tpm,chardev=vtpm"},
      {"-device", "tpm-crb,tpmdev=tpm"},
      {"-device", "virtio-serial-pci"},
      {"-chardev", fmt::format("socket,id=agent,fd={}", descriptors.agent)},
      {"-device", "virtserialport,chardev=agent,name=org.shamon.guest.0"},
  };
  auto add = [&arguments](auto const& all) {
    for (auto const& [name, value] : all) {
      arguments.emplace_back(name);
      arguments.push_back(value);
    }
  };
  add(options);
  add(network_options(spec, descriptors.network, accelerator));
  // Where a device of a channel can be plugged while the guest runs; pcie.0 itself takes none then.
  for (std::size_t i = 0; i < kChannelSlots; ++i) {
    arguments.emplace_back("-device");
    arguments.push_back(
        fmt::format("pcie-root-port,id={},chassis={},slot={}", channel_slot_id(i), i + 1, i + 1));
  }
  return arguments;
}

}  // namespace shamon
