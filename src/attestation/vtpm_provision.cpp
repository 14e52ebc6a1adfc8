#include "attestation/vtpm_provision.hpp"

namespace shamon {

Result<AttestationKey> provision_vtpm(std::string const& tcti) {
  auto const tpm = open_tpm(tcti);
  if (!tpm) return pass(tpm, "provision vTPM");
  auto const ak = (*tpm)->create_ak(KeyType::ecdsa_p256);
  if (!ak) return pass(ak, "provision vTPM");
  return (*tpm)->persist_ak(*ak, kVtpmAkHandle);
}

}  // namespace shamon
