// Distinct types for things that are all numbers or all strings.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace shamon {

/// A value of type Rep that is only itself: no arithmetic, no implicit conversion.
template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() noexcept(std::is_nothrow_default_constructible_v<Rep>) = default;
  constexpr explicit Strong(Rep value) noexcept(std::is_nothrow_move_constructible_v<Rep>)
      : value_(std::move(value)) {}
  constexpr Rep const& value() const noexcept { return value_; }
  friend constexpr auto operator<=>(Strong const&, Strong const&) = default;
  friend constexpr bool operator==(Strong const&, Strong const&) = default;

 private:
  Rep value_{};
};

}  // namespace shamon

template <class Tag, class Rep>
struct std::hash<shamon::Strong<Tag, Rep>> {
  std::size_t operator()(shamon::Strong<Tag, Rep> const& s) const noexcept {
    return std::hash<Rep>{}(s.value());
  }
};
