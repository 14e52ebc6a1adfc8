#include "crypto/x509.hpp"

#include <ctime>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/encoding.hpp"
#include "crypto/limits.hpp"
#include "crypto/openssl.hpp"
#include "crypto/x509_internal.hpp"

namespace shamon {
namespace {

using ObjectPtr = OpensslPtr<ASN1_OBJECT, ASN1_OBJECT_free>;
using NamesPtr = OpensslPtr<GENERAL_NAMES, GENERAL_NAMES_free>;

std::optional<WallTime> wall_time(ASN1_TIME const* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return WallTime{static_cast<std::int64_t>(timegm(&parts)) * 1000};
}

/// Refuses what the accessors could not answer about, so that they need not fail.
Result<Certificate> adopt(X509Ptr cert) {
  if (auto supported = check_supported(X509_get0_pubkey(cert.get())); !supported) {
    ERR_clear_error();
    return pass(supported, "certificate");
  }
  if (!wall_time(X509_get0_notBefore(cert.get())) || !wall_time(X509_get0_notAfter(cert.get()))) {
    return fail(Errc::malformed, "certificate validity is not a time");
  }
  // Computes and caches what OpenSSL derives from extensions; they may be broken themselves.
  if (X509_check_purpose(cert.get(), -1, 0) != 1 ||
      (X509_get_extension_flags(cert.get()) & EXFLAG_INVALID) != 0) {
    return fail_openssl(Errc::malformed, "certificate extensions");
  }
  ERR_clear_error();
  return Certificate(share_certificate(std::move(cert)));
}

std::string name_text(X509_NAME const* name) {
  BioPtr const bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  return bio_text(bio.get());
}

}  // namespace

std::shared_ptr<X509> share_certificate(X509Ptr cert) {
  return std::shared_ptr<X509>(cert.release(), X509_free);
}

Result<Certificate> Certificate::from_der(ByteView der) {
  if (der.size() > kCertificateBytesMax) return fail(Errc::too_large, "certificate");
  std::uint8_t const* at = der.data();
  X509Ptr cert(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!cert) return fail_openssl(Errc::malformed, "certificate");
  if (at != der.data() + der.size()) {
    return fail_at(Errc::malformed, static_cast<std::uint64_t>(at - der.data()),
                   "bytes after the certificate");
  }
  return adopt(std::move(cert));
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  BioPtr const bio = memory_bio(pem);
  if (!bio) return fail(Errc::too_large, "certificate PEM");
  X509Ptr cert(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
  if (!cert) return fail_openssl(Errc::malformed, "certificate PEM");
  return adopt(std::move(cert));
}

Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) {
  BioPtr const bio = memory_bio(pem);
  if (!bio) return fail(Errc::too_large, "certificate PEM");
  std::vector<Certificate> all;
  for (;;) {
    X509Ptr cert(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (!cert) break;
    if (all.size() == kBundleCertificatesMax) return fail(Errc::too_large, "certificate bundle");
    auto adopted = adopt(std::move(cert));
    if (!adopted) return pass(adopted, "certificate " + std::to_string(all.size() + 1));
    all.push_back(std::move(*adopted));
  }
  // The end of a bundle shows as "no start line"; anything else is a broken certificate in it.
  unsigned long const last = ERR_peek_last_error();
  bool const at_end =
      ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (!at_end || all.empty()) return fail_openssl(Errc::malformed, "certificate PEM");
  ERR_clear_error();
  return all;
}

Bytes Certificate::der() const {
  std::uint8_t* raw = nullptr;
  int const size = i2d_X509(cert_.get(), &raw);
  if (size <= 0) return {};
  Bytes der(raw, raw + size);
  OPENSSL_free(raw);
  return der;
}

std::string Certificate::pem() const {
  BioPtr const bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), cert_.get());
  return bio_text(bio.get());
}

PublicKey Certificate::public_key() const {
  EVP_PKEY* key = X509_get0_pubkey(cert_.get());
  EVP_PKEY_up_ref(key);
  return PublicKey(share(PkeyPtr(key)));
}

std::string Certificate::subject() const {
  return name_text(X509_get_subject_name(cert_.get()));
}
std::string Certificate::issuer() const {
  return name_text(X509_get_issuer_name(cert_.get()));
}

std::string Certificate::common_name() const {
  X509_NAME const* name = X509_get_subject_name(cert_.get());
  int const index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return {};
  std::uint8_t* raw = nullptr;
  int const size =
      ASN1_STRING_to_UTF8(&raw, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string text(reinterpret_cast<char*>(raw), static_cast<std::size_t>(size));
  OPENSSL_free(raw);
  return text;
}

std::string Certificate::serial_hex() const {
  ASN1_INTEGER const* serial = X509_get0_serialNumber(cert_.get());
  return to_hex(
      {ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))});
}

WallTime Certificate::not_before() const {
  return *wall_time(X509_get0_notBefore(cert_.get()));
}
WallTime Certificate::not_after() const {
  return *wall_time(X509_get0_notAfter(cert_.get()));
}
bool Certificate::is_ca() const {
  return X509_check_ca(cert_.get()) == 1;
}

std::vector<std::string> Certificate::alternative_names() const {
  NamesPtr const names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(cert_.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> texts;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    void const* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_DNS && type != GEN_URI) continue;
    auto const* string = static_cast<ASN1_STRING const*>(value);
    std::string text(reinterpret_cast<char const*>(ASN1_STRING_get0_data(string)),
                     static_cast<std::size_t>(ASN1_STRING_length(string)));
    // A zero inside a name is there to be read differently by someone else.
    if (text.find('\0') == std::string::npos) texts.push_back(std::move(text));
  }
  return texts;
}

std::optional<Bytes> Certificate::extension(std::string const& oid) const {
  ObjectPtr const object(OBJ_txt2obj(oid.c_str(), 1));
  int const index = object ? X509_get_ext_by_OBJ(cert_.get(), object.get(), -1) : -1;
  if (index < 0) {
    ERR_clear_error();
    return std::nullopt;
  }
  ASN1_OCTET_STRING const* data = X509_EXTENSION_get_data(X509_get_ext(cert_.get(), index));
  std::uint8_t const* bytes = ASN1_STRING_get0_data(data);
  return Bytes(bytes, bytes + ASN1_STRING_length(data));
}

Digest Certificate::sha256_fingerprint() const {
  return sha256(der());
}

}  // namespace shamon
