// A compiled SELinux kernel policy (policy.33), as far as flow analysis needs it: types and
// attributes, classes with their permissions, allow rules and the conditions they stand under.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "policy/flow/graph.hpp"

namespace shamon {

/// A type or an attribute; its number is its index, the value in the file less one.
struct SelinuxType {
  std::string name;  ///< "@ttr0012" for an attribute whose name the compiler dropped
  bool attribute = false;
  std::vector<Node> members;  ///< of an attribute: its types, ascending
};

struct SelinuxClass {
  std::string name;
  /// [bit of an access vector]; those of the common permissions included. May have empty ones.
  std::vector<std::string> permissions;
};

struct SelinuxBoolean {
  std::string name;
  bool state = false;  ///< the policy's default
};

/// A condition over booleans, in postfix order as the kernel keeps it.
struct SelinuxCondition {
  enum class Operator : std::uint8_t { boolean = 1, not_, or_, and_, xor_, equal, not_equal };
  struct Term {
    Operator op{};
    std::uint32_t boolean = 0;  ///< index, for Operator::boolean
  };
  std::vector<Term> terms;  ///< leaves exactly one value on the stack
  /// `states[i]`: whether boolean i is on.
  bool evaluate(std::vector<bool> const& states) const;
};

/// allow SOURCE TARGET:CLASS { PERMISSIONS }, each an index.
struct SelinuxRule {
  std::uint16_t source = 0;
  std::uint16_t target = 0;
  std::uint16_t object_class = 0;
  std::uint32_t permissions = 0;  ///< a bit each
  std::int32_t condition = -1;    ///< index, or -1: unconditional
  bool branch = true;             ///< the value of the condition under which the rule holds
};

struct SelinuxPolicy {
  std::uint32_t version = 0;
  std::vector<SelinuxType> types;
  std::unordered_map<std::string, std::uint16_t> type_by_name;  ///< aliases as well
  std::vector<SelinuxClass> classes;
  std::vector<SelinuxBoolean> booleans;
  std::vector<SelinuxCondition> conditions;
  std::vector<SelinuxRule> rules;

  /// A type by its name or an alias; an attribute is not a type.
  std::optional<Node> find_type(std::string const& name) const;
  /// "allow init_t etc_t:file { getattr open read };", with its condition behind.
  std::string describe(SelinuxRule const& rule) const;
};

/// Reads what `semodule -n` or `checkpolicy` wrote: format versions 24 (named attributes, bounds)
/// to 34. Errors, with offset: `unsupported` (a module, a Xen policy, another version),
/// `too_large` (policy/flow/limits.hpp), `malformed`, `truncated`.
Result<SelinuxPolicy> read_selinux_policy(ByteView file);

}  // namespace shamon
