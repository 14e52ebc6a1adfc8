// A label as another site spells it, in our words. The maps are part of the policy's text: whoever
// enforces a revision of the policy translates by that revision's maps, wherever the text came
// from.
#pragma once

#include "policy/unite/unite.hpp"

namespace shamon {

struct Translation {
  LabelName ours;
  Revision revision;  ///< of the policy whose maps said so
  Cited map;          ///< the `map` statement; line 0: the site uses our names
};

/// What `theirs`, said by `site`, is called here. A site that has a `map` is understood by its maps
/// alone; a site without one uses our names. One step: what a map gives is ours and not translated
/// again. Errors: `not_found` (unknown to the maps, or to the policy). Whoever gets an error must
/// deny: INVARIANT(unknown-label-denied). `document` is one that built: its maps of one site agree.
Result<Translation> translate(LabelName const& theirs, std::string_view site,
                              PolicyDocument const& document);

}  // namespace shamon
