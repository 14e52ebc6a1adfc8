// TPM2B_PUBLIC and TPMT_PUBLIC (TPM 2.0 Part 2 §12.2.4–5) of asymmetric keys.
#include <fmt/format.h>

#include "base/byte_writer.hpp"
#include "measurement/limits.hpp"
#include "measurement/quote.hpp"
#include "measurement/tpm_ids.hpp"

namespace shamon {
namespace {

constexpr std::uint32_t kDefaultRsaExponent = 65537;  // what 0 stands for (§12.2.3.5)

/// TPMT_SYM_DEF_OBJECT: nothing, or key bits and mode.
void skip_symmetric(Cursor& cursor) {
  if (cursor.u16be() != tpm::kAlgNull) cursor.take(4);
}

/// TPMT_ASYM_SCHEME: most schemes have a hash, ECDAA also a counter, RSAES nothing.
void skip_scheme(Cursor& cursor) {
  std::uint16_t const scheme = cursor.u16be();
  if (scheme == tpm::kAlgNull || scheme == tpm::kAlgRsaEs) return;
  cursor.take(scheme == tpm::kAlgEcdaa ? 4 : 2);
}

Result<PublicKey> read_rsa(Cursor& cursor) {
  skip_symmetric(cursor);
  skip_scheme(cursor);
  std::uint16_t const key_bits = cursor.u16be();
  std::uint32_t const exponent = cursor.u32be();
  std::uint64_t const offset = cursor.offset();
  ByteView const modulus = tpm::take_sized(cursor, kRsaBytesMax);
  if (!cursor.ok()) return fail_at(Errc::truncated, cursor.offset(), "RSA public area ends early");
  if (modulus.size() * 8 != key_bits) {
    return fail_at(Errc::malformed, offset,
                   fmt::format("modulus of {} bytes for {} key bits", modulus.size(), key_bits));
  }
  return PublicKey::from_rsa(modulus, exponent == 0 ? kDefaultRsaExponent : exponent);
}

Result<PublicKey> read_ecc(Cursor& cursor) {
  skip_symmetric(cursor);
  skip_scheme(cursor);
  std::uint64_t const offset = cursor.offset();
  std::uint16_t const curve = cursor.u16be();
  if (cursor.u16be() != tpm::kAlgNull) cursor.take(2);  // TPMT_KDF_SCHEME
  ByteView const x = tpm::take_sized(cursor, kEcCoordinateBytesMax);
  ByteView const y = tpm::take_sized(cursor, kEcCoordinateBytesMax);
  if (!cursor.ok()) return fail_at(Errc::truncated, cursor.offset(), "ECC public area ends early");
  switch (curve) {
    case tpm::kCurveP256: return PublicKey::from_ec_point(KeyType::ecdsa_p256, x, y);
    case tpm::kCurveP384: return PublicKey::from_ec_point(KeyType::ecdsa_p384, x, y);
    default: return fail_at(Errc::unsupported, offset, fmt::format("curve 0x{:04x}", curve));
  }
}

/// A TPM2B has its own size in front; the first two bytes of a bare TPMT_PUBLIC are its type, 1 or
/// 0x23, and no area of such a size exists.
ByteView without_size(ByteView bytes) {
  Cursor cursor(bytes);
  std::uint16_t const size = cursor.u16be();
  return cursor.ok() && size == cursor.remaining() ? bytes.subspan(2) : bytes;
}

}  // namespace

Result<TpmPublicArea> parse_tpm_public(ByteView bytes) {
  ByteView const area = without_size(bytes);
  Cursor cursor(area, bytes.size() - area.size());
  std::uint64_t const begin = cursor.offset();
  std::uint16_t const type = cursor.u16be();
  std::uint16_t const name_id = cursor.u16be();
  std::uint32_t const attributes = cursor.u32be();
  tpm::take_sized(cursor, kQualifyingBytesMax);  // authPolicy
  if (!cursor.ok()) return fail_at(Errc::truncated, cursor.offset(), "public area ends early");
  if (type != tpm::kAlgRsa && type != tpm::kAlgEcc) {
    return fail_at(Errc::unsupported, begin, fmt::format("object type 0x{:04x}", type));
  }
  std::optional<HashAlgorithm> const name_algorithm = tpm::hash_algorithm(name_id);
  if (!name_algorithm) {
    return fail_at(Errc::unsupported, begin + 2, fmt::format("name algorithm 0x{:04x}", name_id));
  }
  Result<PublicKey> key = type == tpm::kAlgRsa ? read_rsa(cursor) : read_ecc(cursor);
  if (!key) return pass(key, "public area");
  if (!cursor.at_end()) {
    return fail_at(Errc::malformed, cursor.offset(), "bytes after the public area");
  }
  ByteWriter name;
  name.u16be(name_id).bytes(hash(*name_algorithm, area).bytes());
  return TpmPublicArea{std::move(*key), attributes, *name_algorithm, std::move(name).take()};
}

bool is_restricted_signing_key(TpmPublicArea const& area) noexcept {
  constexpr std::uint32_t kSet = tpm::kAttributeFixedTpm | tpm::kAttributeFixedParent |
                                 tpm::kAttributeRestricted | tpm::kAttributeSign;
  return (area.attributes & (kSet | tpm::kAttributeDecrypt)) == kSet;
}

}  // namespace shamon
