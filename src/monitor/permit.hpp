// No effect without a permit. Only Monitor can make one.
#pragma once

#include <utility>

#include "base/ids.hpp"
#include "monitor/operations.hpp"

namespace shamon {

class Monitor;

/// The right to carry out one operation once: move-only, consumed by the effect.
template <class Op>
class Permit {
 public:
  Permit(Permit&&) noexcept = default;
  Permit& operator=(Permit&&) noexcept = default;
  Permit(Permit const&) = delete;
  Permit& operator=(Permit const&) = delete;

  Op const& operation() const noexcept { return operation_; }
  Revision revision() const noexcept { return revision_; }

 private:
  friend class Monitor;
  Permit(Op operation, Revision revision) : operation_(std::move(operation)), revision_(revision) {}
  Op operation_;
  Revision revision_;
};

}  // namespace shamon
