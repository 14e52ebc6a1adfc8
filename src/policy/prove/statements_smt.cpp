#include "policy/prove/statements_smt.hpp"

#include <algorithm>

#include "policy/prove/smt_text.hpp"

namespace shamon {
namespace {

using namespace smt;

std::string shares(Name const& type) {
  return symbol("shares", type.text);
}
std::string stands_on(Name const& type) {
  return symbol("stands-on", type.text);
}
std::string both_sides(Name const& wall) {
  return symbol("stands-on-both-sides", wall.text);
}
/// PREDICATE of a label.
std::string holds(std::string const& predicate, std::string const& label) {
  return "(" + predicate + " " + label + ")";
}
std::string negated(std::string const& term) {
  return "(not " + term + ")";
}

bool names(std::vector<Name> const& list, Name const& name) {
  return std::any_of(list.begin(), list.end(), [&](auto const& n) { return n.text == name.text; });
}

std::vector<Name> const& wall_types(LabelStatement const& label) {
  return label.wall ? *label.wall : label.share;
}

bool on_both_sides(WallStatement const& wall, LabelStatement const& label) {
  std::set<std::string> types;
  for (auto const& type : wall_types(label)) {
    if (names(wall.types, type)) types.insert(type.text);
  }
  return types.size() > 1;
}

std::string place(Origin const& origin) {
  return origin.file + ":" + std::to_string(origin.line) + ": " + origin.text;
}

/// The labels for which `which` holds, as a predicate, with their statements in front.
template <class Which>
std::string labels_where(PolicyDocument const& document, std::string const& name, Which which) {
  std::string out;
  std::vector<std::string> terms;
  for (auto const& label : document.labels) {
    if (!which(label)) continue;
    out += comment(place(label.origin));
    terms.push_back(equal("l", StatementsSmt::name_of(label)));
  }
  return out + define(name, "(l Label)", any_of(terms));
}

/// One of the two lattices, as a label's statement has it. The words stand here once more, in the
/// order the language's page gives them.
struct Lattice {
  std::string name;
  std::vector<std::string> ranks;  ///< from low to high
  std::optional<Name> LabelStatement::*rank;
  std::vector<Name> LabelStatement::*categories;

