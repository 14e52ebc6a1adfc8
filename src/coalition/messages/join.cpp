#include "coalition/messages/join.hpp"

#include "coalition/codec_impl.hpp"
#include "crypto/hash.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(ChallengeRequest);
SHAMON_DEFINE_CODEC(JoinRequest);
SHAMON_DEFINE_CODEC(JoinAccepted);
SHAMON_DEFINE_CODEC(EvidenceRequest);
SHAMON_DEFINE_CODEC(EvidenceAccepted);

Bytes join_qualifying_data(ByteView nonce, ByteView tls_public) {
  return to_bytes(hash_pair(HashAlgorithm::sha256, nonce, sha256(tls_public).bytes()).bytes());
}

}  // namespace shamon
