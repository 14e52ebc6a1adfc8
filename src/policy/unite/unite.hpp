// One policy out of several, or what keeps them from being one.
//
// Policies of one coalition speak of the same labels, so a name they share must mean the same.
// Policies of different coalitions speak of different labels, even where the names are spelled
// alike: the first policy is at home and keeps its names, every other's become COALITION.NAME. Only
// a `map COALITION { theirs = ours }` makes a label of theirs and one of ours the same.
//
// INVARIANT(union-conservative): in the united policy every decision between labels that one of the
// policies knows is the decision of that policy, and every goal of every policy holds. What would
// break this is a conflict, shown by a question that decide() answers differently.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/decide.hpp"
#include "policy/source.hpp"

namespace shamon {

/// A statement and its place.
struct Cited {
  std::string file;
  std::uint32_t line = 0;    ///< from 1; 0: no statement
  std::uint32_t column = 0;  ///< from 1, in bytes
  std::string text;
  /// "boinc.policy:14:1: allow green -> results udp/9000"
  std::string describe() const;
};

/// What decide() is asked, with labels by name.
struct Question {
  Operation operation = Operation::flow;
  LabelName subject;
  LabelName object;
  Service service;
  std::vector<LabelName> running;  ///< for start
  Revision revision;
  /// "a VM labelled 'green' sends tcp/443 to one labelled 'red'"
  std::string describe() const;
};
/// A name the policy does not have is an unknown label.
Decision ask(Question const& question, CompiledPolicy const& policy);

/// What one policy answers to one question.
struct Answer {
  std::string policy_name;  ///< a file, or "the union"
  std::shared_ptr<PolicyBuild const> policy;
  Question question;
  Decision decision;
};

/// What would become possible or impossible. Two answers with different verdicts; or, for a goal,
/// the steps of a path, each allowed; or none: `text` is about machines or images, or about a
/// policy that could not even be compiled.
struct Example {
  std::string text;
  std::vector<Answer> answers;
};

enum class ConflictKind : std::uint8_t {
  revision,  ///< one coalition, two revisions
  label,     ///< one name, different types or walls, or a guard and no guard
  level,     ///< one label, different secrecy or integrity
  type,      ///< a wall of one policy stands between types another one mixes
  wall,      ///< one name, different types; or a wall that separates nothing any more
  allow,     ///< two labels that both policies know may talk more in one of them
  guard,     ///< the interface of a guard would grow
  machines,  ///< one coalition, different conditions on machines
  images,    ///< other images could run under a label
  map,       ///< maps that disagree, or name a label that is not there
  merge,     ///< a map makes one label of two that are kept apart
  goal,      ///< a goal would no longer hold
};
char const* to_string(ConflictKind kind) noexcept;

struct Conflict {
  ConflictKind kind = ConflictKind::label;
  std::string text;  ///< one line: what cannot be
  Cited one;
  Cited other;  ///< line 0: there is only one statement
  Example example;
  /// Four lines, the last without newline.
  std::string describe() const;
};

struct United {
  std::string text;  ///< canonical (`shamon policy fmt`)
  /// Built from `text`, but every origin is that of the statement it was taken from.
  std::shared_ptr<PolicyBuild const> build;
  std::vector<Cited> statements;   ///< by StatementId - 1
  std::vector<std::string> notes;  ///< what the union leaves to others
  /// The united name of each label: [policy][label id in that policy].
  std::vector<std::vector<LabelName>> label_names;
};

/// Exactly one of the three.
struct UnionResult {
  std::optional<United> united;
  std::vector<Conflict> conflicts;  ///< up to kConflictsMax
  /// `too_large`: a limit of policy/limits.hpp, or a name of more than 63 bytes; `invalid`: no
  /// policy was given.
  std::optional<Error> error;
};

/// The first policy is at home: its coalition and its revision are those of the union. Pure.
UnionResult unite(std::vector<std::shared_ptr<PolicyBuild const>> const& policies);

}  // namespace shamon
