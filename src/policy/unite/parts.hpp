// The policies to be united, each read once: its place among coalitions, its statements by number.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/document.hpp"
#include "policy/unite/unite.hpp"

namespace shamon {

using SharedPolicy = std::shared_ptr<PolicyBuild const>;

struct Part {
  SharedPolicy policy;
  std::size_t group = 0;  ///< policies of one coalition are one group; 0: at home
  std::unordered_map<std::string_view, LabelStatement const*> labels;
  std::unordered_map<std::string_view, WallStatement const*> walls;

  PolicyDocument const& document() const { return *policy->document; }
  std::string const& file() const { return policy->document->file; }
  /// Whether a statement of that file is one of this policy's own.
  bool has_file(std::string_view name) const;
};

struct Parts {
  std::vector<Part> all;
  std::vector<std::string> coalitions;  ///< by group
};

Parts read_parts(std::vector<SharedPolicy> const& policies);

Cited cite(Origin const& origin);
/// The statement a decision rests on; line 0 if on none.
Cited cite(PolicyBuild const& build, Decision const& decision);

}  // namespace shamon
