// A machine whose IPsec is the Linux kernel's own: Debian's kernel in QEMU, with ESP in UDP on port
// 4500 (RFC 3948) between its outer and the gate's address, and one inner address.
//
//   domain ns ──TAP── gate ns A ══veth══ ns B: bridge ──TAP── QEMU: kernel, ESP
//   10.77.0.1               192.0.2.1                         192.0.2.2, inside 10.77.0.2
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "netns/gate_lab.hpp"

namespace shamon::netns {

inline constexpr std::uint16_t kPeerTcpEchoPort = 9000;
inline constexpr std::uint16_t kPeerUdpEchoPort = 9001;

/// One direction of a tunnel as `ip xfrm state` wants it.
struct KernelState {
  std::uint32_t spi = 0;
  std::string key_hex;  ///< key ‖ salt
};
struct KernelTunnel {
  std::string aead;   ///< the kernel's name: "rfc4106(gcm(aes))"
  std::string extra;  ///< more words for both states, as "flag esn replay-window 64"; empty: none
  KernelState in, out;
};

class KernelPeer {
 public:
  /// What there is to install or to make before one can be started; empty: nothing.
  static std::string missing();

  /// Takes machine b's place in the laboratory: its namespace has no gate then. Throws, with the
  /// console's text, if the guest does not come up.
  explicit KernelPeer(GateLab& lab);
  KernelPeer(KernelPeer const&) = delete;
  KernelPeer& operator=(KernelPeer const&) = delete;

  /// Runs a command of the guest's shell.
  Ran run(std::string const& command, int seconds_max = 60);
  /// Replaces whatever tunnel there was. Only what comes and goes through it passes.
  Ran set_tunnel(KernelTunnel const& tunnel);
  /// A counter of /proc/net/xfrm_stat: "XfrmInStateProtoError" has packets with a bad ICV.
  std::uint64_t counter(std::string const& name);

  static std::string inner_address() { return "10.77.0.2"; }
  double boot_seconds() const { return boot_seconds_; }

 private:
  void join_underlay();
  void start_guest();
  /// Reads the guest's shell until `end` comes. False: it did not, in that time.
  bool read_until(std::string const& end, std::string& text, int seconds_max);
  std::string console();

  GateLab& lab_;
  Process qemu_;
  UniqueFd shell_;
  double boot_seconds_ = 0;
};

}  // namespace shamon::netns
