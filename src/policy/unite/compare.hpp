// Where two policies answer the same question differently: decide() asked about every pair of
// labels, over every service that either of them mentions and the ports just outside.
#pragma once

#include <optional>
#include <unordered_map>

#include "policy/unite/parts.hpp"

namespace shamon {

/// The services a policy's `allow` statements name for each ordered pair of labels.
class ServicesOfPairs {
 public:
  struct Rule {
    ServicePattern service;
    bool two_way = false;
    friend bool operator==(Rule const&, Rule const&) = default;
  };
  explicit ServicesOfPairs(PolicyBuild const& build);
  std::vector<Rule> const& of(LabelId from, LabelId to) const;

 private:
  std::unordered_map<std::uint32_t, std::vector<Rule>> rules_;
};

/// A policy, ready to be compared with others.
struct Comparable {
  std::string name;  ///< for people
  SharedPolicy policy;
  ServicesOfPairs services;
};
Comparable comparable(std::string name, SharedPolicy policy);

/// The two labels of a question, as one policy calls them.
struct LabelPair {
  LabelName subject;
  LabelName object;
};

/// The first question about a pair of labels that gets different verdicts. `what` chooses which
/// questions: about what passes between the two, or whether the first starts beside the second.
enum class Asked : std::uint8_t { exchange, start };
std::optional<std::pair<Answer, Answer>> find_difference(Comparable const& one,
                                                         LabelPair const& in_one,
                                                         Comparable const& other,
                                                         LabelPair const& in_other, Asked asked);

/// Asks both, and words it: "…: allowed by a.policy (common type), denied by b.policy (…)".
Example two_answers(Answer one, Answer other);

}  // namespace shamon
