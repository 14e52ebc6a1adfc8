// The ciphers an ESP association may use, by the names and numbers IANA has for them (IKEv2
// parameters, transform type 1). All have a 4-byte salt, an 8-byte explicit IV and a 16-byte ICV.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace shamon {

inline constexpr std::size_t kAeadKeyBytesMax = 32;
inline constexpr std::size_t kAeadSaltBytes = 4;
inline constexpr std::size_t kAeadIvBytes = 8;
inline constexpr std::size_t kAeadTagBytes = 16;
/// The longest key ‖ salt (RFC 4106 §8.1, RFC 7634 §2).
inline constexpr std::size_t kAeadMaterialBytesMax = kAeadKeyBytesMax + kAeadSaltBytes;

/// No value is 0: what nobody set names no cipher.
enum class AeadAlgorithm : std::uint8_t {
  encr_aes_gcm_16_256 = 1,  ///< RFC 4106
  encr_chacha20_poly1305,   ///< RFC 7634
  encr_aes_gcm_16_128,      ///< RFC 4106
};

/// All of them, in the order preferred where nobody says another.
inline constexpr std::array kAeadAlgorithms = {AeadAlgorithm::encr_aes_gcm_16_256,
                                               AeadAlgorithm::encr_chacha20_poly1305,
                                               AeadAlgorithm::encr_aes_gcm_16_128};

/// "ENCR_AES_GCM_16-256": IANA's name, and the key's bits where the name leaves them open.
char const* to_string(AeadAlgorithm algorithm) noexcept;
std::optional<AeadAlgorithm> parse_aead_algorithm(std::string_view name) noexcept;
/// From a number that came from outside.
std::optional<AeadAlgorithm> to_aead_algorithm(std::uint32_t number) noexcept;

constexpr std::size_t aead_key_bytes(AeadAlgorithm algorithm) noexcept {
  return algorithm == AeadAlgorithm::encr_aes_gcm_16_128 ? 16 : kAeadKeyBytesMax;
}
/// Of key ‖ salt, what a key is made of.
constexpr std::size_t aead_material_bytes(AeadAlgorithm algorithm) noexcept {
  return aead_key_bytes(algorithm) + kAeadSaltBytes;
}
/// IANA's transform id: 20 for ENCR_AES_GCM_16, 28 for ENCR_CHACHA20_POLY1305.
constexpr std::uint16_t aead_transform_id(AeadAlgorithm algorithm) noexcept {
  return algorithm == AeadAlgorithm::encr_chacha20_poly1305 ? 28 : 20;
}

std::vector<AeadAlgorithm> every_aead_algorithm();
std::vector<std::string> to_names(std::span<const AeadAlgorithm> algorithms);
/// A list somebody wrote. Errors: `invalid` for an unknown name, one there twice, an empty list.
Result<std::vector<AeadAlgorithm>> parse_aead_algorithms(std::span<const std::string> names);
/// Those of the names that are known here, in their order, each once: for what a peer offers.
std::vector<AeadAlgorithm> known_aead_algorithms(std::span<const std::string> names);
/// What `wished` wants most of all that `possible` has too; none: the two have nothing in common.
std::optional<AeadAlgorithm> choose_aead_algorithm(
    std::span<const AeadAlgorithm> wished, std::span<const AeadAlgorithm> possible) noexcept;

}  // namespace shamon
