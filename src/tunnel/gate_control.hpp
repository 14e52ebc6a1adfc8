// shamond <-> shamon-gate: few fixed-size messages over one SOCK_SEQPACKET UNIX socket, descriptors
// beside them (SCM_RIGHTS). Both ends run on one machine, so integers are in host order; every
// message is one datagram whose size is that of its struct, checked on receipt.
//
// The host monitor commands; the gate decides on its own copy of the policy and enforces its last
// state if the host monitor dies. A new connection starts with GateHello; the gate then reports
// what it still holds (one State per port and association, one ShareState per channel, then
// StateEnd).
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/time.hpp"

namespace shamon::gate {

inline constexpr std::uint32_t kProtocolVersion = 4;
inline constexpr std::size_t kNameBytesMax = 64;  ///< zero-padded

using Name = std::array<char, kNameBytesMax>;

enum class Kind : std::uint32_t {
  // host monitor -> gate
  hello = 1,
  policy_load,
  port_attach,
  port_detach,
  association_open,
  association_close,
  route_set,
  route_drop,
  lease,
  statistics_request,
  share_open,
  share_join,
  share_close,
  service_attach,
  routes_whole,
  // gate -> host monitor
  state = 64,
  state_end,
  done,
  refused,
  audit,
  association_wanted,
  rekey_wanted,
  association_ended,
  port_fault,
  statistics,
  statistics_end,
  share_state,
  share_ended,
};

struct Header {
  Kind kind;
  std::uint32_t sequence;
};  ///< answers carry the sequence of the command

struct Hello {
  Header header{Kind::hello, 0};
  std::uint32_t version = kProtocolVersion;
  std::uint32_t reserved = 0;
};

/// The compiled policy image comes as a sealed memfd beside the message.
struct PolicyLoad {
  Header header{Kind::policy_load, 0};
  std::uint64_t revision = 0;
  std::uint64_t image_bytes = 0;
};

/// How packets pass the descriptor that comes beside the message.
enum class PortKind : std::uint32_t {
  tap = 1,       ///< Ethernet frames with a virtio-net header (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
  datagram = 2,  ///< a SOCK_DGRAM/SEQPACKET UNIX socket pair: one Ethernet frame a datagram (QEMU
                 ///< -netdev dgram)
  stream = 3,    ///< a SOCK_STREAM UNIX socket: u32be length, then the frame (QEMU -netdev stream)
  vhost_user = 4,  ///< a listening SOCK_STREAM UNIX socket for this VM's hypervisor alone (QEMU
                   ///< -netdev vhost-user): frames move in the guest's memory
};
struct PortAttach {
  Header header{Kind::port_attach, 0};
  std::uint32_t port = 0;
  PortKind kind = PortKind::tap;
  Name vm{};
  Name label{};               ///< by name; the gate resolves it in its policy
  std::uint32_t address = 0;  ///< the VM's IPv4 address
  std::array<std::uint8_t, 6> mac{};
  std::uint16_t mtu = 1500;  ///< inner MTU offered to the VM
};
struct PortDetach {
  Header header{Kind::port_detach, 0};
  std::uint32_t port = 0;
  std::uint32_t reserved = 0;
};

/// One SA pair for (peer, label). Keys are wiped from the message after use.
struct AssociationOpen {
  Header header{Kind::association_open, 0};
  std::uint32_t association = 0;
  std::array<std::uint8_t, 16> peer_address{};  ///< underlay; IPv4 as ::ffff:a.b.c.d
  std::uint16_t peer_port = 4500;               ///< underlay UDP (RFC 3948)
  std::uint16_t replaces = 0;  ///< 1: rekey of the association with the same (peer, label)
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  std::uint32_t lanes = 1;              ///< SAs each way: AssociationSpec::lanes
  std::uint32_t extended_sequence = 0;  ///< 1: ESN
  Name peer{};
  Name label{};
  std::uint64_t revision = 0;             ///< policy revision bound into the keys
  std::array<std::uint8_t, 36> key_in{};  ///< key ‖ 4 salt, then zeros
  std::array<std::uint8_t, 36> key_out{};
  std::uint64_t bytes_max = 0;    ///< rekey_wanted is sent at 80 % of this, 0: built-in bound
  std::uint64_t seconds_max = 0;  ///< and of this
  std::uint32_t peer_member = 0;  ///< the host monitor verified the proof of acceptance
  std::uint32_t peer_attested = 0;
  std::uint32_t algorithm = 0;  ///< AeadAlgorithm; 0 is none
  std::uint32_t reserved = 0;
};
struct AssociationClose {
  Header header{Kind::association_close, 0};
  std::uint32_t association = 0;
  std::uint32_t reason = 0;
};

/// A remote VM: packets for `address` go to the association of (peer, label).
struct RouteSet {
  Header header{Kind::route_set, 0};
  std::uint32_t address = 0;
  std::uint32_t reserved = 0;
  Name vm{};
  Name label{};
  Name peer{};
};
struct RouteDrop {
  Header header{Kind::route_drop, 0};
  std::uint32_t address = 0;
  std::uint32_t reserved = 0;
};

/// The routes set over this connection are all there are: what an earlier one left goes.
struct RoutesWhole {
  Header header{Kind::routes_whole, 0};
};

/// Inter-machine traffic may pass until this CLOCK_MONOTONIC instant.
struct Lease {
  Header header{Kind::lease, 0};
  std::int64_t until_ns = 0;
};

/// Beside the message: a SOCK_SEQPACKET or SOCK_DGRAM UNIX socket. A datagram is a u32 port id and
/// an Ethernet frame; to the host monitor go the frames by which VMs ask for its services
/// (docs/vm-services.md), and what it sends is given to the port, if kGateMac is its source. Takes
/// the place of the socket before.
struct ServiceAttach {
  Header header{Kind::service_attach, 0};
};

struct StatisticsRequest {
  Header header{Kind::statistics_request, 0};
};

// Channels: memory and events that two VMs of this machine share (docs/shared-memory.md).
inline constexpr std::uint64_t kShareBytesMin = 4096;         ///< a page of the processor
inline constexpr std::uint64_t kShareBytesMax = 64ull << 20;  ///< what a guest's slot has room for
inline constexpr std::uint32_t kShareEventsMax = 8;           ///< in each direction
inline constexpr std::size_t kSharesMax = 64;                 ///< channels of one machine
inline constexpr std::uint32_t kShareIdMax = 16383;  ///< what a guest's firmware tables can say

/// The gate makes the memory if its policy lets the labels share. Both VMs must
/// have a port here, under these very labels.
struct ShareOpen {
  Header header{Kind::share_open, 0};
  std::uint32_t channel = 0;
  std::uint32_t events = 0;
  std::uint64_t size_bytes = 0;  ///< a power of two
  std::uint32_t writable = 0;    ///< by the user
  std::uint32_t reserved = 0;
  Name owner{};
  Name user{};
  Name owner_label{};
  Name user_label{};
};
enum class ShareSide : std::uint32_t { owner = 0, user = 1 };
enum class ShareView : std::uint32_t {
  memory = 1,  ///< one byte with the memory's descriptor beside it, then the end
  events = 2,  ///< each byte, in either direction, is the number of an event that was rung
};
/// Hands one side what is its own over the connected SOCK_STREAM UNIX socket that comes beside the
/// message: whoever holds the other end is that VM. Each view of a side once. Before a user that
/// may only read gets the memory it is sealed: nobody can map it for writing who did not before, so
/// that the owner's hypervisor must have it mapped by then.
struct ShareJoin {
  Header header{Kind::share_join, 0};
  std::uint32_t channel = 0;
  ShareSide side = ShareSide::owner;
  ShareView view = ShareView::memory;
  std::uint32_t reserved = 0;
};
struct ShareClose {
  Header header{Kind::share_close, 0};
  std::uint32_t channel = 0;
  std::uint32_t reserved = 0;
};

/// What is left of an earlier connection: a port (association 0) or an association (port 0).
struct State {
  Header header{Kind::state, 0};
  std::uint32_t port = 0;
  std::uint32_t association = 0;
  std::uint32_t algorithm = 0;  ///< of an association
  std::uint32_t reserved = 0;
  Name vm_or_peer{};
  Name label{};
  std::uint64_t revision = 0;
};
struct StateEnd {
  Header header{Kind::state_end, 0};
  std::uint64_t policy_revision = 0;
  std::uint32_t workers = 1;  ///< queues a TAP may have here, and lanes an association needs
  std::uint32_t reserved = 0;
};
struct Done {
  Header header{Kind::done, 0};
  std::int64_t at_ns = 0;
};  ///< when the command took effect
struct Refused {
  Header header{Kind::refused, 0};
  std::uint32_t errc = 0;
  std::uint32_t reserved = 0;
  std::array<char, 120> text{};
};

/// Audit::reason of refusals the gate makes before any decision; the others are policy's `Reason`.
inline constexpr std::uint32_t kReasonSpoofedSource = 100;  ///< not the port's MAC or IPv4 address
inline constexpr std::uint32_t kReasonForeignSource = 101;  ///< no VM of that peer and label

/// A decision of the gate, for the audit trail. Repeats are folded: `count` packets since the last.
struct Audit {
  Header header{Kind::audit, 0};
  std::int64_t at_ns = 0;
  std::uint32_t hook = 0;
  std::uint32_t verdict = 0;
  std::uint32_t reason = 0;
  std::uint32_t statement = 0;
  std::uint64_t revision = 0;
  Name subject{};
  Name object{};
  Name subject_label{};
  Name object_label{};
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t protocol = 0;
  std::uint32_t count = 1;
  /// Records the gate could not hand over since it started (nobody connected, queue full); may
  /// wrap.
  std::uint32_t lost_total = 0;
};

/// A packet for a known remote VM found no association: please negotiate. At most one per second
/// and (peer, label).
struct AssociationWanted {
  Header header{Kind::association_wanted, 0};
  Name peer{};
  Name label{};
};
struct RekeyWanted {
  Header header{Kind::rekey_wanted, 0};
  std::uint32_t association = 0;
  std::uint32_t reserved = 0;
  Name peer{};
  Name label{};
};
struct AssociationEnded {
  Header header{Kind::association_ended, 0};
  std::uint32_t association = 0;
  std::uint32_t reason = 0;
  std::int64_t last_passed_ns = 0;
  Name peer{};
  Name label{};
};
struct PortFault {
  Header header{Kind::port_fault, 0};
  std::uint32_t port = 0;
  std::uint32_t reserved = 0;
  std::array<char, 120> text{};
};

/// One per port (association 0), one per association (port 0), and one total (both 0).
struct Statistics {
  Header header{Kind::statistics, 0};
  std::uint32_t port = 0;
  std::uint32_t association = 0;
  std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
  std::uint64_t dropped_policy = 0, dropped_spoof = 0, dropped_no_route = 0,
                dropped_no_association = 0, dropped_replay = 0, dropped_icv = 0, dropped_lease = 0,
                dropped_malformed = 0, dropped_full = 0;
  std::int64_t last_passed_ns = 0;  ///< CLOCK_MONOTONIC of the last packet that passed, 0: none
  Name name{};
  Name label{};
};
struct StatisticsEnd {
  Header header{Kind::statistics_end, 0};
};

/// A channel there is: after a greeting, and with every answer to StatisticsRequest.
struct ShareState {
  Header header{Kind::share_state, 0};
  std::uint32_t channel = 0;
  std::uint32_t events = 0;
  std::uint64_t size_bytes = 0;
  std::uint32_t writable = 0;
  std::uint32_t reserved = 0;
  std::uint64_t rings_of_owner = 0;  ///< passed on to the other side
  std::uint64_t rings_of_user = 0;
  Name owner{};
  Name user{};
};
enum class ShareEnd : std::uint32_t { asked = 1, policy_changed, vm_left };
/// Its events are over and its memory is cleared. Unplug it from both VMs.
struct ShareEnded {
  Header header{Kind::share_ended, 0};
  std::uint32_t channel = 0;
  ShareEnd reason = ShareEnd::asked;
};

/// Reasons an association ends.
enum class CloseReason : std::uint32_t {
  asked = 1,
  rekeyed,
  policy_changed,
  lease_ended,
  expired,
  peer_revoked,
  challenge_failed,
  replaced
};

inline constexpr std::size_t kMessageBytesMax = 1024;

}  // namespace shamon::gate
