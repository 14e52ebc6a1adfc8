#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "crypto/limits.hpp"
#include "crypto/x509_internal.hpp"

namespace shamon {
namespace {

constexpr int kSecurityLevel = 2;  // OpenSSL's scale: 112 bits; RSA-2048 and SHA-256 pass

/// The one critical content OpenSSL passes without looking inside: a subject alternative name.
/// RFC 5280 §4.2: critical and not understood means refused. We understand dNSName, URI, IP, mail
/// and, for EK certificates, a directoryName of TPM attributes (EK Credential Profile 2.4 §3.1.2).
Status check_alternative_name(X509* cert) {
  int critical = 0;
  OpensslPtr<GENERAL_NAMES, GENERAL_NAMES_free> const names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, nullptr)));
  if (critical == -1) return {};  // none
  if (!names) return fail_openssl(Errc::untrusted, "subject alternative name");
  for (int i = 0; critical == 1 && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    void const* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type == GEN_DNS || type == GEN_URI || type == GEN_IPADD || type == GEN_EMAIL) continue;
    if (type != GEN_DIRNAME) {
      return fail(Errc::untrusted, "critical subject alternative name of an unknown kind");
    }
    auto const* name = static_cast<X509_NAME const*>(value);
    for (int entry = 0; entry < X509_NAME_entry_count(name); ++entry) {
      char oid[64] = {};
      OBJ_obj2txt(oid, sizeof oid, X509_NAME_ENTRY_get_object(X509_NAME_get_entry(name, entry)), 1);
      // tcg-at-tpmManufacturer, -tpmModel, -tpmVersion and their kin: 2.23.133.2.*
      if (std::string_view(oid).rfind("2.23.133.2.", 0) != 0) {
        return fail(Errc::untrusted,
                    std::string("critical subject alternative name with attribute ") + oid);
      }
    }
  }
  return {};
}

}  // namespace

Result<StorePtr> make_trust_store(std::vector<Certificate> const& roots) {
  StorePtr store(X509_STORE_new());
  if (!store) return fail_openssl(Errc::crypto, "trust store");
  for (Certificate const& root : roots) {
    if (X509_STORE_add_cert(store.get(), root.native()) != 1) {
      return fail_openssl(Errc::crypto, "trust store");
    }
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kChainCertificatesMax));
  return store;
}

Status verify_chain(Certificate const& leaf, std::vector<Certificate> const& intermediates,
                    std::vector<Certificate> const& roots, WallTime now) {
  if (intermediates.size() > kChainCertificatesMax) {
    return fail(Errc::too_large, "chain of " + std::to_string(intermediates.size()));
  }
  auto store = make_trust_store(roots);
  if (!store) return pass(store);
  CertificateStackPtr const untrusted(sk_X509_new_null());
  for (Certificate const& cert : intermediates) sk_X509_push(untrusted.get(), cert.native());
  StoreContextPtr const context(X509_STORE_CTX_new());
  if (!context ||
      X509_STORE_CTX_init(context.get(), store->get(), leaf.native(), untrusted.get()) != 1) {
    return fail_openssl(Errc::crypto, "chain verification");
  }
  std::int64_t const seconds = now.unix_ms / 1000;
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()),
                             static_cast<std::time_t>(seconds));
  if (X509_verify_cert(context.get()) != 1) {
    int const error = X509_STORE_CTX_get_error(context.get());
    std::string message = X509_verify_cert_error_string(error);
    if (X509* about = X509_STORE_CTX_get_current_cert(context.get()); about != nullptr) {
      BioPtr const bio(BIO_new(BIO_s_mem()));
      X509_NAME_print_ex(bio.get(), X509_get_subject_name(about), 0, XN_FLAG_RFC2253);
      message += ": " + bio_text(bio.get());
    }
    ERR_clear_error();
    return fail(Errc::untrusted, std::move(message));
  }
  STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    if (auto names = check_alternative_name(sk_X509_value(chain, i)); !names) return names;
  }
  ERR_clear_error();
  return {};
}

}  // namespace shamon
