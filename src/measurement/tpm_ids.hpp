// TPM_ALG_ID, TPM_ECC_CURVE and TPMA_OBJECT values that quotes and public areas use
// (TCG Algorithm Registry 1.34 §6, TPM 2.0 Part 2 §8.3). Internal to measurement/.
#pragma once

#include <cstdint>
#include <optional>

#include "base/cursor.hpp"
#include "crypto/hash.hpp"

namespace shamon::tpm {

inline constexpr std::uint32_t kGeneratedValue = 0xff544347;  ///< TPM_GENERATED_VALUE
inline constexpr std::uint16_t kStAttestQuote = 0x8018;       ///< TPM_ST_ATTEST_QUOTE

inline constexpr std::uint16_t kAlgRsa = 0x0001;
inline constexpr std::uint16_t kAlgNull = 0x0010;
inline constexpr std::uint16_t kAlgRsaSsa = 0x0014;
inline constexpr std::uint16_t kAlgRsaEs = 0x0015;
inline constexpr std::uint16_t kAlgRsaPss = 0x0016;
inline constexpr std::uint16_t kAlgOaep = 0x0017;
inline constexpr std::uint16_t kAlgEcdsa = 0x0018;
inline constexpr std::uint16_t kAlgEcdaa = 0x001a;
inline constexpr std::uint16_t kAlgEcc = 0x0023;
inline constexpr std::uint16_t kCurveP256 = 0x0003;
inline constexpr std::uint16_t kCurveP384 = 0x0004;

inline constexpr std::uint32_t kAttributeFixedTpm = 1u << 1;
inline constexpr std::uint32_t kAttributeFixedParent = 1u << 4;
inline constexpr std::uint32_t kAttributeRestricted = 1u << 16;
inline constexpr std::uint32_t kAttributeDecrypt = 1u << 17;
inline constexpr std::uint32_t kAttributeSign = 1u << 18;

/// Nothing for an algorithm we do not have.
std::optional<HashAlgorithm> hash_algorithm(std::uint16_t id) noexcept;
/// A TPM2B of at most `bytes_max` bytes; the cursor fails on a larger one.
ByteView take_sized(Cursor& cursor, std::size_t bytes_max) noexcept;

}  // namespace shamon::tpm
