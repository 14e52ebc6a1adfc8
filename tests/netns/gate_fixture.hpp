// What the tests of the gate share.
#pragma once

#include <gtest/gtest.h>

#include "netns/gate_lab.hpp"

#define ASSERT_DONE(status)                                     \
  do {                                                          \
    ::shamon::Status const done_ = (status);                    \
    ASSERT_TRUE(done_.has_value()) << done_.error().describe(); \
  } while (false)

namespace shamon::netns {

/// Machines a and b, a green domain on each (g1 10.77.0.1, g2 10.77.0.2), one association.
class GateTest : public ::testing::Test {
 protected:
  void SetUp() override { set_up({}); }
  void set_up(GateLab::Options const& options);

  Machine& a() { return *lab_->a; }
  Machine& b() { return *lab_->b; }
  bool ping(std::string const& from, std::string const& address, int count = 1);
  /// kPolicyText with another revision and more lines.
  static std::string policy(int revision, std::string const& more = {});

  /// Records the underlay at that machine, packet by packet. Empty process: tcpdump is missing.
  Process start_capture(Machine& machine, std::string const& file);
  /// Ends the capture; the UDP payloads it holds from that address.
  static std::vector<Bytes> captured_payloads(Process capture, std::string const& file,
                                              std::string const& source);
  /// One UDP datagram from that machine's namespace to the other machine's gate; from another
  /// address than the machine's own, if `source` is one of the namespace.
  void send_datagram(Machine& from, Bytes const& payload, std::string const& source = "0.0.0.0");

  std::optional<GateLab> lab_;
};

}  // namespace shamon::netns
