// Owners of X.509 objects, shared by the files of crypto/ that deal in them.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "crypto/openssl.hpp"
#include "crypto/x509.hpp"

namespace shamon {

inline void free_certificate_stack(STACK_OF(X509) * stack) {
  sk_X509_free(stack);
}

using X509Ptr = OpensslPtr<X509, X509_free>;
using StorePtr = OpensslPtr<X509_STORE, X509_STORE_free>;
using StoreContextPtr = OpensslPtr<X509_STORE_CTX, X509_STORE_CTX_free>;
/// Holds the certificates without owning them.
using CertificateStackPtr = OpensslPtr<STACK_OF(X509), free_certificate_stack>;

std::shared_ptr<X509> share_certificate(X509Ptr cert);

/// A store that trusts exactly `roots`, whether they are self-signed or not (RFC 5280 §6.1.1 d),
/// and asks for 112 bits of security from keys and signatures.
Result<StorePtr> make_trust_store(std::vector<Certificate> const& roots);

}  // namespace shamon
