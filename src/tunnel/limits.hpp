// Every bound of this folder, with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace shamon {

// Tables. A machine runs tens of VMs and talks to thousands of peers.
inline constexpr std::size_t kPortsMax = 256;
inline constexpr std::size_t kAssociationsMax = 8192;
inline constexpr std::size_t kRoutesMax = 65536;
inline constexpr std::size_t kPathsMax = 65536;       ///< distinct (peer, label) ever named
inline constexpr std::size_t kFlowPermitsMax = 4096;  ///< cached decisions; a power of two
inline constexpr std::size_t kLabelPermitsMax = 1024;
inline constexpr std::size_t kWantedMax = 1024;  ///< throttled association_wanted entries

// Packets.
inline constexpr std::size_t kEthernetHeaderBytes = 14;
inline constexpr std::size_t kIpv4HeaderBytes = 20;
inline constexpr std::size_t kIpv6HeaderBytes = 40;
inline constexpr std::size_t kPacketBytesMax = 65535;  ///< IPv4 total length is 16 bits
inline constexpr std::size_t kFrameBytesMax = kPacketBytesMax + kEthernetHeaderBytes;
inline constexpr std::size_t kVnetHeaderBytes = 10;  ///< struct virtio_net_hdr, the tun default
/// Of a frame's payload that is left where its sender has it; a writev may have 1024 in all.
inline constexpr std::size_t kRestPiecesMax = 64;
inline constexpr std::uint16_t kMtuMin = 576;   ///< RFC 791: every host accepts this much
inline constexpr std::uint16_t kMtuMax = 9216;  ///< larger than any Ethernet underlay

// ESP (RFC 4303, RFC 4106, RFC 3948).
inline constexpr std::size_t kReplayWindowPackets = 4096;  ///< a multiple of 64; batches reorder
inline constexpr std::uint64_t kSequenceMax = 0xffffffff;  ///< without ESN; it never wraps
/// With ESN the bound of bytes comes first; this one is for packets of any size.
inline constexpr std::uint64_t kExtendedSequenceMax = std::uint64_t{1} << 48;
inline constexpr unsigned kLanesMax = 16;  ///< SAs of one association, and workers of a gate
inline constexpr std::uint64_t kAssociationBytesMax = std::uint64_t{1} << 42;
inline constexpr std::uint64_t kAssociationSecondsMax = 3600;
inline constexpr unsigned kRekeyPercent = 80;  ///< of bytes, of seconds and of sequence numbers
/// After a rekey the old pair still receives for so long: packets under way were sealed with it.
inline constexpr std::chrono::seconds kRekeyGrace{5};
/// After a rekey the old pair still sends until the peer uses the new one, or for so long.
inline constexpr std::chrono::milliseconds kRekeySwitch{200};

// Batches.
inline constexpr std::size_t kBatchPackets = 64;         ///< UDP_MAX_SEGMENTS of older kernels
inline constexpr std::size_t kDatagramBytesMax = 65507;  ///< 65535 - IPv4 - UDP
inline constexpr std::size_t kUnderlayReceives = 8;      ///< datagram buffers per recvmmsg
inline constexpr std::size_t kPortFramesPerTurn = 64;    ///< then the other ports have their turn
/// A port that within so long had a turn's worth of frames, half of them or more refused, is then
/// not read for as long: the kernel sheds a flood of what may not pass, in its sender's time.
inline constexpr std::chrono::milliseconds kRefusedRest{10};

// Control.
/// Messages waiting for a slow client: what a greeting or the end of a policy has to say of each
/// port and association, twice.
inline constexpr std::size_t kControlQueueMax = 2 * (kAssociationsMax + kPortsMax);
inline constexpr std::size_t kControlMessagesPerTurn = 64;
inline constexpr std::size_t kDescriptorsMax = kLanesMax;  ///< beside a message: a queue each
inline constexpr std::size_t kPolicyImageBytesMax = 4u << 20;
inline constexpr std::chrono::milliseconds kTick{
    100};  ///< lifetimes are looked at so soon after packets
inline constexpr std::chrono::microseconds kBusyPollMax{1000};
inline constexpr std::chrono::seconds kAuditFold{1};       ///< repeats are folded for so long
inline constexpr std::chrono::seconds kWantedInterval{1};  ///< per (peer, label)

}  // namespace shamon
