#include "coalition/bridge_frame.hpp"

namespace shamon::bridge {
namespace {

template <class Message, class As = Message>
Result<Frame> parse(ByteView body) {
  auto message = decode_cbor<Message>(body);
  if (!message) return pass(message);
  return Frame(As{std::move(*message)});
}

template <class Message>
Bytes write(BridgeKind kind, Message const& message) {
  Bytes out{static_cast<std::uint8_t>(kind)};
  append(out, encode_cbor(message));
  return out;
}

struct Writer {
  Bytes operator()(BridgeHello const& m) const { return write(BridgeKind::hello, m); }
  Bytes operator()(HelloReply const& m) const { return write(BridgeKind::hello_reply, m.hello); }
  Bytes operator()(BridgeEvidence const& m) const { return write(BridgeKind::evidence, m); }
  Bytes operator()(Established const&) const {
    return {static_cast<std::uint8_t>(BridgeKind::established)};
  }
  Bytes operator()(BridgeRefused const& m) const { return write(BridgeKind::refused, m); }
  Bytes operator()(BridgeChallenge const& m) const { return write(BridgeKind::challenge, m); }
  Bytes operator()(BridgeAnswer const& m) const { return write(BridgeKind::answer, m); }
  Bytes operator()(CloseNotice const& m) const { return write(BridgeKind::close, m.why); }
  Bytes operator()(Rekey const& m) const { return write(BridgeKind::rekey, m.hello); }
};

}  // namespace

Result<Frame> parse_frame(ByteView frame) {
  if (frame.empty()) return fail_at(Errc::malformed, 0, "empty frame");
  ByteView const body = frame.subspan(1);
  switch (static_cast<BridgeKind>(frame[0])) {
    case BridgeKind::hello: return parse<BridgeHello>(body);
    case BridgeKind::hello_reply: return parse<BridgeHello, HelloReply>(body);
    case BridgeKind::evidence: return parse<BridgeEvidence>(body);
    case BridgeKind::established:
      if (!body.empty()) return fail_at(Errc::malformed, 1, "bytes after 'established'");
      return Frame(Established{});
    case BridgeKind::refused: return parse<BridgeRefused>(body);
    case BridgeKind::challenge: return parse<BridgeChallenge>(body);
    case BridgeKind::answer: return parse<BridgeAnswer>(body);
    case BridgeKind::close: return parse<BridgeRefused, CloseNotice>(body);
    case BridgeKind::rekey: return parse<BridgeHello, Rekey>(body);
  }
  return fail_at(Errc::malformed, 0, "unknown kind of frame");
}

Bytes write_frame(Frame const& frame) {
  return std::visit(Writer{}, frame);
}

}  // namespace shamon::bridge
