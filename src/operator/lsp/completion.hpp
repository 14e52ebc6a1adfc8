// What may be written next.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/document.hpp"

namespace shamon::lsp {

enum class ProposalKind : std::uint8_t { keyword, label, type, category, value };

struct Proposal {
  std::string text;
  ProposalKind kind = ProposalKind::keyword;
};

/// `before` is the line up to the cursor; a word it ends in is being written and not looked at.
std::vector<Proposal> proposals(std::string_view before, PolicyDocument const& document);

}  // namespace shamon::lsp
