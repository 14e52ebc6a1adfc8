#include "measurement/pcr.hpp"

#include "base/assert.hpp"

namespace shamon {

PcrBank::PcrBank(HashAlgorithm algorithm) : algorithm_(algorithm) {
  values_.fill(Digest::zero(algorithm));
  // PCRs of the dynamic root of trust read as ones until a D-RTM event resets them
  // (PC Client Platform TPM Profile §4.6.2).
  for (std::size_t pcr = 17; pcr <= 22; ++pcr) values_[pcr] = Digest::ones(algorithm);
}

Digest const& PcrBank::value(PcrIndex index) const {
  SHAMON_ASSERT(index.value() < kPcrCount);
  return values_[index.value()];
}

bool PcrBank::touched(PcrIndex index) const {
  SHAMON_ASSERT(index.value() < kPcrCount);
  return touched_[index.value()];
}

void PcrBank::extend(PcrIndex index, Digest const& digest) {
  SHAMON_ASSERT(digest.algorithm() == algorithm_);
  Digest const& old = value(index);
  set(index, hash_pair(algorithm_, old.bytes(), digest.bytes()));
}

void PcrBank::set(PcrIndex index, Digest const& value) {
  SHAMON_ASSERT(index.value() < kPcrCount);
  SHAMON_ASSERT(value.algorithm() == algorithm_);
  values_[index.value()] = value;
  touched_[index.value()] = true;
}

}  // namespace shamon
