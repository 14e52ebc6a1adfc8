// What a port needs of the thing behind it. A driver holds one descriptor and moves whole frames;
// it judges nothing. Drivers of one port may share what is behind them: then send() is safe among
// their workers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include <sys/uio.h>

#include "base/fd.hpp"
#include "tunnel/gate_control.hpp"
#include "tunnel/offload.hpp"

namespace shamon {

class PortDriver {
 public:
  enum class Outcome : std::uint8_t {
    done,
    busy,    ///< nothing to read, or no room to write: the frame was not taken
    closed,  ///< the other side is gone, or what it sent cannot be a frame
  };
  struct Frame {
    ByteView vnet_header;  ///< empty if the driver has none
    std::span<std::uint8_t> bytes;
    /// Payload of a super-packet behind `bytes`, in memory that its sender may still change: what
    /// decides anything is in `bytes`, and this is only copied. At most kRestPiecesMax.
    std::span<iovec const> rest{};
  };

  virtual ~PortDriver() = default;
  /// What becomes readable when frames wait; -1 if another worker's driver receives them.
  virtual int fd() const noexcept = 0;
  /// True if frames may be super-packets in both directions.
  virtual bool offloads() const noexcept = 0;
  /// The next frame, in `buffer` or in the driver's own memory, valid until the next call.
  /// `buffer` has kPortBufferBytes.
  virtual tl::expected<Frame, Outcome> receive(std::span<std::uint8_t> buffer) noexcept = 0;
  /// Whole frames wait in the driver's own memory, of which the descriptor says nothing.
  virtual bool holds_frames() const noexcept { return false; }
  /// Sends parts[1..] as one frame. parts[0] is the driver's, for what goes in front.
  virtual Outcome send(VnetHeader const& vnet_header, std::span<iovec> parts) noexcept = 0;
  /// Part of a frame waits for room: call flush() when the descriptor becomes writable.
  virtual bool wants_write() const noexcept { return false; }
  virtual Outcome flush() noexcept { return Outcome::done; }
  /// Called after the last receive() or send() of a turn: what was put off until now is done.
  virtual void end_of_turn() noexcept {}
  /// Why it is closed, for people.
  virtual std::string_view fault() const noexcept { return "the other side is gone"; }
};

inline constexpr std::size_t kPortBufferBytes = kVnetHeaderBytes + kFrameBytesMax + 64;

/// One driver for each worker of a gate, each used by that worker alone.
using PortDrivers = std::vector<std::unique_ptr<PortDriver>>;

/// The drivers for the descriptors that came with a port_attach: a TAP has one for each of its
/// queues, any other kind has one. Sets them non-blocking. Errors: `invalid` if a descriptor is not
/// of that kind, `system`.
Result<PortDrivers> open_port(gate::PortKind kind, std::vector<UniqueFd> descriptors,
                              unsigned workers);

}  // namespace shamon
