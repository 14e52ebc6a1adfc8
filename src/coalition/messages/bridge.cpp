#include "coalition/messages/bridge.hpp"

#include "base/byte_writer.hpp"
#include "coalition/codec_impl.hpp"
#include "crypto/hash.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(BridgeHello);
SHAMON_DEFINE_CODEC(BridgeEvidence);
SHAMON_DEFINE_CODEC(BridgeRefused);
SHAMON_DEFINE_CODEC(BridgeChallenge);
SHAMON_DEFINE_CODEC(BridgeAnswer);

Bytes bridge_qualifying_data(ByteView peer_nonce, ByteView exporter, LabelName const& label,
                             Revision policy_revision) {
  ByteWriter text;
  text.bytes(peer_nonce).bytes(exporter).bytes(as_bytes(label.value()));
  text.u64be(policy_revision.value());
  return to_bytes(sha256(text.view()).bytes());
}

Bytes esp_key_context(LabelName const& label, std::uint32_t initiator_spi_in,
                      std::uint32_t responder_spi_in, Revision policy_revision,
                      AeadAlgorithm algorithm) {
  ByteWriter context;
  context.u16be(static_cast<std::uint16_t>(label.value().size()));
  context.bytes(as_bytes(label.value()));
  context.u32be(initiator_spi_in).u32be(responder_spi_in).u64be(policy_revision.value());
  // As IKE names a cipher: transform id and the attribute "key length" (RFC 7296 §3.3.2, §3.3.5).
  context.u16be(aead_transform_id(algorithm));
  context.u16be(static_cast<std::uint16_t>(8 * aead_key_bytes(algorithm)));
  return std::move(context).take();
}

}  // namespace shamon
