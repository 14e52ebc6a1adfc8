// A proof: numbered steps, each a fact with its source or an instance of a rule whose premises are
// earlier steps. The last step is what is proved. Text form:
//   shamon-proof 1
//   1 fact authority says registered(shype1, "8f…") from 0 until 9223372036854775807 source "…"
//   2 rule state_start authority says clean(shype1, s1, start) from 5 until 60005 by 1
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/rules.hpp"
#include "trust/statement.hpp"

namespace shamon {

struct ProofStep {
  Statement statement;
  Validity validity;
  std::string source;                   ///< of a fact; empty for a rule instance
  std::string rule;                     ///< name; empty for a fact
  std::vector<std::uint32_t> premises;  ///< indexes of earlier steps, in the order of the rule
  friend bool operator==(ProofStep const&, ProofStep const&) = default;
};

struct Proof {
  std::vector<ProofStep> steps;
  ProofStep const& conclusion() const { return steps.back(); }
  friend bool operator==(Proof const&, Proof const&) = default;
};

std::string encode_proof(Proof const& proof);
/// Only the form is checked, see check_proof. Errors: `malformed`, `too_large`, with offset.
Result<Proof> parse_proof(std::string_view text);

/// The argument as an indented tree for people, conclusion first.
std::vector<std::string> proof_lines(Proof const& proof, RuleSet const& rules);

/// Who believes a fact: the verifier of a proof decides by statement, validity and source.
using BelievesFact = std::function<bool(ProofStep const&)>;

/// Accepts exactly the proofs whose every step follows: facts are believed, rule instances are
/// instances, validity is the premises' intersection, nothing is left unused. Written without
/// the engine, so that an error in one does not hide in the other (checker.cpp).
/// Errors: `untrusted` with the number of the first step that does not hold; `too_large`.
Status check_proof(Proof const& proof, RuleSet const& rules, BelievesFact const& believes);

}  // namespace shamon
