// A frame of a bridge: what is accepted is written again as it came. Then the same frames, each
// after a u16be length, are given to a responder, which must survive any order of them.
#include <cstdlib>

#include "base/cursor.hpp"
#include "coalition/bridge.hpp"

namespace {

using namespace shamon;

BridgeConfig config() {
  BridgeConfig out;
  out.role = BridgeRole::responder;
  out.self = HostName("shype2");
  out.ciphers = every_aead_algorithm();
  out.may_associate = [](HostName const&, LabelName const&) { return true; };
  out.exporter = [](std::string_view, ByteView, std::size_t bytes) -> Result<Bytes> {
    return Bytes(bytes, 1);
  };
  out.random = [next = std::uint8_t{0}](std::size_t bytes) mutable { return Bytes(bytes, ++next); };
  out.new_spi = [next = 0x1000u]() mutable { return next++; };
  return out;
}

/// Answers what the machine asks, always with yes, so that frames get as far as they can.
void drive(Bridge& machine, bridge::Event event) {
  for (auto& action : machine.on(std::move(event), Instant{1}, WallTime{1})) {
    if (auto* quote = std::get_if<bridge::MakeQuote>(&action)) {
      drive(machine, bridge::QuoteReady{quote->ticket, EvidenceMessage{}});
    } else if (auto* proof = std::get_if<bridge::VerifyProof>(&action)) {
      drive(machine, bridge::ProofVerdict{proof->ticket, {}});
    } else if (auto* evidence = std::get_if<bridge::Appraise>(&action)) {
      drive(machine, bridge::AppraisalVerdict{evidence->ticket, true, {}});
    } else if (auto* ask = std::get_if<bridge::AnswerNeeded>(&action)) {
      drive(machine, bridge::AnswerReady{ask->ticket, BridgeAnswer{}});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  ByteView const input(data, size);
  auto const frame = bridge::parse_frame(input);
  if (frame && bridge::write_frame(*frame) != to_bytes(input)) std::abort();

  Bridge machine(config(), Instant{1});
  drive(machine, bridge::HandshakeDone{HostName("shype1")});
  Cursor cursor(input);
  for (int frames = 0; frames < 64 && cursor.remaining() >= 2; ++frames) {
    ByteView const body = cursor.take(cursor.u16be());
    if (!cursor.ok()) break;
    drive(machine, bridge::FrameReceived{to_bytes(body)});
  }
  return 0;
}
