#include "tunnel/vhost_user/vhost_user_port.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "tunnel/vhost_user/backend.hpp"
#include "tunnel/vhost_user/features.hpp"

namespace shamon {

namespace {

using Outcome = PortDriver::Outcome;
using vhost_user::Backend;
using vhost_user::kNetHeaderBytes;
using vhost_user::Queue;
using NetHeader = std::array<std::uint8_t, kNetHeaderBytes>;

// Virtual I/O Device 1.2 §5.1.6.
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kGsoNone = 0, kGsoTcpIpv4 = 1, kGsoTcpIpv6 = 4, kGsoEcn = 0x80;

/// Whether the guest agreed to get frames with such a header.
bool guest_takes(VnetHeader const& header, std::uint64_t features) noexcept {
  bool const partial = (header[0] & kNeedsChecksum) != 0;
  if (partial && (features & vhost_user::kNetGuestCsum) == 0) return false;
  std::uint8_t const type = header[1] & static_cast<std::uint8_t>(~kGsoEcn);
  if (type == kGsoNone) return true;
  if (type == kGsoTcpIpv4) return (features & vhost_user::kNetGuestTso4) != 0;
  if (type == kGsoTcpIpv6) return (features & vhost_user::kNetGuestTso6) != 0;
  return false;
}

class VhostUserPort final : public PortDriver {
 public:
  VhostUserPort(std::shared_ptr<Backend> backend, std::size_t pair) noexcept
      : backend_(std::move(backend)), pair_(pair) {}

  int fd() const noexcept override { return backend_->fd(pair_); }
  /// What a guest does not take as a whole is taken apart here.
  bool offloads() const noexcept override { return true; }
  std::string_view fault() const noexcept override { return to_string(backend_->fault()); }

  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t> buffer) noexcept override {
    if (!looked_.exchange(true, std::memory_order_relaxed)) backend_->look(pair_);
    if (stopped()) return tl::unexpected<Outcome>(Outcome::closed);
    // A longer frame is cut off; its own length then says that it is not whole.
    std::size_t const room = std::min(buffer.size(), kNetHeaderBytes + kFrameBytesMax);
    auto const got = backend_->from_guest(pair_).read(buffer.first(room));
    if (!got) return tl::unexpected<Outcome>(close(got.error()));
    unread_.store(got->has_value(), std::memory_order_relaxed);
    if (!*got) {
      looked_.store(false, std::memory_order_relaxed);
      return tl::unexpected<Outcome>(Outcome::busy);
    }
    // num_buffers says nothing on the way out of a guest (§5.1.6.2).
    return Frame{buffer.first(kVnetHeaderBytes),
                 buffer.subspan(kNetHeaderBytes, (*got)->bytes - kNetHeaderBytes), (*got)->rest};
  }

  Outcome send(VnetHeader const& vnet_header, std::span<iovec> parts) noexcept override {
    if (stopped()) return Outcome::closed;
    if (!guest_takes(vnet_header, backend_->features())) return send_apart(vnet_header, parts);
    return send_whole(vnet_header, parts);
  }

  void end_of_turn() noexcept override {
    backend_->from_guest(pair_).finish();
    backend_->to_guest(pair_).finish();
    if (pair_ != 0) backend_->to_guest(0).finish();
    looked_.store(false, std::memory_order_relaxed);
    // The turn ended before the ring did, and the guest was not asked to kick.
    if (unread_.exchange(false, std::memory_order_relaxed)) backend_->wake(pair_);
  }

 private:
  bool stopped() const noexcept { return backend_->fault() != vhost_user::Fault::none; }
  Outcome close(vhost_user::Fault fault) noexcept {
    backend_->stop(fault);
    return Outcome::closed;
  }

  Outcome send_whole(VnetHeader const& vnet_header, std::span<iovec> parts) noexcept {
    NetHeader header{};
    std::copy(vnet_header.begin(), vnet_header.end(), header.begin());
    parts[0] = {header.data(), header.size()};
    // A guest may use fewer pairs than it was given.
    Queue& own = backend_->to_guest(pair_);
    auto const sent = (own.usable() ? own : backend_->to_guest(0)).write(parts);
    if (!sent) return close(sent.error());
    return *sent ? Outcome::done : Outcome::busy;
  }

  /// Sends the packets that a super-packet stands for, with complete checksums.
  Outcome send_apart(VnetHeader const& vnet_header, std::span<iovec> parts) noexcept {
    std::lock_guard const lock(apart_mutex_);
    whole_.clear();
    for (iovec const& part : parts.subspan(1)) {
      auto const* from = static_cast<std::uint8_t const*>(part.iov_base);
      whole_.insert(whole_.end(), from, from + part.iov_len);
    }
    auto const ethernet = parse_ethernet(whole_);
    if (!ethernet) return Outcome::busy;
    auto const packet = parse_ip_packet(ethernet->payload);
    if (!packet) return Outcome::busy;
    Offload offload;
    offload.checksum_partial = (vnet_header[0] & kNeedsChecksum) != 0;
    if (vnet_header[1] != kGsoNone) {
      bool const tcp = packet->protocol == kProtocolTcp;
      offload.segmentation = tcp ? Segmentation::tcp : Segmentation::udp;
      offload.segment_bytes = static_cast<std::uint16_t>(vnet_header[4] | vnet_header[5] << 8);
    }
    Segmenter const segmenter(*packet, offload);
    std::size_t sent = 0;
    for (; sent < segmenter.count(); ++sent) {
      one_.resize(segmenter.bytes(sent));
      segmenter.write(sent, 0, one_);
      std::array<iovec, 3> one{iovec{}, iovec{whole_.data(), kEthernetHeaderBytes},
                               iovec{one_.data(), one_.size()}};
      Outcome const outcome = send_whole({}, one);
      if (outcome == Outcome::closed) return outcome;
      if (outcome == Outcome::busy) break;
    }
    return sent == 0 ? Outcome::busy : Outcome::done;
  }

  std::shared_ptr<Backend> backend_;
  std::size_t const pair_;
  std::atomic<bool> looked_ = false;  ///< in this turn
  std::atomic<bool> unread_ = false;  ///< the last receive() found a frame
  std::mutex apart_mutex_;
  std::vector<std::uint8_t> whole_, one_;
};

}  // namespace

Result<std::vector<std::unique_ptr<PortDriver>>> make_vhost_user_ports(UniqueFd listener,
                                                                       std::size_t queue_pairs) {
  auto const backend = Backend::create(std::move(listener), queue_pairs);
  if (!backend) return pass(backend);
  std::vector<std::unique_ptr<PortDriver>> ports;
  for (std::size_t pair = 0; pair < queue_pairs; ++pair) {
    ports.push_back(std::make_unique<VhostUserPort>(*backend, pair));
  }
  return ports;
}

}  // namespace shamon
