// What a name means in a policy, in Markdown.
#pragma once

#include "operator/lsp/names.hpp"
#include "policy/source.hpp"

namespace shamon::lsp {

/// Of a label: its statement, then whom it may send to and from whom it may receive, with the
/// services, as the compiled policy decides. Without a compiled policy (the text has errors): the
/// statement alone, and that.
std::string hover_text(NameUse const& use, PolicyDocument const& document,
                       CompiledPolicy const* compiled);

}  // namespace shamon::lsp
