// AES in CFB mode with a 128-bit feedback: how a TPM encrypts protected areas (TPM 2.0 Part 1
// §11.4.4). It has no integrity of its own; the TPM formats put an HMAC around it.
#pragma once

#include "base/bytes.hpp"

namespace shamon {

/// `key` of 16 or 32 bytes, `iv` of 16. Errors: `invalid` for other sizes, `crypto`.
Result<Bytes> aes_cfb_encrypt(ByteView key, ByteView iv, ByteView plain);
Result<Bytes> aes_cfb_decrypt(ByteView key, ByteView iv, ByteView cipher);

}  // namespace shamon
