// Writes several policies down as one text, in the united vocabulary.
#pragma once

#include "policy/unite/vocabulary.hpp"

namespace shamon {

/// Where two policies of one coalition differ about the same thing.
enum class Differences : std::uint8_t {
  all,    ///< allow what either allows: for the union, which is then judged
  first,  ///< the earlier policy's word counts: for examples of what depends on it
};

struct Composition {
  std::string text;
  std::vector<Cited> statements;  ///< where each was taken from, in the order of the text
  std::vector<std::string> notes;
};

/// `order`: the parts to write down, the first one's coalition and revision in front. Labels and
/// walls are those of the earliest part of each coalition that defines them.
Composition compose(Parts const& parts, Vocabulary const& vocabulary,
                    std::vector<std::size_t> const& order, Differences differences);

/// Builds the text, each origin being that of the statement it was taken from.
tl::expected<PolicyBuild, std::vector<Diagnostic>> build_composition(Composition const& composition,
                                                                     std::string const& name);

/// The types a label has for walls.
std::vector<Name> const& wall_types(LabelStatement const& label);

}  // namespace shamon
