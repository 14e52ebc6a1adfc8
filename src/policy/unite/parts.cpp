#include "policy/unite/parts.hpp"

#include <algorithm>

namespace shamon {

Cited cite(Origin const& origin) {
  return {origin.file, origin.line, origin.column, origin.text};
}

Cited cite(PolicyBuild const& build, Decision const& decision) {
  std::uint32_t const number = decision.statement.value();
  if (number == 0) return {};
  // The document knows the column too; but the origin of a united policy is only in the tables.
  StatementOrigin const origin = build.compiled.origin(decision.statement);
  for (auto const& label : build.document->labels) {
    if (label.origin.statement == decision.statement && label.origin.text == origin.text) {
      return cite(label.origin);
    }
  }
  for (auto const& allow : build.document->allows) {
    if (allow.origin.statement == decision.statement && allow.origin.text == origin.text) {
      return cite(allow.origin);
    }
  }
  return {origin.file, origin.line, 1, origin.text};
}

bool Part::has_file(std::string_view name) const {
  return name == file() || std::any_of(document().includes.begin(), document().includes.end(),
                                       [&](auto const& include) { return include.file == name; });
}

Parts read_parts(std::vector<SharedPolicy> const& policies) {
  Parts out;
  std::map<std::string, std::size_t> groups;
  for (auto const& policy : policies) {
    Part part;
    part.policy = policy;
    std::string const& coalition = policy->document->coalition.name.text;
    part.group = groups.try_emplace(coalition, groups.size()).first->second;
    if (part.group == out.coalitions.size()) out.coalitions.push_back(coalition);
    for (auto const& label : part.document().labels) part.labels.emplace(label.name.text, &label);
    for (auto const& wall : part.document().walls) part.walls.emplace(wall.name.text, &wall);
    out.all.push_back(std::move(part));
  }
  return out;
}

}  // namespace shamon
