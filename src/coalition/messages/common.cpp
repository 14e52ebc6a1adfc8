#include "coalition/messages/common.hpp"

#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(EvidenceMessage);
SHAMON_DEFINE_CODEC(ChallengeMessage);
SHAMON_DEFINE_CODEC(FindingMessage);
SHAMON_DEFINE_CODEC(Refusal);
SHAMON_DEFINE_CODEC(ReferenceValueMessage);
SHAMON_DEFINE_CODEC(VmEntry);
SHAMON_DEFINE_CODEC(MemberEntry);

EvidenceMessage to_message(Evidence const& evidence) {
  EvidenceMessage out;
  out.attest = evidence.attest;
  out.signature = evidence.signature;
  out.event_log = evidence.event_log;
  out.ima_log = evidence.ima_log;
  out.ima_offset = evidence.ima_offset;
  out.reset_count = evidence.reset_count;
  return out;
}

Evidence to_evidence(EvidenceMessage const& message) {
  Evidence out;
  out.attest = message.attest;
  out.signature = message.signature;
  out.event_log = message.event_log;
  out.ima_log = message.ima_log;
  out.ima_offset = message.ima_offset;
  out.reset_count = message.reset_count;
  return out;
}

ChallengeMessage to_message(Challenge const& challenge) {
  ChallengeMessage out;
  out.nonce = challenge.nonce;
  out.pcr_mask = challenge.pcrs.mask;
  out.ima_offset = challenge.ima_offset;
  out.reset_count = challenge.reset_count;
  return out;
}

Challenge to_challenge(ChallengeMessage const& message, ByteView qualifying_data) {
  Challenge out;
  out.nonce = to_bytes(qualifying_data);
  out.pcrs = PcrSelection{HashAlgorithm::sha256, message.pcr_mask};
  out.ima_offset = message.ima_offset;
  out.reset_count = message.reset_count;
  return out;
}

FindingMessage to_message(AppraisalFinding const& finding) {
  FindingMessage out;
  out.rule = to_string(finding.rule);
  out.component = finding.component;
  out.entry = finding.entry;
  out.found = finding.found.hex();
  for (Digest const& digest : finding.known) out.known.push_back(digest.hex());
  out.text = finding.text;
  return out;
}

}  // namespace shamon
