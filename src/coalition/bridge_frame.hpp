// One frame of a bridge: u8 kind, then the CBOR of that kind's message.
#pragma once

#include <variant>

#include "coalition/messages/bridge.hpp"

namespace shamon::bridge {

struct Established {};  ///< has no fields: the frame is its kind alone
struct CloseNotice {
  BridgeRefused why;
};
struct HelloReply {
  BridgeHello hello;
};
struct Rekey {
  BridgeHello hello;
};

using Frame = std::variant<BridgeHello, HelloReply, BridgeEvidence, Established, BridgeRefused,
                           BridgeChallenge, BridgeAnswer, CloseNotice, Rekey>;

/// Errors: `malformed` (empty, unknown kind, bad CBOR), `too_large`.
Result<Frame> parse_frame(ByteView frame);
Bytes write_frame(Frame const& frame);

}  // namespace shamon::bridge
