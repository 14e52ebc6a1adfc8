#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cursor.hpp"
#include "base/ipv4.hpp"
#include "base/ipv4_text.hpp"
#include "crypto/limits.hpp"
#include "crypto/x509_internal.hpp"

namespace shamon {
namespace {

using ExtensionPtr = OpensslPtr<X509_EXTENSION, X509_EXTENSION_free>;
using NamesPtr = OpensslPtr<GENERAL_NAMES, GENERAL_NAMES_free>;

constexpr std::size_t kSerialBytes = 16;
constexpr std::size_t kNamesMax = 64;

/// Extensions are built as structures, never as configuration text, so that no name can smuggle a
/// second one in.
bool add_extension(X509* cert, int nid, void* value, bool critical) {
  return X509_add1_ext_i2d(cert, nid, value, critical ? 1 : 0, X509V3_ADD_APPEND) == 1;
}

bool add_basic_constraints(X509* cert, bool is_ca) {
  OpensslPtr<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> const value(BASIC_CONSTRAINTS_new());
  if (!value) return false;
  value->ca = is_ca ? 0xff : 0;
  return add_extension(cert, NID_basic_constraints, value.get(), true);
}

bool add_key_usage(X509* cert, bool is_ca) {
  OpensslPtr<ASN1_BIT_STRING, ASN1_BIT_STRING_free> const value(ASN1_BIT_STRING_new());
  constexpr int kDigitalSignature = 0, kKeyCertSign = 5, kCrlSign = 6;  // RFC 5280 §4.2.1.3
  if (!value || ASN1_BIT_STRING_set_bit(value.get(), kDigitalSignature, 1) != 1) return false;
  if (is_ca && (ASN1_BIT_STRING_set_bit(value.get(), kKeyCertSign, 1) != 1 ||
                ASN1_BIT_STRING_set_bit(value.get(), kCrlSign, 1) != 1)) {
    return false;
  }
  return add_extension(cert, NID_key_usage, value.get(), true);
}

bool add_extended_key_usage(X509* cert, CertificateTemplate const& what) {
  if (what.is_ca || (!what.for_server && !what.for_client)) return true;
  OpensslPtr<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> const value(EXTENDED_KEY_USAGE_new());
  if (!value) return false;
  if (what.for_server) sk_ASN1_OBJECT_push(value.get(), OBJ_nid2obj(NID_server_auth));
  if (what.for_client) sk_ASN1_OBJECT_push(value.get(), OBJ_nid2obj(NID_client_auth));
  return add_extension(cert, NID_ext_key_usage, value.get(), false);
}

/// RFC 5280 §4.2.1.2 method 1: SHA-1 of the public key's bits names the key; it secures nothing.
Bytes key_identifier(X509 const* cert) {
  ASN1_BIT_STRING const* bits = X509_get0_pubkey_bitstr(cert);
  return to_bytes(hash(HashAlgorithm::sha1, {ASN1_STRING_get0_data(bits),
                                             static_cast<std::size_t>(ASN1_STRING_length(bits))})
                      .bytes());
}

bool add_key_identifiers(X509* cert, X509 const* issuer) {
  Bytes const own = key_identifier(cert);
  Bytes theirs = key_identifier(issuer);
  if (auto const* id = X509_get0_subject_key_id(const_cast<X509*>(issuer)); id != nullptr) {
    theirs.assign(ASN1_STRING_get0_data(id), ASN1_STRING_get0_data(id) + ASN1_STRING_length(id));
  }
  OpensslPtr<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> const subject(ASN1_OCTET_STRING_new());
  OpensslPtr<AUTHORITY_KEYID, AUTHORITY_KEYID_free> const authority(AUTHORITY_KEYID_new());
  if (!subject || !authority) return false;
  authority->keyid = ASN1_OCTET_STRING_new();
  return authority->keyid != nullptr &&
         ASN1_OCTET_STRING_set(subject.get(), own.data(), static_cast<int>(own.size())) == 1 &&
         ASN1_OCTET_STRING_set(authority->keyid, theirs.data(), static_cast<int>(theirs.size())) ==
             1 &&
         add_extension(cert, NID_subject_key_identifier, subject.get(), false) &&
         add_extension(cert, NID_authority_key_identifier, authority.get(), false);
}

bool push_name(GENERAL_NAMES* names, int type, ByteView value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* string =
      ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (name == nullptr || string == nullptr ||
      ASN1_STRING_set(string, value.data(), static_cast<int>(value.size())) != 1) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(string);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, string);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

/// IA5String and no control characters: what dNSName and URI can hold.
bool is_plain_ascii(std::string_view text) {
  return !text.empty() && text.size() <= 1024 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Status add_alternative_names(X509* cert, CertificateTemplate const& what) {
  std::size_t const count = what.dns_names.size() + what.uris.size() + what.ip_addresses.size();
  if (count == 0) return {};
  if (count > kNamesMax) return fail(Errc::too_large, "more alternative names than 64");
  NamesPtr const names(GENERAL_NAMES_new());
  bool pushed = names != nullptr;
  for (std::string const& name : what.dns_names) {
    if (!is_plain_ascii(name)) return fail(Errc::invalid, "dNSName \"" + name + "\"");
    pushed = pushed && push_name(names.get(), GEN_DNS, as_bytes(name));
  }
  for (std::string const& uri : what.uris) {
    if (!is_plain_ascii(uri)) return fail(Errc::invalid, "URI \"" + uri + "\"");
    pushed = pushed && push_name(names.get(), GEN_URI, as_bytes(uri));
  }
  for (std::string const& text : what.ip_addresses) {
    auto const address = parse_ip(text);
    if (!address) return pass(address, "certificate address");
    ByteView const bytes(address->bytes);
    pushed =
        pushed && push_name(names.get(), GEN_IPADD, address->is_ipv4() ? bytes.last(4) : bytes);
  }
  if (!pushed || !add_extension(cert, NID_subject_alt_name, names.get(), false)) {
    return fail_openssl(Errc::crypto, "subject alternative name");
  }
  return {};
}

Status add_extra_extensions(X509* cert, CertificateTemplate const& what) {
  for (auto const& [oid, content] : what.extensions) {
    OpensslPtr<ASN1_OBJECT, ASN1_OBJECT_free> const object(OBJ_txt2obj(oid.c_str(), 1));
    if (!object) return fail_openssl(Errc::invalid, "extension OID " + oid);
    OpensslPtr<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> const data(ASN1_OCTET_STRING_new());
    if (!data ||
        ASN1_OCTET_STRING_set(data.get(), content.data(), static_cast<int>(content.size())) != 1) {
      return fail_openssl(Errc::crypto, "extension " + oid);
    }
    ExtensionPtr const extension(
        X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 0, data.get()));
    if (!extension || X509_add_ext(cert, extension.get(), -1) != 1) {
      return fail_openssl(Errc::crypto, "extension " + oid);
    }
  }
  return {};
}

bool set_basics(X509* cert, CertificateTemplate const& what, EVP_PKEY* subject_key) {
  std::array<std::uint8_t, kSerialBytes> serial;
  fill_random(serial);
  serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3f) | 0x40);  // positive, full length
  BignumPtr const number(BN_bin2bn(serial.data(), kSerialBytes, nullptr));
  X509_NAME* subject = X509_get_subject_name(cert);
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert)) != nullptr &&
         X509_set_version(cert, X509_VERSION_3) == 1 &&
         X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<std::uint8_t const*>(what.common_name.data()),
                                    static_cast<int>(what.common_name.size()), -1, 0) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(cert),
                       static_cast<std::time_t>(what.not_before.unix_ms / 1000)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(cert),
                       static_cast<std::time_t>(what.not_after.unix_ms / 1000)) != nullptr &&
         X509_set_pubkey(cert, subject_key) == 1;
}

