#include "label/types.hpp"

namespace shamon {

bool have_common_type(TypeSet const& a, TypeSet const& b) noexcept {
  return (a & b).any();
}

bool breaks_wall(TypeSet const& wall, TypeSet const& a, TypeSet const& b) noexcept {
  TypeSet const of_a = a & wall;
  TypeSet const of_b = b & wall;
  return of_a.any() && of_b.any() && (of_a | of_b).count() > 1;
}

}  // namespace shamon
