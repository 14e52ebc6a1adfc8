// Platform configuration registers: banks of 24 digests, and the extend operation (TPM 2.0 Part 1
// §17).
#pragma once

#include <array>
#include <map>
#include <vector>

#include "base/ids.hpp"
#include "crypto/hash.hpp"

namespace shamon {

inline constexpr std::size_t kPcrCount = 24;

/// One bank. PCRs 17–22 start at all ones, the others at zero; PCR 0 may start at a locality.
class PcrBank {
 public:
  explicit PcrBank(HashAlgorithm algorithm);
  HashAlgorithm algorithm() const noexcept { return algorithm_; }
  Digest const& value(PcrIndex index) const;
  bool touched(PcrIndex index) const;                 ///< extended (or set) at least once
  void extend(PcrIndex index, Digest const& digest);  ///< digest of this bank's algorithm
  void set(PcrIndex index, Digest const& value);

 private:
  HashAlgorithm algorithm_;
  std::array<Digest, kPcrCount> values_;
  std::array<bool, kPcrCount> touched_{};
};

/// Which PCRs of which bank: bit i of `mask` is PCR i.
struct PcrSelection {
  HashAlgorithm bank = HashAlgorithm::sha256;
  std::uint32_t mask = 0;
  friend auto operator<=>(PcrSelection const&, PcrSelection const&) = default;
};

}  // namespace shamon
