#include "authority/keys.hpp"

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"

namespace shamon {
namespace {

constexpr Duration kDay = std::chrono::hours(24);
constexpr Duration kCaLife = 10 * 365 * kDay;
constexpr Duration kServerLife = 365 * kDay;
constexpr std::size_t kPemFileBytesMax = 1u << 20;

Result<PrivateKey> load_or_create_key(std::string const& path) {
  if (::access(path.c_str(), F_OK) == 0) {
    auto const pem = read_text_file(path, kPemFileBytesMax);
    if (!pem) return pass(pem);
    auto key = PrivateKey::from_pem(*pem);
    if (!key) return pass(key, path);
    return key;
  }
  auto key = PrivateKey::generate(KeyType::ecdsa_p256);
  if (!key) return key;
  auto const written = write_file_atomically(path, as_bytes(key->pem()), 0600);
  if (!written) return pass(written);
  return key;
}

Result<Certificate> load_or_create_ca(std::string const& path, CoalitionName const& coalition,
                                      PrivateKey const& key, WallTime now) {
  if (::access(path.c_str(), F_OK) == 0) {
    auto const pem = read_text_file(path, kPemFileBytesMax);
    if (!pem) return pass(pem);
    auto certificate = Certificate::from_pem(*pem);
    if (!certificate) return pass(certificate, path);
    if (!(certificate->public_key() == key.public_key())) {
      return fail(Errc::malformed, path + ": not the certificate of ca-key.pem");
    }
    if (certificate->not_after() <= now) return fail(Errc::stale, path + ": the CA has ended");
    return certificate;
  }
  CertificateTemplate what;
  what.common_name = coalition.value() + " coalition authority";
  what.is_ca = true;
  what.not_before = now + -kClockSkew;
  what.not_after = now + kCaLife;
  auto certificate = issue_self_signed(what, key);
  if (!certificate) return pass(certificate, "coalition CA");
  auto const written = write_file_atomically(path, as_bytes(certificate->pem()), 0644);
  if (!written) return pass(written);
  return certificate;
}

}  // namespace

Result<AuthorityIdentity> load_or_create_identity(std::string const& state_folder,
                                                  CoalitionName const& coalition,
                                                  ServerNames const& names, WallTime now) {
  auto ca_key = load_or_create_key(state_folder + "/ca-key.pem");
  if (!ca_key) return pass(ca_key);
  auto status_key = load_or_create_key(state_folder + "/status-key.pem");
  if (!status_key) return pass(status_key);
  auto server_key = load_or_create_key(state_folder + "/server-key.pem");
  if (!server_key) return pass(server_key);
  auto ca = load_or_create_ca(state_folder + "/ca.pem", coalition, *ca_key, now);
  if (!ca) return pass(ca);
  CertificateTemplate what;
  what.common_name = "shamon-authority";
  what.dns_names = names.dns_names;
  what.ip_addresses = names.ip_addresses;
  what.for_client = false;
  what.not_before = now + -kClockSkew;
  what.not_after = now + kServerLife;
  auto server = issue_certificate(what, server_key->public_key(), *ca, *ca_key);
  if (!server) return pass(server, "server certificate");
  auto const written =
      write_file_atomically(state_folder + "/server.pem", as_bytes(server->pem()), 0644);
  if (!written) return pass(written);
  AuthorityIdentity out{{*ca, std::move(*ca_key), std::move(*status_key)}, {}};
  out.server.chain = {std::move(*server), std::move(*ca)};
  out.server.key = std::move(*server_key);
  return out;
}

}  // namespace shamon
