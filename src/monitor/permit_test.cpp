#include "monitor/permit.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "monitor/monitor.hpp"

namespace shamon {
namespace {

// INVARIANT(no-effect-without-permit) rests on this: a permit comes from the monitor or not at all.
template <class Op>
constexpr bool kOnlyMovable =
    std::is_move_constructible_v<Permit<Op>> && !std::is_copy_constructible_v<Permit<Op>> &&
    !std::is_copy_assignable_v<Permit<Op>>;
template <class Op>
constexpr bool kNotMadeOutside =
    !std::is_default_constructible_v<Permit<Op>> && !std::is_constructible_v<Permit<Op>, Op> &&
    !std::is_constructible_v<Permit<Op>, Op, Revision> && !std::is_aggregate_v<Permit<Op>>;

template <class... Ops>
struct AllHooks {
  static constexpr std::size_t kCount = sizeof...(Ops);
  static constexpr bool kGuarded = (... && (kOnlyMovable<Ops> && kNotMadeOutside<Ops>));
  static constexpr unsigned kNumbers = (... | (1u << static_cast<unsigned>(Ops::kHook)));
};
using Hooks = AllHooks<VmDefine, VmStart, VmStop, PortAttach, MemoryShare, EventBind, DeviceAssign,
                       AssociationOpen, AssociationClose, FlowOut, FlowIn, PolicyLoad, VmMigrate>;

TEST(Permit, CannotBeCopiedNorMadeOutsideTheMonitor) {
  static_assert(Hooks::kGuarded);
  static_assert(!std::is_convertible_v<Permit<VmStart>, Permit<VmStop>>);
  static_assert(!std::is_constructible_v<Permit<FlowIn>, Permit<FlowOut>>);
  EXPECT_TRUE(Hooks::kGuarded);
}

TEST(Permit, ThereAreThirteenHooksWithThirteenNumbers) {
  EXPECT_EQ(Hooks::kCount, kHookCount);
  EXPECT_EQ(Hooks::kNumbers, 0x3ffeu);  // bits 1 to 13
}

}  // namespace
}  // namespace shamon
