// A policy ready for decisions: fixed tables, no pointers, readable in constant time. It travels as
// one byte image from the host monitor to the gate.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace shamon {

inline constexpr std::size_t kLabelsMax = 512;  ///< labels of one compiled policy

/// A set of labels (for Chinese Wall: what runs on this machine).
using LabelSet = std::bitset<kLabelsMax>;

/// A statement of the policy source: 1-based index into CompiledPolicy::statements; 0: none.
using StatementId = Strong<struct StatementIdTag, std::uint32_t>;

struct StatementOrigin {
  std::string file;
  std::uint32_t line = 0;
  std::string text;  ///< the statement as written, one line
};

/// Made from source by build_policy (policy/source.hpp), from rules by compile (policy/rules.hpp)
/// or from its own byte image. A moved-from policy may only be assigned to or destroyed.
class CompiledPolicy {
 public:
  CompiledPolicy();  ///< the empty policy: revision 0, no labels, denies all
  ~CompiledPolicy();
  CompiledPolicy(CompiledPolicy&&) noexcept;
  CompiledPolicy& operator=(CompiledPolicy&&) noexcept;

  CoalitionName const& coalition() const noexcept;
  Revision revision() const noexcept;
  std::size_t label_count() const noexcept;
  LabelName label_name(LabelId id) const;  ///< "?" if unknown
  std::optional<LabelId> find_label(LabelName const& name) const;
  StatementOrigin origin(StatementId id) const;  ///< empty if 0 or unknown

  /// The byte image: versioned, self-delimiting, includes names and origins. SHA-256 of the
  /// canonical source is separate (policy/source.hpp).
  Bytes image() const;
  /// Checks every table index and size. Errors: `malformed` with offset, `too_large`.
  static Result<CompiledPolicy> from_image(ByteView image);

  struct Tables;
  Tables const& tables() const noexcept { return *tables_; }
  explicit CompiledPolicy(std::unique_ptr<Tables> tables) noexcept;

 private:
  std::unique_ptr<Tables> tables_;
};

}  // namespace shamon
