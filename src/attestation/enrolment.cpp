#include "attestation/enrolment.hpp"

#include "attestation/credential.hpp"
#include "attestation/limits.hpp"
#include "base/byte_writer.hpp"
#include "base/secret.hpp"

namespace shamon {
namespace {

constexpr std::string_view kIdentityLabel = "IDENTITY";  // Part 1 B.10.4, C.6.1

// TPMA_OBJECT bits (Part 2 §8.3) that every EK template has.
constexpr std::uint32_t kFixedTpm = 1u << 1;
constexpr std::uint32_t kRestricted = 1u << 16;
constexpr std::uint32_t kDecrypt = 1u << 17;

Bytes sized(ByteView content) {
  ByteWriter out;
  out.u16be(static_cast<std::uint16_t>(content.size())).bytes(content);
  return std::move(out).take();
}

struct Seed {
  Bytes seed;
  Bytes encrypted;  ///< TPM2B_ENCRYPTED_SECRET
};

Result<Seed> share_seed_rsa(TpmPublicArea const& ek) {
  Bytes seed = random_bytes(digest_size(ek.name_algorithm));
  auto const cipher = ek.key.encrypt_oaep(ek.name_algorithm, kIdentityLabel, seed);
  if (!cipher) return pass(cipher);
  return Seed{std::move(seed), sized(*cipher)};
}

Result<Seed> share_seed_ecc(TpmPublicArea const& ek) {
  auto const ephemeral = PrivateKey::generate(ek.key.type());
  if (!ephemeral) return pass(ephemeral);
  auto const ours = ec_point(ephemeral->public_key());
  if (!ours) return pass(ours);
  auto const theirs = ec_point(ek.key);
  if (!theirs) return pass(theirs);
  auto z = ephemeral->ecdh_x(ek.key);
  if (!z) return pass(z);
  auto const bits = static_cast<std::uint32_t>(digest_size(ek.name_algorithm) * 8);
  Bytes seed = kdfe(ek.name_algorithm, *z, kIdentityLabel, ours->x, theirs->x, bits);
  wipe(*z);
  Bytes point = sized(ours->x);
  append(point, sized(ours->y));
  return Seed{std::move(seed), sized(point)};
}

}  // namespace

Result<CredentialBlob> make_credential(TpmPublicArea const& ek, ByteView ak_name, ByteView secret) {
  if (secret.empty() || secret.size() > kCredentialSecretBytesMax) {
    return fail(Errc::invalid, "a credential's secret has 1 to 32 bytes");
  }
  if (ak_name.size() < 2 + 20 || ak_name.size() > 2 + 64) {
    return fail(Errc::invalid, "an object's name is an algorithm and a digest");
  }
  auto shared = ek.key.type() == KeyType::rsa ? share_seed_rsa(ek) : share_seed_ecc(ek);
  if (!shared) return pass(shared, "credential");
  auto id_object = wrap_credential(ek.name_algorithm, shared->seed, ak_name, secret);
  wipe(shared->seed);
  if (!id_object) return pass(id_object, "credential");
  return CredentialBlob{std::move(*id_object), std::move(shared->encrypted)};
}

Status verify_ek(Certificate const& ek_certificate, TpmPublicArea const& ek,
                 std::vector<Certificate> const& intermediates,
                 std::vector<Certificate> const& roots, WallTime now) {
  if (!(ek_certificate.public_key() == ek.key)) {
    return fail(Errc::untrusted, "the EK certificate is for another key");
  }
  constexpr std::uint32_t kWanted = kFixedTpm | kRestricted | kDecrypt;
  if ((ek.attributes & kWanted) != kWanted) {
    return fail(Errc::untrusted, "the key is not an endorsement key: attributes differ");
  }
  auto const chain = verify_chain(ek_certificate, intermediates, roots, now);
  if (!chain) return pass(chain, "EK certificate");
  return {};
}

}  // namespace shamon
