#include "tunnel/tap/tap_port.hpp"

#include <cerrno>

#include <unistd.h>

namespace shamon {

namespace {

class TapPort final : public PortDriver {
 public:
  TapPort(UniqueFd queue, bool receives) noexcept : fd_(std::move(queue)), receives_(receives) {}

  int fd() const noexcept override { return receives_ ? fd_.get() : -1; }
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
  bool receives_;
};

}  // namespace

std::unique_ptr<PortDriver> make_tap_port(UniqueFd queue, bool receives) {
  return std::make_unique<TapPort>(std::move(queue), receives);
}

}  // namespace shamon
