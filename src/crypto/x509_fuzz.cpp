// Certificates, keys and PEM bundles from anywhere: refused or fully readable, never a crash.
#include <cstdint>
#include <cstdlib>

#include "crypto/x509.hpp"

using namespace shamon;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  ByteView const input(data, size);
  if (auto cert = Certificate::from_der(input)) {
    // What was accepted answers every question and survives a round trip.
    auto const again = Certificate::from_pem(cert->pem());
    if (!again || again->sha256_fingerprint() != cert->sha256_fingerprint()) std::abort();
    (void)cert->subject();
    (void)cert->issuer();
    (void)cert->common_name();
    (void)cert->serial_hex();
    (void)cert->alternative_names();
    (void)cert->extension("2.5.29.17");
    (void)cert->not_before();
    (void)cert->not_after();
    (void)cert->is_ca();
    if (cert->public_key().spki_der().empty()) std::abort();
    (void)verify_chain(*cert, {*cert}, {*cert}, WallTime{1'800'000'000'000});
  }
  (void)Certificate::all_from_pem(as_text(input));
  (void)PublicKey::from_spki_der(input);
  (void)PublicKey::from_pem(as_text(input));
  return 0;
}
