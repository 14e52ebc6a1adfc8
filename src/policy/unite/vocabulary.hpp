// Whose name means what: which labels of several policies are the same label, and how everything is
// called in the united policy.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/unite/parts.hpp"

namespace shamon {

/// A label of the union, by number: labels of several policies that are one.
using ClassId = std::size_t;

/// A pair of a `map` that makes two labels of different coalitions one.
struct MapLink {
  std::size_t part = 0;
  MapStatement const* map = nullptr;
  MapStatement::Pair const* pair = nullptr;
};

class Vocabulary {
 public:
  /// Follows every `map` to a coalition that is among the parts. A map that names a label which
  /// that coalition does not have is added to `conflicts`.
  static Vocabulary make(Parts const& parts, std::vector<Conflict>& conflicts);

  ClassId class_of(std::size_t group, std::string_view label) const;
  std::size_t class_count() const noexcept { return names_.size(); }
  std::string const& name(ClassId label) const { return names_[label]; }
  /// More than one coalition calls it theirs.
  bool is_mapped(ClassId label) const { return members_[label].size() > 1; }
  /// The labels that are this one: coalition group, name there.
  std::vector<std::pair<std::size_t, std::string>> const& members(ClassId label) const {
    return members_[label];
  }
  /// The map pairs that brought this label together.
  std::vector<MapLink> links(ClassId label) const;

  std::string type(std::size_t group, std::string const& name) const;
  std::string category(std::size_t group, std::string const& name) const;
  std::string wall(std::size_t group, std::string const& name) const;
  /// A united name that is longer than names may be; empty: none.
  std::string too_long() const;

 private:
  class Maker;
  using Named = std::unordered_map<std::string, std::string>;  ///< own name to united name

  std::vector<std::unordered_map<std::string, ClassId>> classes_;  ///< by group
  std::vector<std::string> names_;
  std::vector<std::vector<std::pair<std::size_t, std::string>>> members_;
  std::vector<MapLink> links_;
  std::vector<ClassId> link_class_;
  std::vector<Named> types_, categories_, walls_;  ///< by group
};

}  // namespace shamon
