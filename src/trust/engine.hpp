// The trust engine: facts come, go and expire; what follows from them is always up to date.
// Semi-naive bottom-up evaluation; a change costs what depends on it, not what is stored.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trust/proof.hpp"
#include "trust/rules.hpp"
#include "trust/statement.hpp"

namespace shamon {

/// A question: absent speaker or terms match anything.
struct Pattern {
  std::optional<std::string> speaker;
  std::string predicate;
  std::vector<std::optional<std::string>> terms;
};

/// A premise without which a statement does not follow.
struct MissingPremise {
  std::string rule;     ///< that would need it; empty if no rule concludes such a statement
  std::string premise;  ///< with `_` where any term would do
};

/// After every call that changes it, the engine holds exactly what follows from the facts that are
/// valid at the time last given to `advance`, each with a support of least height.
class TrustEngine {
 public:
  explicit TrustEngine(RuleSet const& rules);
  TrustEngine(TrustEngine&&) noexcept;
  TrustEngine& operator=(TrustEngine&&) noexcept;
  ~TrustEngine();

  /// Makes a fact known. A fact that is there already gets the new validity and source: renewing
  /// costs nothing else. Errors: `invalid` (shape, empty validity); `too_large` (a bound of
  /// limits.hpp; the engine is then as before).
  Status insert(Statement const& fact, Validity validity, std::string source);
  /// Forgets a fact and all that no longer follows. False if it was not known as a fact.
  bool retract(Statement const& fact);
  /// The same with all facts that match.
  void retract_all(Pattern const& pattern);
  /// Lets time pass: facts begin and end. Never goes back. Errors: `too_large`, as for `insert`;
  /// the facts that would begin are then forgotten.
  Status advance(WallTime now);

  bool holds(Statement const& statement) const;
  /// The source of a fact now valid; null if it is not one (it may still be derived).
  std::string const* source_of(Statement const& fact) const;
  /// At most `count_max` statements now valid, in no particular order.
  std::vector<Statement> find(Pattern const& pattern, std::size_t count_max) const;
  /// A proof of least height; none if the statement does not hold or its proof is over
  /// kProofStepsMax steps.
  std::optional<Proof> prove(Statement const& statement) const;
  /// Premises that are missing on the most promising way to the statement, outermost first: each
  /// is what the one before it lacks. Empty if the statement holds.
  std::vector<MissingPremise> missing(Statement const& statement) const;

  std::size_t fact_count() const noexcept;  ///< given and derived
  RuleSet const& rules() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shamon
