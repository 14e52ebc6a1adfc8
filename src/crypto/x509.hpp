// X.509 certificates: parse, verify chains, issue. RFC 5280; EK certificates: TCG EK Credential
// Profile 2.4.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "crypto/key.hpp"

struct x509_st;

namespace shamon {

class Certificate {
 public:
  static Result<Certificate> from_der(ByteView der);
  static Result<Certificate> from_pem(std::string_view pem);
  /// Every certificate of a PEM bundle.
  static Result<std::vector<Certificate>> all_from_pem(std::string_view pem);

  Bytes der() const;
  std::string pem() const;
  PublicKey public_key() const;
  std::string subject() const;  ///< one line, RFC 2253
  std::string issuer() const;
  std::string common_name() const;
  std::string serial_hex() const;
  WallTime not_before() const;
  WallTime not_after() const;
  bool is_ca() const;
  /// dNSName and uniformResourceIdentifier entries of the subject alternative name.
  std::vector<std::string> alternative_names() const;
  /// Value of an extension by dotted OID, as raw DER content of the OCTET STRING.
  std::optional<Bytes> extension(std::string const& oid) const;
  Digest sha256_fingerprint() const;
  x509_st* native() const noexcept { return cert_.get(); }  ///< for crypto/ only
  explicit Certificate(std::shared_ptr<x509_st> cert) noexcept : cert_(std::move(cert)) {}

 private:
  std::shared_ptr<x509_st> cert_;
};

/// Checks a chain leaf → intermediates → one of `roots` at `now`. A critical subject alternative
/// name with TPM attributes in the leaf (EK certificates) is understood; any other unknown critical
/// extension is refused. Errors: `untrusted` with OpenSSL's reason and the certificate it is about.
Status verify_chain(Certificate const& leaf, std::vector<Certificate> const& intermediates,
                    std::vector<Certificate> const& roots, WallTime now);

/// What an issued certificate says.
struct CertificateTemplate {
  std::string common_name;
  std::vector<std::string> dns_names{};
  std::vector<std::string> ip_addresses{};
  std::vector<std::string> uris{};  ///< e.g. shamon://coalition/boinc/host/shype1
  bool is_ca = false;
  bool for_server = true;  ///< extendedKeyUsage serverAuth
  bool for_client = true;  ///< extendedKeyUsage clientAuth
  WallTime not_before{};
  WallTime not_after{};
  /// Extra extensions: dotted OID and DER content, never critical.
  std::vector<std::pair<std::string, Bytes>> extensions{};
};
Result<Certificate> issue_certificate(CertificateTemplate const& what, PublicKey const& subject_key,
                                      Certificate const& issuer, PrivateKey const& issuer_key);
Result<Certificate> issue_self_signed(CertificateTemplate const& what, PrivateKey const& key);

}  // namespace shamon
