#include "measurement/quote.hpp"

#include <fmt/format.h>

#include "measurement/limits.hpp"
#include "measurement/tpm_ids.hpp"

namespace shamon {
namespace {

tl::unexpected<Error> stopped(Cursor const& cursor, std::string_view what) {
  return fail_at(Errc::malformed, cursor.offset(),
                 fmt::format("{} is cut short or too long", what));
}

/// TPMS_PCR_SELECTION (§10.6.2). Nothing for an empty selection of a bank we do not have.
Result<std::optional<PcrSelection>> parse_selection(Cursor& cursor) {
  std::uint64_t const offset = cursor.offset();
  std::uint16_t const id = cursor.u16be();
  std::uint8_t const size = cursor.u8();
  ByteView const bitmap = cursor.take(size);
  if (!cursor.ok()) return stopped(cursor, "PCR selection");
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < bitmap.size(); ++i) {
    if (bitmap[i] == 0) continue;
    if (i >= kPcrCount / 8) {
      return fail_at(Errc::malformed, offset,
                     fmt::format("PCR beyond the {} there are", kPcrCount));
    }
    mask |= std::uint32_t{bitmap[i]} << (8 * i);
  }
  std::optional<HashAlgorithm> const bank = tpm::hash_algorithm(id);
  if (!bank && mask == 0) return std::optional<PcrSelection>{};
  if (!bank) return fail_at(Errc::unsupported, offset, fmt::format("PCR bank 0x{:04x}", id));
  return std::optional<PcrSelection>(PcrSelection{*bank, mask});
}

/// TPMS_QUOTE_INFO (§10.12.4).
Status parse_quote_info(Cursor& cursor, QuoteStatement& quote) {
  std::uint64_t const offset = cursor.offset();
  std::uint32_t const count = cursor.u32be();
  if (!cursor.ok()) return stopped(cursor, "quote");
  if (count > kPcrSelectionsMax) {
    return fail_at(Errc::malformed, offset,
                   fmt::format("{} PCR selections, {} are the limit", count, kPcrSelectionsMax));
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    Result<std::optional<PcrSelection>> selection = parse_selection(cursor);
    if (!selection) return pass(selection);
    if (*selection) quote.selections.push_back(**selection);
  }
  quote.pcr_digest = to_bytes(tpm::take_sized(cursor, kQualifyingBytesMax));
  if (!cursor.ok()) return stopped(cursor, "PCR digest");
  return {};
}

bool scheme_fits(SignatureScheme scheme, KeyType type) noexcept {
  return (scheme == SignatureScheme::ecdsa) == (type != KeyType::rsa);
}

bool signature_holds(PublicKey const& key, TpmSignature const& signature, ByteView message) {
  if (signature.scheme == SignatureScheme::ecdsa) {
    return key.verify_ecdsa_raw(signature.hash, message, signature.r, signature.s);
  }
  return key.verify(signature.scheme, signature.hash, message, signature.signature);
}

}  // namespace

Result<QuoteStatement> parse_quote(ByteView tpms_attest) {
  if (tpms_attest.size() > kQuoteBytesMax) {
    return fail_at(
        Errc::too_large, 0,
        fmt::format("quote of {} bytes, {} are the limit", tpms_attest.size(), kQuoteBytesMax));
  }
  Cursor cursor(tpms_attest);
  std::uint32_t const magic = cursor.u32be();
  std::uint16_t const type = cursor.u16be();
  if (!cursor.ok()) return stopped(cursor, "quote");
  if (magic != tpm::kGeneratedValue) {
    return fail_at(Errc::malformed, 0, "not made by a TPM: wrong magic");
  }
  if (type != tpm::kStAttestQuote) {
    return fail_at(Errc::malformed, 4, fmt::format("attestation of type 0x{:04x}, no quote", type));
  }
  QuoteStatement quote;
  quote.qualified_signer = to_bytes(tpm::take_sized(cursor, 2 + kQualifyingBytesMax));
  quote.extra_data = to_bytes(tpm::take_sized(cursor, kQualifyingBytesMax));
  quote.clock_ms = cursor.u64be();
  quote.reset_count = cursor.u32be();
  quote.restart_count = cursor.u32be();
  std::uint64_t const safe_offset = cursor.offset();
  std::uint8_t const safe = cursor.u8();
  quote.firmware_version = cursor.u64be();
  if (!cursor.ok()) return stopped(cursor, "quote");
  if (safe > 1) return fail_at(Errc::malformed, safe_offset, "clock safety is neither yes nor no");
  quote.clock_safe = safe == 1;
  if (Status info = parse_quote_info(cursor, quote); !info) return pass(info);
  if (!cursor.at_end()) return fail_at(Errc::malformed, cursor.offset(), "bytes after the quote");
  return quote;
}

