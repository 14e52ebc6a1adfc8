// Host to host (messages 5–7), frames over mutual TLS 1.3 with membership certificates: u8 kind,
// then CBOR.
#pragma once

#include "coalition/messages/common.hpp"
#include "crypto/aead_algorithm.hpp"

namespace shamon {

enum class BridgeKind : std::uint8_t {
  hello = 1,
  hello_reply,
  evidence,
  established,
  refused,
  challenge,
  answer,
  close,
  rekey
};

struct BridgeHello {  ///< initiator: one label per association
  HostName host;
  LabelName label;
  Revision policy_revision;
  std::uint32_t spi_in = 0;          ///< what the peer shall send with
  Bytes nonce;                       ///< for the peer's quote
  std::string want;                  ///< "authority" | "direct" | "both": what this side demands
  std::vector<std::string> ciphers;  ///< for ESP, by IANA's names, the preferred first
  std::uint32_t lanes = 1;           ///< SAs each way the sender's gate needs, 1 to 16 (RFC 9611)
  bool extended_sequence = false;    ///< the sender would use ESN; it is used if both would
  static constexpr auto kFields =
      fields(field("host", &BridgeHello::host), field("label", &BridgeHello::label),
             field("policy_revision", &BridgeHello::policy_revision),
             field("spi_in", &BridgeHello::spi_in), field("nonce", &BridgeHello::nonce),
             field("want", &BridgeHello::want), field("ciphers", &BridgeHello::ciphers),
             field("lanes", &BridgeHello::lanes),
             field("extended_sequence", &BridgeHello::extended_sequence));
  static constexpr Limits kLimits{.bytes_max = 4096};
};
/// Evidence bound to the channel: qualifyingData = SHA-256(peer nonce ‖ TLS exporter ‖ label ‖
/// revision).
struct BridgeEvidence {
  std::string proof;  ///< EAR of the sender
  std::optional<EvidenceMessage> evidence;
  static constexpr auto kFields =
      fields(field("proof", &BridgeEvidence::proof), field("evidence", &BridgeEvidence::evidence));
  static constexpr Limits kLimits{.bytes_max = 12u << 20};
};
struct BridgeRefused {
  std::string code, message;
  static constexpr auto kFields =
      fields(field("code", &BridgeRefused::code), field("message", &BridgeRefused::message));
  static constexpr Limits kLimits{.bytes_max = 8192};
};
/// Again, every challenge period: the host itself and VMs of the label.
struct BridgeChallenge {
  std::uint64_t sequence = 0;
  ChallengeMessage host;
  struct Vm {
    VmName vm;
    ChallengeMessage challenge;
    static constexpr auto kFields =
        fields(field("vm", &Vm::vm), field("challenge", &Vm::challenge));
    static constexpr Limits kLimits{.bytes_max = 8192};
  };
  std::vector<Vm> vms;
  static constexpr auto kFields =
      fields(field("sequence", &BridgeChallenge::sequence), field("host", &BridgeChallenge::host),
             field("vms", &BridgeChallenge::vms));
  static constexpr Limits kLimits{.bytes_max = 1u << 20};
};
struct BridgeAnswer {
  std::uint64_t sequence = 0;
  std::optional<EvidenceMessage> host;
  struct Vm {
    VmName vm;
    std::optional<EvidenceMessage> evidence;
    std::string error;
    static constexpr auto kFields =
        fields(field("vm", &Vm::vm), field("evidence", &Vm::evidence), field("error", &Vm::error));
    static constexpr Limits kLimits{.bytes_max = 12u << 20};
  };
  std::vector<Vm> vms;
  static constexpr auto kFields =
      fields(field("sequence", &BridgeAnswer::sequence), field("host", &BridgeAnswer::host),
             field("vms", &BridgeAnswer::vms));
  static constexpr Limits kLimits{.bytes_max = 64u << 20};
};

Bytes bridge_qualifying_data(ByteView peer_nonce, ByteView exporter, LabelName const& label,
                             Revision policy_revision);
inline constexpr std::string_view kBridgeExporterLabel = "EXPORTER-shamon-evidence";
inline constexpr std::string_view kEspExporterLabel = "EXPORTER-shamon-esp";
/// Context of the ESP key export: label, both SPIs, revision, cipher. Two ends that disagree cannot
/// decrypt each other.
Bytes esp_key_context(LabelName const& label, std::uint32_t initiator_spi_in,
                      std::uint32_t responder_spi_in, Revision policy_revision,
                      AeadAlgorithm algorithm);

}  // namespace shamon
