// The questions asked of policies that would be one. Each adds what speaks against it.
#pragma once

#include "policy/unite/compose.hpp"

namespace shamon {

/// Collects conflicts, the first kConflictsMax.
class Conflicts {
 public:
  void add(Conflict conflict);
  bool none() const noexcept { return found_.empty(); }
  bool full() const noexcept;
  std::vector<Conflict> take() && { return std::move(found_); }

 private:
  std::vector<Conflict> found_;
};

/// Names that two policies of one coalition define differently; labels that a map makes one
/// although their coalitions say different things about them.
void judge_definitions(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts);

/// A map that makes one label of two of the same coalition, which a goal or a wall keeps apart or
/// whose levels differ. (Any other difference between the two is judge_decisions' to find.)
void judge_merges(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts);

/// Which machines and images are admitted.
void judge_admission(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts);

/// INVARIANT(union-conservative), first half: every decision of every policy about its own labels
/// is that of the union, and no guard gets another partner.
void judge_decisions(Parts const& parts, Vocabulary const& vocabulary, SharedPolicy const& united,
                     std::vector<Cited> const& statements, Conflicts& conflicts);

/// INVARIANT(union-conservative), second half: every goal of every policy holds in the union. To a
/// goal "internet" is whatever its own coalition does not know.
void judge_goals(Parts const& parts, Vocabulary const& vocabulary, SharedPolicy const& united,
                 std::vector<Cited> const& statements, Conflicts& conflicts);

}  // namespace shamon
