// The cryptography of credential activation (TPM 2.0 Part 1 §24, B.10, C.6): what make_credential
// does and the software attester undoes.
#pragma once

#include "attestation/tpm.hpp"

namespace shamon {

/// KDFa, the counter-mode KDF with HMAC (Part 1 §11.4.10.2). `bits` is a multiple of 8. The label's
/// terminating zero is added here.
Bytes kdfa(HashAlgorithm hash, ByteView key, std::string_view label, ByteView context_u,
           ByteView context_v, std::uint32_t bits);
/// KDFe, the KDF over an ECDH secret (Part 1 §11.4.10.3).
Bytes kdfe(HashAlgorithm hash, ByteView z, std::string_view label, ByteView party_u,
           ByteView party_v, std::uint32_t bits);

/// Affine coordinates of an EC key, each of the field's size. Errors: `invalid` for RSA.
struct EcPoint {
  Bytes x, y;
};
Result<EcPoint> ec_point(PublicKey const& key);

/// Secret under a seed, bound to a name: TPM2B_ID_OBJECT. `hash` is the EK's name algorithm; its
/// strength also chooses AES-128 or AES-256, as the TCG templates pair them.
Result<Bytes> wrap_credential(HashAlgorithm hash, ByteView seed, ByteView name, ByteView secret);
/// The inverse. Errors: `untrusted` if the HMAC does not match (another name or seed), `malformed`.
Result<Bytes> unwrap_credential(HashAlgorithm hash, ByteView seed, ByteView name,
                                ByteView id_object);

}  // namespace shamon
