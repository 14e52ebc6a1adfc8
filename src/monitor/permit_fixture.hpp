// For tests of effects: permits from a real monitor with a small real policy.
#pragma once

#include <memory>
#include <utility>

#include "base/assert.hpp"
#include "monitor/monitor.hpp"
#include "policy/source.hpp"

namespace shamon {

/// A monitor whose policy knows the labels "green" and "red".
class PermitFixture {
 public:
  PermitFixture() : monitor_([](AuditRecord const&) {}) {
    auto built = build_policy("fixture.policy",
                              "coalition fixture revision 1\n"
                              "type green_t red_t\n"
                              "label green { share green_t }\n"
                              "label red { share red_t }\n");
    SHAMON_ASSERT(built.has_value());
    auto policy = std::make_shared<CompiledPolicy const>(std::move(built->compiled));
    auto permit = monitor_.authorize(PolicyLoad{policy->revision(), true}, WallTime{0});
    SHAMON_ASSERT(permit.has_value());
    monitor_.load(std::move(*permit), policy);
  }

  LabelId label(char const* name) const {
    auto const id = monitor_.policy().find_label(LabelName(name));
    SHAMON_ASSERT(id.has_value());
    return *id;
  }
  /// The operation must be one that the policy allows.
  template <class Op>
  Permit<Op> permit(Op operation) {
    auto permit = monitor_.authorize(std::move(operation), WallTime{0});
    SHAMON_ASSERT(permit.has_value());
    return std::move(*permit);
  }
  Permit<VmStart> start(char const* vm) { return permit(VmStart{VmName(vm), label("red"), true}); }
  Permit<VmStop> stop(char const* vm) { return permit(VmStop{VmName(vm), label("red")}); }

 private:
  Monitor monitor_;
};

}  // namespace shamon