Result<TpmSignature> parse_tpm_signature(ByteView tpmt_signature) {
  Cursor cursor(tpmt_signature);
  std::uint16_t const scheme = cursor.u16be();
  std::uint16_t const hash_id = cursor.u16be();
  if (!cursor.ok()) return stopped(cursor, "signature");
  TpmSignature signature;
  switch (scheme) {
    case tpm::kAlgEcdsa: signature.scheme = SignatureScheme::ecdsa; break;
    case tpm::kAlgRsaSsa: signature.scheme = SignatureScheme::rsassa_pkcs1; break;
    case tpm::kAlgRsaPss: signature.scheme = SignatureScheme::rsapss; break;
    default: return fail_at(Errc::unsupported, 0, fmt::format("signature scheme 0x{:04x}", scheme));
  }
  std::optional<HashAlgorithm> const hash = tpm::hash_algorithm(hash_id);
  if (!hash) return fail_at(Errc::unsupported, 2, fmt::format("signature hash 0x{:04x}", hash_id));
  signature.hash = *hash;
  if (signature.scheme == SignatureScheme::ecdsa) {
    signature.r = to_bytes(tpm::take_sized(cursor, kEcCoordinateBytesMax));
    signature.s = to_bytes(tpm::take_sized(cursor, kEcCoordinateBytesMax));
  } else {
    signature.signature = to_bytes(tpm::take_sized(cursor, kRsaBytesMax));
  }
  if (!cursor.ok()) return stopped(cursor, "signature");
  if (!cursor.at_end()) {
    return fail_at(Errc::malformed, cursor.offset(), "bytes after the signature");
  }
  return signature;
}

Result<VerifiedQuote> verify_quote(PublicKey const& ak, ByteView tpms_attest,
                                   ByteView tpmt_signature, ByteView expected_qualifying_data) {
  Result<TpmSignature> const signature = parse_tpm_signature(tpmt_signature);
  if (!signature) return pass(signature, "signature");
  if (!scheme_fits(signature->scheme, ak.type())) {
    return fail(Errc::untrusted, "signature: its scheme does not fit the key");
  }
  // Collisions of SHA-1 are within reach, and part of what is signed is chosen by others.
  if (signature->hash == HashAlgorithm::sha1) {
    return fail(Errc::untrusted, "signature: made over SHA-1");
  }
  if (!signature_holds(ak, *signature, tpms_attest)) {
    return fail(Errc::untrusted, "signature: not of this key over this quote");
  }
  Result<QuoteStatement> statement = parse_quote(tpms_attest);
  if (!statement) return pass(statement, "quote");
  if (!equal_constant_time(statement->extra_data, expected_qualifying_data)) {
    return fail(Errc::untrusted, "nonce: the quote answers another challenge");
  }
  // The TPM hashes the PCR values with the hash of the signature scheme (Part 3 §18.4).
  if (statement->pcr_digest.size() != digest_size(signature->hash)) {
    return fail(Errc::untrusted, "shape: PCR digest is not of the signature's hash");
  }
  return VerifiedQuote(std::move(*statement));
}

Digest digest_of_pcrs(HashAlgorithm hash, std::vector<Digest> const& values) {
  Bytes all;
  all.reserve(values.size() * digest_size(HashAlgorithm::sha512));
  for (Digest const& value : values) append(all, value.bytes());
  return shamon::hash(hash, all);
}

}  // namespace shamon
