#include "attestation/tpm/templates.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/assert.hpp"

namespace shamon {
namespace {

// TCG EK Credential Profile 2.4 §B.6.2: PolicySecret(TPM_RH_ENDORSEMENT), SHA-256.
constexpr std::array<std::uint8_t, 32> kPolicyASha256 = {
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
// §B.6.5: PolicyOR(PolicyA, PolicyC), SHA-384.
constexpr std::array<std::uint8_t, 48> kPolicyBSha384 = {
    0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a,
    0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca,
    0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12};

constexpr TPMA_OBJECT kBoundToTpm =
    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN;
constexpr TPMA_OBJECT kStorageKey = kBoundToTpm | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;

template <std::size_t N>
void set_policy(TPMT_PUBLIC& area, std::array<std::uint8_t, N> const& policy) noexcept {
  area.authPolicy.size = N;
  std::copy(policy.begin(), policy.end(), area.authPolicy.buffer);
}

void set_aes_cfb(TPMT_SYM_DEF_OBJECT& symmetric, TPMI_AES_KEY_BITS key_bits) noexcept {
  symmetric.algorithm = TPM2_ALG_AES;
  symmetric.keyBits.aes = key_bits;
  symmetric.mode.aes = TPM2_ALG_CFB;
}

TPMS_ECC_PARMS ecc_storage(TPMI_ECC_CURVE curve, TPMI_AES_KEY_BITS key_bits) noexcept {
  TPMS_ECC_PARMS parameters{};
  set_aes_cfb(parameters.symmetric, key_bits);
  parameters.scheme.scheme = TPM2_ALG_NULL;
  parameters.curveID = curve;
  parameters.kdf.scheme = TPM2_ALG_NULL;
  return parameters;
}

}  // namespace

EkKind ek_kind(KeyType type) noexcept {
  switch (type) {
    case KeyType::rsa: return {0x81010001, 0x01c00002, false};
    case KeyType::ecdsa_p256: return {0x81010002, 0x01c0000a, false};
    case KeyType::ecdsa_p384: return {0x81010016, 0x01c00016, true};
  }
  SHAMON_ASSERT(false);
}

TPM2B_PUBLIC ek_template(KeyType type) noexcept {
  TPM2B_PUBLIC out{};
  TPMT_PUBLIC& area = out.publicArea;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kStorageKey | TPMA_OBJECT_ADMINWITHPOLICY;
  switch (type) {
    case KeyType::rsa:
      area.type = TPM2_ALG_RSA;
      set_policy(area, kPolicyASha256);
      set_aes_cfb(area.parameters.rsaDetail.symmetric, 128);
      area.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
      area.parameters.rsaDetail.keyBits = 2048;
      area.unique.rsa.size = 256;
      break;
    case KeyType::ecdsa_p256:
      area.type = TPM2_ALG_ECC;
      set_policy(area, kPolicyASha256);
      area.parameters.eccDetail = ecc_storage(TPM2_ECC_NIST_P256, 128);
      area.unique.ecc.x.size = 32;
      area.unique.ecc.y.size = 32;
      break;
    case KeyType::ecdsa_p384:
      area.type = TPM2_ALG_ECC;
      area.nameAlg = TPM2_ALG_SHA384;
      area.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
      set_policy(area, kPolicyBSha384);
      area.parameters.eccDetail = ecc_storage(TPM2_ECC_NIST_P384, 256);
      break;
  }
  return out;
}

TPM2B_PUBLIC storage_primary_template() noexcept {
  TPM2B_PUBLIC out{};
  TPMT_PUBLIC& area = out.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kStorageKey | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA;
  area.parameters.eccDetail = ecc_storage(TPM2_ECC_NIST_P256, 128);
  area.unique.ecc.x.size = 32;
  area.unique.ecc.y.size = 32;
  return out;
}

TPM2B_PUBLIC ak_template(KeyType type) noexcept {
  SHAMON_ASSERT(type != KeyType::ecdsa_p384);
  TPM2B_PUBLIC out{};
  TPMT_PUBLIC& area = out.publicArea;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = kBoundToTpm | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
                          TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;
  if (type == KeyType::rsa) {
    area.type = TPM2_ALG_RSA;
    area.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
    area.parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
    area.parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
    area.parameters.rsaDetail.keyBits = 2048;
    return out;
  }
  area.type = TPM2_ALG_ECC;
  area.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
  area.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
  area.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
  area.parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
  area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
  return out;
}

}  // namespace shamon