Result<Certificate> issue(CertificateTemplate const& what, EVP_PKEY* subject_key, X509* issuer,
                          PrivateKey const& issuer_key) {
  if (what.common_name.empty() || what.common_name.size() > kCommonNameBytesMax) {
    return fail(Errc::invalid,
                "certificate common name of " + std::to_string(what.common_name.size()) + " bytes");
  }
  if (what.not_after <= what.not_before)
    return fail(Errc::invalid, "certificate validity is empty");
  X509Ptr cert(X509_new());
  if (!cert || !set_basics(cert.get(), what, subject_key)) {
    return fail_openssl(Errc::invalid, "certificate");
  }
  X509 const* signer = issuer != nullptr ? issuer : cert.get();
  if (X509_set_issuer_name(cert.get(), X509_get_subject_name(signer)) != 1 ||
      !add_basic_constraints(cert.get(), what.is_ca) || !add_key_usage(cert.get(), what.is_ca) ||
      !add_extended_key_usage(cert.get(), what) || !add_key_identifiers(cert.get(), signer)) {
    return fail_openssl(Errc::crypto, "certificate");
  }
  if (auto names = add_alternative_names(cert.get(), what); !names) return pass(names);
  if (auto extra = add_extra_extensions(cert.get(), what); !extra) return pass(extra);
  EVP_MD const* md = issuer_key.type() == KeyType::ecdsa_p384 ? EVP_sha384() : EVP_sha256();
  if (X509_sign(cert.get(), issuer_key.native(), md) <= 0) {
    return fail_openssl(Errc::crypto, "certificate signature");
  }
  // Through DER once, so that what is held is what others will parse.
  return Certificate::from_der(Certificate(share_certificate(std::move(cert))).der());
}

}  // namespace

Result<Certificate> issue_certificate(CertificateTemplate const& what, PublicKey const& subject_key,
                                      Certificate const& issuer, PrivateKey const& issuer_key) {
  if (!(issuer.public_key() == issuer_key.public_key())) {
    return fail(Errc::invalid, "the issuer's certificate is not for the issuer's key");
  }
  return issue(what, subject_key.native(), issuer.native(), issuer_key);
}

Result<Certificate> issue_self_signed(CertificateTemplate const& what, PrivateKey const& key) {
  return issue(what, key.native(), nullptr, key);
}

}  // namespace shamon
