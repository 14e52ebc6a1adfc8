#include "label/levels.hpp"

namespace shamon {

bool dominates(Level a, Level b) noexcept {
  return a.rank >= b.rank && (b.categories & ~a.categories) == 0;
}

bool may_flow(Levels const& from, Levels const& to) noexcept {
  return dominates(to.secrecy, from.secrecy) && dominates(from.integrity, to.integrity);
}

}  // namespace shamon