  std::size_t rank_of(LabelStatement const& label) const {
    if (!(label.*rank)) return 0;
    auto const at = std::find(ranks.begin(), ranks.end(), (label.*rank)->text);
    return static_cast<std::size_t>(at - ranks.begin());
  }
  std::string at_least(std::size_t bound) const { return name + ".at-least." + ranks[bound]; }
  std::string has(Name const& category) const { return symbol(name + ".has", category.text); }
};

Lattice secrecy() {
  return {"secrecy",
          {"open", "internal", "confidential", "secret"},
          &LabelStatement::secrecy,
          &LabelStatement::secrecy_categories};
}
Lattice integrity() {
  return {"integrity",
          {"low", "medium", "high"},
          &LabelStatement::integrity,
          &LabelStatement::integrity_categories};
}

std::string definitions_of(Lattice const& lattice, PolicyDocument const& document) {
  std::string out;
  for (std::size_t bound = 1; bound < lattice.ranks.size(); ++bound) {
    out += labels_where(document, lattice.at_least(bound),
                        [&](auto const& label) { return lattice.rank_of(label) >= bound; });
  }
  for (auto const& statement : document.categories) {
    for (auto const& category : statement.names) {
      out += labels_where(document, lattice.has(category), [&](auto const& label) {
        return names(label.*lattice.categories, category);
      });
    }
  }
  return out;
}

/// That the level of `to` is at least that of `label`: no lower rank, and every category.
std::string to_is_at_least(Lattice const& lattice, LabelStatement const& label) {
  std::vector<std::string> terms;
  std::size_t const rank = lattice.rank_of(label);
  if (rank > 0) terms.push_back(holds(lattice.at_least(rank), "to"));
  for (auto const& category : label.*lattice.categories) {
    terms.push_back(holds(lattice.has(category), "to"));
  }
  return all_of(terms);
}

/// That the level of `label` is at least that of `to`.
std::string to_is_at_most(Lattice const& lattice, LabelStatement const& label,
                          PolicyDocument const& document) {
  std::vector<std::string> terms;
  std::size_t const above = lattice.rank_of(label) + 1;
  if (above < lattice.ranks.size()) {
    terms.push_back(negated(holds(lattice.at_least(above), "to")));
  }
  for (auto const& statement : document.categories) {
    for (auto const& category : statement.names) {
      if (names(label.*lattice.categories, category)) continue;
      terms.push_back(negated(holds(lattice.has(category), "to")));
    }
  }
  return all_of(terms);
}

std::string within(char const* port, ServicePattern const& service) {
  return "(within " + std::string(port) + " " + bits(service.port_low, 16) + " " +
         bits(service.port_high, 16) + ")";
}

/// A service is a packet's destination port; of a two-way `allow`, either of its ports.
std::string carries(ServicePattern const& service, bool two_way) {
  if (service.protocol == 0) return "true";
  std::vector<std::string> ports = {within("port", service)};
  if (two_way) ports.push_back(within("source-port", service));
  return all_of({equal("protocol", bits(service.protocol, 8)), any_of(ports)});
}

}  // namespace

StatementsSmt::StatementsSmt(PolicyDocument const& document) : document_(document) {
  for (auto const& allow : document.allows) {
    allow_ids_.insert(allow.origin.statement.value());
    allows_[allow.from.text].push_back(&allow);
    if (allow.to.text != allow.from.text) allows_[allow.to.text].push_back(&allow);
  }
}

std::string StatementsSmt::name_of(LabelStatement const& label) {
  return symbol("label", label.name.text);
}

std::string StatementsSmt::allow_name(StatementId statement) const {
  if (allow_ids_.count(statement.value()) == 0) return "";
  return "allow." + std::to_string(statement.value());
}

std::string StatementsSmt::type_definitions() const {
  std::string out;
  for (auto const& statement : document_.types) {
    for (auto const& type : statement.names) {
      out += labels_where(document_, shares(type),
                          [&](auto const& label) { return names(label.share, type); });
    }
  }
  return out;
}

std::string StatementsSmt::level_definitions() const {
  return labels_where(document_, "is-guard", [](auto const& label) { return label.guard; }) +
         definitions_of(secrecy(), document_) + definitions_of(integrity(), document_);
}

std::string StatementsSmt::wall_definitions() const {
  std::string out;
  std::set<std::string> types;
  for (auto const& wall : document_.walls) {
    out += comment(place(wall.origin));
    for (auto const& type : wall.types) {
      if (!types.insert(type.text).second) continue;
      out += labels_where(document_, stands_on(type),
                          [&](auto const& label) { return names(wall_types(label), type); });
    }
    out += labels_where(document_, both_sides(wall.name),
                        [&](auto const& label) { return on_both_sides(wall, label); });
  }
  return out;
}

std::string StatementsSmt::allow_definition(AllowStatement const& allow) const {
  auto direction = [](Name const& from, Name const& to) {
    return all_of({equal("a", symbol("label", from.text)), equal("b", symbol("label", to.text))});
  };
  std::vector<std::string> directions = {direction(allow.from, allow.to)};
  if (allow.two_way) directions.push_back(direction(allow.to, allow.from));
  std::vector<std::string> services;
  for (auto const& service : allow.services) services.push_back(carries(service, allow.two_way));
  if (services.empty()) services.push_back("true");
  return comment(place(allow.origin)) + define(allow_name(allow.origin.statement),
                                               "(a Label) (b Label)",
                                               all_of({any_of(directions), any_of(services)}));
}

std::string StatementsSmt::definitions() const {
  std::string out =
      define("within", "(p Port) (low Port) (high Port)", "(and (bvule low p) (bvule p high))");
  out += labels_where(document_, "is-defined", [](auto const&) { return true; });
  out += type_definitions() + level_definitions() + wall_definitions();
  for (auto const& allow : document_.allows) out += allow_definition(allow);
  return out;
}

/// Information may flow from `from` to `to`: no lower secrecy there, no higher integrity.
std::string StatementsSmt::levels_there(LabelStatement const& from) const {
  return all_of({to_is_at_least(secrecy(), from), to_is_at_most(integrity(), from, document_)});
}
std::string StatementsSmt::levels_back(LabelStatement const& from) const {
  return all_of({to_is_at_most(secrecy(), from, document_), to_is_at_least(integrity(), from)});
}

/// Two different types of a wall would be there: one of each label, or two of one of them.
std::string StatementsSmt::apart(LabelStatement const& from) const {
  std::vector<std::string> terms;
  for (auto const& wall : document_.walls) {
    for (auto const& mine : wall_types(from)) {
      if (!names(wall.types, mine)) continue;
      for (auto const& other : wall.types) {
        if (other.text != mine.text) terms.push_back(holds(stands_on(other), "to"));
      }
    }
    terms.push_back(holds(both_sides(wall.name), "to"));
    terms.push_back(holds(both_sides(wall.name), name_of(from)));
  }
  return any_of(terms);
}

std::string StatementsSmt::allowed(LabelStatement const& from) const {
  std::vector<std::string> terms;
  if (auto const at = allows_.find(from.name.text); at != allows_.end()) {
    for (auto const* allow : at->second) {
      terms.push_back("(" + allow_name(allow->origin.statement) + " " + name_of(from) + " to)");
    }
  }
  return any_of(terms);
}

std::string StatementsSmt::row(LabelStatement const& from) const {
  std::string const own = equal("to", name_of(from));
  std::vector<std::string> common;
  for (auto const& type : from.share) common.push_back(holds(shares(type), "to"));
  std::string const guard = from.guard ? "true" : "(is-guard to)";
  return define("statements.common-type", "", any_of(common)) +
         define("statements.beside-guard", "", all_of({guard, negated(own)})) +
         define("statements.levels-there", "", levels_there(from)) +
         define("statements.levels-back", "", levels_back(from)) +
         define("statements.allowed", "", allowed(from)) +
         define("statements.flow", "",
                "(and (or statements.allowed (and statements.common-type "
                "(not statements.beside-guard))) "
                "(or statements.beside-guard statements.levels-there))") +
         define("statements.both-ways", "",
                "(and statements.common-type statements.levels-there statements.levels-back)") +
         define("statements.memory", "",
                "(and statements.both-ways (not statements.beside-guard))") +
         define("statements.device", "", any_of({own, "statements.both-ways"})) +
         define("statements.start", "", all_of({"(is-defined to)", negated(apart(from))}));
}

}  // namespace shamon
