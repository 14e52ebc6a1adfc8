#include "crypto/aead_algorithm.hpp"

#include <algorithm>

namespace shamon {

char const* to_string(AeadAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case AeadAlgorithm::encr_aes_gcm_16_256: return "ENCR_AES_GCM_16-256";
    case AeadAlgorithm::encr_chacha20_poly1305: return "ENCR_CHACHA20_POLY1305";
    case AeadAlgorithm::encr_aes_gcm_16_128: return "ENCR_AES_GCM_16-128";
  }
  return "unknown";
}

std::optional<AeadAlgorithm> parse_aead_algorithm(std::string_view name) noexcept {
  for (AeadAlgorithm algorithm : kAeadAlgorithms) {
    if (name == to_string(algorithm)) return algorithm;
  }
  return std::nullopt;
}

std::optional<AeadAlgorithm> to_aead_algorithm(std::uint32_t number) noexcept {
  for (AeadAlgorithm algorithm : kAeadAlgorithms) {
    if (number == static_cast<std::uint32_t>(algorithm)) return algorithm;
  }
  return std::nullopt;
}

std::vector<AeadAlgorithm> every_aead_algorithm() {
  return {kAeadAlgorithms.begin(), kAeadAlgorithms.end()};
}

std::vector<std::string> to_names(std::span<const AeadAlgorithm> algorithms) {
  std::vector<std::string> names;
  for (AeadAlgorithm algorithm : algorithms) names.emplace_back(to_string(algorithm));
  return names;
}

Result<std::vector<AeadAlgorithm>> parse_aead_algorithms(std::span<const std::string> names) {
  if (names.empty()) return fail(Errc::invalid, "must name at least one cipher");
  for (std::string const& name : names) {
    if (parse_aead_algorithm(name)) continue;
    std::string known;
    for (AeadAlgorithm algorithm : kAeadAlgorithms)
      known += std::string(" ") + to_string(algorithm);
    return fail(Errc::invalid, "'" + name + "' is none of" + known);
  }
  std::vector<AeadAlgorithm> algorithms = known_aead_algorithms(names);
  if (algorithms.size() != names.size()) return fail(Errc::invalid, "names a cipher twice");
  return algorithms;
}

std::vector<AeadAlgorithm> known_aead_algorithms(std::span<const std::string> names) {
  std::vector<AeadAlgorithm> known;
  for (std::string const& name : names) {
    auto const algorithm = parse_aead_algorithm(name);
    if (algorithm && std::find(known.begin(), known.end(), *algorithm) == known.end()) {
      known.push_back(*algorithm);
    }
  }
  return known;
}

std::optional<AeadAlgorithm> choose_aead_algorithm(
    std::span<const AeadAlgorithm> wished, std::span<const AeadAlgorithm> possible) noexcept {
  for (AeadAlgorithm algorithm : wished) {
    if (std::find(possible.begin(), possible.end(), algorithm) != possible.end()) return algorithm;
  }
  return std::nullopt;
}

}  // namespace shamon
