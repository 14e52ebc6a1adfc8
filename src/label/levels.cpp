#include "label/levels.hpp"

namespace shamon {

bool dominates(Level a, Level b) noexcept {
  return a.rank >= b.rank && (b.categories & ~a.categories) == 0;
}

LevelBar bar_between(Levels const& from, Levels const& to) noexcept {
  if (!dominates(to.secrecy, from.secrecy)) return LevelBar::secrecy;
  return dominates(from.integrity, to.integrity) ? LevelBar::none : LevelBar::integrity;
}

bool may_flow(Levels const& from, Levels const& to) noexcept {
  return bar_between(from, to) == LevelBar::none;
}

}  // namespace shamon
