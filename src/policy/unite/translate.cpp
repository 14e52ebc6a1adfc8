#include "policy/unite/translate.hpp"

#include <algorithm>

#include "policy/language/diagnostics.hpp"
#include "policy/unite/parts.hpp"

namespace shamon {

Result<Translation> translate(LabelName const& theirs, std::string_view site,
                              PolicyDocument const& document) {
  Translation out;
  out.revision = document.coalition.revision;
  bool has_map = false;
  for (auto const& map : document.maps) {
    if (map.site.text != site) continue;
    has_map = true;
    for (auto const& pair : map.pairs) {
      if (pair.theirs.text != theirs.value()) continue;
      out.ours = LabelName(pair.ours.text);
      out.map = cite(map.origin);
      out.map.column = pair.theirs.column;
      return out;  // a policy that holds says the same wherever it says it again
    }
  }
  if (has_map) {
    return fail(Errc::not_found,
                "no map of site " + quoted(site) + " has a label " + quoted(theirs.value()));
  }
  bool const ours =
      std::any_of(document.labels.begin(), document.labels.end(),
                  [&](LabelStatement const& label) { return label.name.text == theirs.value(); });
  if (!ours) {
    return fail(Errc::not_found, "site " + quoted(site) + " has no map, and the policy no label " +
                                     quoted(theirs.value()));
  }
  out.ours = theirs;
  return out;
}

}  // namespace shamon
