#include "attestation/soft_tpm.hpp"

#include <algorithm>

#include "attestation/credential.hpp"
#include "attestation/limits.hpp"
#include "base/byte_writer.hpp"
#include "base/cursor.hpp"
#include "base/secret.hpp"

namespace shamon {
namespace {

// Numbers of TPM 2.0 Part 2: TPM_ALG_ID (§6.3), TPM_ECC_CURVE (§6.4), TPMA_OBJECT (§8.3),
// TPM_GENERATED (§6.2), TPM_ST_ATTEST_QUOTE (§6.9).
constexpr std::uint16_t kAlgRsa = 0x0001;
constexpr std::uint16_t kAlgAes = 0x0006;
constexpr std::uint16_t kAlgNull = 0x0010;
constexpr std::uint16_t kAlgRsassa = 0x0014;
constexpr std::uint16_t kAlgEcdsa = 0x0018;
constexpr std::uint16_t kAlgEcc = 0x0023;
constexpr std::uint16_t kAlgCfb = 0x0043;
constexpr std::uint16_t kCurveP256 = 0x0003;
constexpr std::uint16_t kCurveP384 = 0x0004;
constexpr std::uint32_t kEkAttributes = 0x000300b2;
constexpr std::uint32_t kAkAttributes = 0x00050472;
constexpr std::uint32_t kGenerated = 0xff544347;
constexpr std::uint16_t kAttestQuote = 0x8018;

struct Shape {
  bool is_ek = false;
  std::uint32_t attributes = 0;
  HashAlgorithm name_algorithm = HashAlgorithm::sha256;
};

ByteWriter& sized_buffer(ByteWriter& out, ByteView bytes) {
  return out.u16be(static_cast<std::uint16_t>(bytes.size())).bytes(bytes);
}

std::uint16_t id(HashAlgorithm algorithm) noexcept {
  return static_cast<std::uint16_t>(algorithm);
}

/// RFC 8017 A.1.1: an SPKI with exponent 65537 ends in modulus ‖ 02 03 01 00 01.
Result<Bytes> modulus_2048(PublicKey const& key) {
  Bytes const der = key.spki_der();
  if (der.size() < 261) return fail(Errc::unsupported, "RSA key is not of 2048 bits");
  return Bytes(der.end() - 261, der.end() - 5);
}

void write_symmetric(ByteWriter& out, Shape const& shape) {
  if (!shape.is_ek) {
    out.u16be(kAlgNull);
    return;
  }
  out.u16be(kAlgAes).u16be(shape.name_algorithm == HashAlgorithm::sha384 ? 256 : 128);
  out.u16be(kAlgCfb);
}

/// TPMT_PUBLIC (Part 2 §12.2.4). Policies are left out: nothing here enforces them.
Result<Bytes> public_area(PublicKey const& key, Shape const& shape) {
  ByteWriter out;
  bool const rsa = key.type() == KeyType::rsa;
  out.u16be(rsa ? kAlgRsa : kAlgEcc).u16be(id(shape.name_algorithm)).u32be(shape.attributes);
  out.u16be(0);
  write_symmetric(out, shape);
  if (shape.is_ek) {
    out.u16be(kAlgNull);
  } else {
    out.u16be(rsa ? kAlgRsassa : kAlgEcdsa).u16be(id(HashAlgorithm::sha256));
  }
  if (rsa) {
    auto const modulus = modulus_2048(key);
    if (!modulus) return pass(modulus);
    out.u16be(2048).u32be(0);
    sized_buffer(out, *modulus);
  } else {
    auto const point = ec_point(key);
    if (!point) return pass(point);
    out.u16be(key.type() == KeyType::ecdsa_p256 ? kCurveP256 : kCurveP384).u16be(kAlgNull);
    sized_buffer(out, point->x);
    sized_buffer(out, point->y);
  }
  ByteWriter whole;
  sized_buffer(whole, out.view());
  return std::move(whole).take();
}

Shape ek_shape(KeyType type) noexcept {
  return {true, kEkAttributes,
          type == KeyType::ecdsa_p384 ? HashAlgorithm::sha384 : HashAlgorithm::sha256};
}

/// The seed as the EK's owner recovers it: the inverse of what make_credential sends.
Result<Bytes> recover_seed(PrivateKey const& ek, HashAlgorithm hash, ByteView encrypted_secret) {
  Cursor cursor(encrypted_secret);
  Cursor secret(cursor.take(cursor.u16be()));
  if (!cursor.ok() || !cursor.at_end()) return fail(Errc::malformed, "encrypted seed");
  if (ek.type() == KeyType::rsa) return ek.decrypt_oaep(hash, "IDENTITY", secret.rest());
  ByteView const x = secret.take(secret.u16be());
  ByteView const y = secret.take(secret.u16be());
  if (!secret.ok() || !secret.at_end()) return fail(Errc::malformed, "ephemeral point");
  auto const ephemeral = PublicKey::from_ec_point(ek.type(), x, y);
  if (!ephemeral) return pass(ephemeral);
  auto const z = ek.ecdh_x(*ephemeral);
  if (!z) return pass(z);
  auto const ours = ec_point(ek.public_key());
  if (!ours) return pass(ours);
  return kdfe(hash, *z, "IDENTITY", x, ours->x, static_cast<std::uint32_t>(digest_size(hash) * 8));
}

Result<Bytes> sign_as_tpm(PrivateKey const& key, ByteView message) {
  ByteWriter out;
  if (key.type() == KeyType::rsa) {
    auto const signature = key.sign(SignatureScheme::rsassa_pkcs1, HashAlgorithm::sha256, message);
    if (!signature) return pass(signature);
    out.u16be(kAlgRsassa).u16be(id(HashAlgorithm::sha256));
    sized_buffer(out, *signature);
    return std::move(out).take();
  }
  auto const raw = key.sign_ecdsa_raw(HashAlgorithm::sha256, message);
  if (!raw) return pass(raw);
  ByteView const both(*raw);
  out.u16be(kAlgEcdsa).u16be(id(HashAlgorithm::sha256));
  sized_buffer(out, both.first(raw->size() / 2));
  sized_buffer(out, both.last(raw->size() / 2));
  return std::move(out).take();
}

}  // namespace

SoftTpm::SoftTpm(std::vector<HashAlgorithm> banks) {
  for (HashAlgorithm bank : banks) banks_.emplace_back(bank);
}

void SoftTpm::reboot() {
  for (PcrBank& bank : banks_) bank = PcrBank(bank.algorithm());
  ++reset_count_;
  clock_ms_ += 1;
}

Result<SoftTpm::Ek*> SoftTpm::ek(KeyType type) {
  auto& slot = eks_[static_cast<std::size_t>(type)];
  if (!slot) {
    auto key = PrivateKey::generate(type);
    if (!key) return pass(key);
    auto area = public_area(key->public_key(), ek_shape(type));
    if (!area) return pass(area);
    slot.emplace(Ek{std::move(*key), std::move(*area), {}});
  }
  return &*slot;
}

Status SoftTpm::issue_ek_certificate(KeyType type, std::string const& common_name,
                                     Certificate const& issuer, PrivateKey const& issuer_key,
                                     WallTime not_before, WallTime not_after) {
  auto const endorsement = ek(type);
  if (!endorsement) return pass(endorsement);
  CertificateTemplate what;
  what.common_name = common_name;
  what.for_server = false;
  what.for_client = false;
  what.not_before = not_before;
  what.not_after = not_after;
  auto certificate = issue_certificate(what, (*endorsement)->key.public_key(), issuer, issuer_key);
  if (!certificate) return pass(certificate);
  (*endorsement)->certificate = std::move(*certificate);
  return {};
}

Result<Bytes> SoftTpm::ek_public(KeyType type) {
  auto const endorsement = ek(type);
  if (!endorsement) return pass(endorsement);
  return (*endorsement)->public_area;
}

Result<std::optional<Certificate>> SoftTpm::ek_certificate(KeyType type) {
  auto const endorsement = ek(type);
  if (!endorsement) return pass(endorsement);
  return (*endorsement)->certificate;
}

Result<AttestationKey> SoftTpm::create_ak(KeyType type) {
  if (type == KeyType::ecdsa_p384) {
    return fail(Errc::unsupported, "attestation keys are ECDSA P-256 or RSA-2048");
  }
  auto key = PrivateKey::generate(type);
  if (!key) return pass(key);
  auto area = public_area(key->public_key(), {false, kAkAttributes, HashAlgorithm::sha256});
  if (!area) return pass(area);
  auto const parsed = parse_tpm_public(*area);
  if (!parsed) return pass(parsed);
  ByteWriter slot;
  slot.u32be(static_cast<std::uint32_t>(aks_.size()));
  aks_.push_back(Ak{std::move(*key), *area, parsed->name});
  return AttestationKey{std::move(*area), std::move(slot).take(), 0};
}

Result<SoftTpm::Ak const*> SoftTpm::find(AttestationKey const& key) const {
  std::size_t slot = aks_.size();
  if (key.private_area.empty()) {
    auto const it = persistent_.find(key.handle);
    if (it != persistent_.end()) slot = it->second;
  } else {
    Cursor cursor(key.private_area);
    slot = cursor.u32be();
    if (!cursor.ok()) slot = aks_.size();
  }
  if (slot >= aks_.size()) return fail(Errc::not_found, "no such attestation key");
  return &aks_[slot];
}

Result<AttestationKey> SoftTpm::persist_ak(AttestationKey const& key, std::uint32_t handle) {
  auto const ak = find(key);
  if (!ak) return pass(ak);
  auto const is_it = [&](Ak const& other) { return &other == *ak; };
  auto const at = std::find_if(aks_.begin(), aks_.end(), is_it) - aks_.begin();
  persistent_[handle] = static_cast<std::size_t>(at);
  return AttestationKey{(*ak)->public_area, {}, handle};
}

Result<Bytes> SoftTpm::activate_credential(KeyType type, AttestationKey const& ak,
                                           CredentialBlob const& blob) {
  auto const key = find(ak);
  if (!key) return pass(key);
  auto const endorsement = ek(type);
  if (!endorsement) return pass(endorsement);
  HashAlgorithm const hash = ek_shape(type).name_algorithm;
  auto const seed = recover_seed((*endorsement)->key, hash, blob.encrypted_secret);
  if (!seed) return pass(seed);
  return unwrap_credential(hash, *seed, (*key)->name, blob.id_object);
}

Result<SignedQuote> SoftTpm::quote(AttestationKey const& ak, ByteView qualifying_data,
                                   PcrSelection const& pcrs) {
  if (qualifying_data.size() > kQualifyingDataBytesMax) {
    return fail(Errc::too_large, "qualifying data is longer than a quote can hold");
  }
  auto const key = find(ak);
  if (!key) return pass(key);
  auto const values = read_pcrs(pcrs);
  if (!values) return pass(values);
  ByteWriter out;
  out.u32be(kGenerated).u16be(kAttestQuote);
  sized_buffer(out, (*key)->name);
  sized_buffer(out, qualifying_data);
  out.u64be(clock_ms_).u32be(reset_count_).u32be(0).u8(1);
  out.u64be(0);  // firmware version
  out.u32be(1).u16be(id(pcrs.bank)).u8(3);
  for (unsigned i = 0; i < 3; ++i) out.u8(static_cast<std::uint8_t>(pcrs.mask >> (8 * i)));
  sized_buffer(out, digest_of_pcrs(HashAlgorithm::sha256, *values).bytes());
  auto signature = sign_as_tpm((*key)->key, out.view());
  if (!signature) return pass(signature);
  return SignedQuote{std::move(out).take(), std::move(*signature)};
}

Result<std::vector<Digest>> SoftTpm::read_pcrs(PcrSelection const& pcrs) {
  for (PcrBank const& bank : banks_) {
    if (bank.algorithm() != pcrs.bank) continue;
    std::vector<Digest> values;
    for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
      if ((pcrs.mask >> pcr & 1) != 0) values.push_back(bank.value(PcrIndex(pcr)));
    }
    return values;
  }
  return fail(Errc::unsupported, "the TPM has no such PCRs in this bank");
}

Result<std::vector<HashAlgorithm>> SoftTpm::active_banks() {
  std::vector<HashAlgorithm> algorithms;
  for (PcrBank const& bank : banks_) algorithms.push_back(bank.algorithm());
  return algorithms;
}

Status SoftTpm::extend(PcrIndex pcr, std::vector<Digest> const& digests) {
  if (pcr.value() >= kPcrCount) return fail(Errc::invalid, "no such PCR");
  for (PcrBank& bank : banks_) {
    auto const given = std::find_if(digests.begin(), digests.end(), [&](Digest const& d) {
      return d.algorithm() == bank.algorithm();
    });
    if (given == digests.end()) {
      return fail(Errc::invalid,
                  "no digest for the active bank " + std::string(to_string(bank.algorithm())));
    }
    bank.extend(pcr, *given);
  }
  return {};
}

}  // namespace shamon
