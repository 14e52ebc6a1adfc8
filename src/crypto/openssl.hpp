// What every user of OpenSSL in this folder needs: owners and errors. For crypto/ only.
#pragma once

#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/hash.hpp"

namespace shamon {

template <auto kFree>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
template <class T, auto kFree>
using OpensslPtr = std::unique_ptr<T, OpensslFree<kFree>>;

using BioPtr = OpensslPtr<BIO, BIO_free_all>;
using BignumPtr = OpensslPtr<BIGNUM, BN_free>;
using PkeyPtr = OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using PkeyCtxPtr = OpensslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

/// The oldest error of this thread's OpenSSL queue as ours; empties the queue.
Error openssl_error(Errc code, std::string_view doing);
inline tl::unexpected<Error> fail_openssl(Errc code, std::string_view doing) {
  return tl::unexpected<Error>(openssl_error(code, doing));
}

/// A read-only BIO over text that outlives it. Null if the text is over kPemBytesMax.
BioPtr memory_bio(std::string_view text);
/// What was written into a memory BIO.
std::string bio_text(BIO* bio);
/// A password callback that has none: OpenSSL's own would ask on the terminal.
int no_password(char* buffer, int size, int rwflag, void* user) noexcept;

EVP_MD const* message_digest(HashAlgorithm algorithm) noexcept;
std::shared_ptr<EVP_PKEY> share(PkeyPtr key);
/// Errors: `unsupported` unless P-256, P-384 or RSA of kRsaBitsMin…kRsaBitsMax.
Status check_supported(EVP_PKEY const* key);

}  // namespace shamon
