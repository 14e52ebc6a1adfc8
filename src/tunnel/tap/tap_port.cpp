#include "tunnel/tap/tap_port.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace shamon {

namespace {

// Newer than Debian 12's kernel headers: super-packets of UDP over IPv4 (Linux 6.2).
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

class TapPort final : public PortDriver {
 public:
  explicit TapPort(UniqueFd descriptor) noexcept : fd_(std::move(descriptor)) {}

  int fd() const noexcept override { return fd_.get(); }
  bool offloads() const noexcept override { return true; }

  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t> buffer) noexcept override {
    ssize_t const got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got < 0) {
      bool const later = errno == EAGAIN || errno == EINTR;
      return tl::unexpected<Outcome>(later ? Outcome::busy : Outcome::closed);
    }
    if (static_cast<std::size_t>(got) <= kVnetHeaderBytes) {
      return tl::unexpected<Outcome>(Outcome::closed);
    }
    std::span<std::uint8_t> const all = buffer.first(static_cast<std::size_t>(got));
    return Frame{all.first(kVnetHeaderBytes), all.subspan(kVnetHeaderBytes)};
  }

  Outcome send(VnetHeader const& vnet_header, std::span<iovec> parts) noexcept override {
    parts[0] = {const_cast<std::uint8_t*>(vnet_header.data()), vnet_header.size()};
    if (::writev(fd_.get(), parts.data(), static_cast<int>(parts.size())) >= 0) {
      return Outcome::done;
    }
    // EIO: the device is down. That is the VM's affair, and may pass.
    return errno == EBADFD || errno == ENODEV ? Outcome::closed : Outcome::busy;
  }

 private:
  UniqueFd fd_;
};

}  // namespace

Result<std::unique_ptr<PortDriver>> make_tap_port(UniqueFd descriptor) {
  ifreq request{};
  if (::ioctl(descriptor.get(), TUNGETIFF, &request) != 0) {
    return fail(Errc::invalid, "not an attached TAP");
  }
  short const wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if ((request.ifr_flags & wanted) != wanted) {
    return fail(Errc::invalid, "not a TAP with virtio-net headers and without packet information");
  }
  int vnet_bytes = 0;
  if (::ioctl(descriptor.get(), TUNGETVNETHDRSZ, &vnet_bytes) != 0 ||
      vnet_bytes != static_cast<int>(kVnetHeaderBytes)) {
    return fail(Errc::invalid, "the TAP's virtio-net header has another size");
  }
  unsigned long const tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN;
  // Both USO flags stand or fall together in the kernel. Without them UDP comes packet by packet.
  if (::ioctl(descriptor.get(), TUNSETOFFLOAD, tcp | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6) != 0 &&
      ::ioctl(descriptor.get(), TUNSETOFFLOAD, tcp) != 0) {
    return fail_errno("TUNSETOFFLOAD");
  }
  return std::make_unique<TapPort>(std::move(descriptor));
}

}  // namespace shamon
