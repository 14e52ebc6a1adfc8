#include "policy/language/checker.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "policy/language/level_words.hpp"
#include "policy/language/spelling.hpp"

namespace shamon {
namespace {

std::string where_seen_from(Origin const& here, Origin const& there) {
  return (here.file == there.file ? "on " : "at ") + seen_from(here, there);
}

/// Names of one kind: where each was defined, and its index.
class Scope {
 public:
  Scope(std::string kind, std::string kinds, std::size_t max, Diagnostics& diagnostics)
      : kind_(std::move(kind)), kinds_(std::move(kinds)), max_(max), diagnostics_(diagnostics) {}

  void define(Name const& name, Origin const& origin) {
    auto const [at, added] = names_.try_emplace(name.text, Entry{names_.size(), &origin});
    if (!added) {
      diagnostics_.add(place_of(origin, name), PolicyCode::already_defined,
                       kind_ + " " + quoted(name.text) + " is already defined " +
                           where_seen_from(origin, *at->second.origin));
    } else if (names_.size() == max_ + 1) {
      diagnostics_.add(place_of(origin, name), PolicyCode::too_many,
                       "a policy may have " + std::to_string(max_) + " " + kinds_);
    }
  }

  /// The index of a name in use, or a diagnostic with the nearest spelling.
  std::optional<std::size_t> find(Name const& name, Origin const& origin) {
    auto const at = names_.find(name.text);
    if (at != names_.end()) return at->second.index;
    std::vector<std::string_view> candidates;
    for (auto const& entry : names_) candidates.push_back(entry.first);
    std::string const near = nearest(name.text, candidates);
    diagnostics_.add(place_of(origin, name), PolicyCode::not_defined,
                     kind_ + " " + quoted(name.text) + " is not defined" + did_you_mean(near),
                     near.empty() ? near : spell_name(near));
    return std::nullopt;
  }

  std::size_t size() const { return names_.size(); }

 private:
  struct Entry {
    std::size_t index;
    Origin const* origin;
  };

  std::string kind_;
  std::string kinds_;  ///< more than one of them
  std::size_t max_;
  Diagnostics& diagnostics_;
  std::map<std::string, Entry> names_;
};

class Checker {
 public:
  Checker(PolicyDocument const& document, Diagnostics& diagnostics)
      : document_(document),
        diagnostics_(diagnostics),
        types_("type", "types", kTypesMax, diagnostics),
        categories_("category", "categories", kCategoriesMax, diagnostics),
        labels_("label", "labels", kLabelsMax, diagnostics) {}

  PolicyRules run() {
    define_names();
    rules_.coalition = CoalitionName(document_.coalition.name.text);
    rules_.revision = document_.coalition.revision;
    rules_.type_count = static_cast<std::uint16_t>(std::min(types_.size(), kTypesMax));
    for (auto const& wall : document_.walls) add_wall(wall);
    for (auto const& label : document_.labels) add_label(label);
    // Indexes are off by what was refused: go on to find wrong names, but make no rules.
    labels_hold_ = diagnostics_.none();
    for (auto const& allow : document_.allows) add_allow(allow);
    check_uses();
    return std::move(rules_);
  }

 private:
  void define_names() {
    for (auto const& statement : document_.types) {
      for (auto const& name : statement.names) types_.define(name, statement.origin);
    }
    for (auto const& statement : document_.categories) {
      for (auto const& name : statement.names) categories_.define(name, statement.origin);
    }
    for (auto const& label : document_.labels) labels_.define(label.name, label.origin);
    Scope walls("wall", "walls", kWallsMax, diagnostics_);
    for (auto const& wall : document_.walls) walls.define(wall.name, wall.origin);
  }

  TypeSet resolve(std::vector<Name> const& names, Origin const& origin) {
    TypeSet set;
    for (auto const& name : names) {
      auto const index = types_.find(name, origin);
      if (index && *index < kTypesMax) set.set(*index);
    }
    return set;
  }

  void add_wall(WallStatement const& wall) {
    rules_.walls.push_back({resolve(wall.types, wall.origin), wall.origin.statement});
  }

  Level level(std::optional<Name> const& written, std::vector<Name> const& categories,
              Origin const& origin, std::string const& kind,
              std::optional<Level> (*find)(std::string_view),
              std::span<const std::string_view> names) {
    if (!written) return {};
    if (auto found = find(written->text)) {
      found->categories = resolve_categories(categories, origin);
      return *found;
    }
    std::string list;
    for (auto name : names) list += (list.empty() ? "" : ", ") + std::string(name);
    std::string const near = nearest(written->text, names);
    diagnostics_.add(place_of(origin, *written), PolicyCode::unknown_level,
                     quoted(written->text) + " is not a level of " + kind + " (" + list + ")",
                     near);
    return {};
  }

  std::uint64_t resolve_categories(std::vector<Name> const& names, Origin const& origin) {
    std::uint64_t set = 0;
    for (auto const& name : names) {
      auto const index = categories_.find(name, origin);
      if (index && *index < kCategoriesMax) set |= std::uint64_t{1} << *index;
    }
    return set;
  }

  void add_label(LabelStatement const& statement) {
    Origin const& origin = statement.origin;
    LabelRule rule;
    rule.statement = statement.origin.statement;
    rule.label.name = LabelName(statement.name.text);
    rule.label.guard = statement.guard;
    rule.label.share = resolve(statement.share, origin);
    rule.label.wall = statement.wall ? resolve(*statement.wall, origin) : rule.label.share;
    rule.label.levels.secrecy = level(
        statement.secrecy, statement.secrecy_categories, origin, "secrecy",
        [](auto name) { return find_secrecy(name); }, kSecrecyNames);
    rule.label.levels.integrity = level(
        statement.integrity, statement.integrity_categories, origin, "integrity",
        [](auto name) { return find_integrity(name); }, kIntegrityNames);
    for (std::size_t i = 0; i < rules_.walls.size(); ++i) {
      if (breaks_wall(rules_.walls[i].types, rule.label.wall, rule.label.wall)) {
        if (statement.wall) continue;  // stated word for word: the linter's matter
        diagnostics_.add(place_of(origin, statement.name), PolicyCode::never_starts,
                         "label " + quoted(statement.name.text) + " stands on both sides of wall " +
                             quoted(document_.walls[i].name.text) +
                             " and could never start; say 'wall none' or name its side with "
                             "'wall TYPE'");
      }
    }
    rules_.labels.push_back(std::move(rule));
  }

  void add_allow(AllowStatement const& statement) {
    auto const from = labels_.find(statement.from, statement.origin);
    auto const to = labels_.find(statement.to, statement.origin);
    if (!from || !to || !labels_hold_) return;
    std::vector<ServicePattern> services = statement.services;
    if (services.empty()) services.push_back({});
    count(*from, *to, services.size(), statement);
    if (statement.two_way && *from != *to) count(*to, *from, services.size(), statement);
    for (auto const& service : services) {
      AllowRule rule;
      rule.from = LabelId(static_cast<std::uint16_t>(*from));
      rule.to = LabelId(static_cast<std::uint16_t>(*to));
      rule.two_way = statement.two_way;
      rule.protocol = service.protocol;
      rule.port_low = service.port_low;
      rule.port_high = service.port_high;
      rule.statement = statement.origin.statement;
      rules_.allows.push_back(rule);
    }
  }

  void count(std::size_t from, std::size_t to, std::size_t added, AllowStatement const& statement) {
    std::size_t& rules = rules_of_pair_[{from, to}];
    if (rules <= kRulesPerPairMax && rules + added > kRulesPerPairMax) {
      diagnostics_.add(place_of(statement.origin), PolicyCode::too_many,
                       "more than " + std::to_string(kRulesPerPairMax) +
                           " services from one label to another; use a port range, or allow all");
    }
    rules += added;
    if (rules_.allows.size() + added > kAllowRulesMax) {
      diagnostics_.add(place_of(statement.origin), PolicyCode::too_many,
                       "a policy may have " + std::to_string(kAllowRulesMax) + " services");
    }
  }

  /// Names in statements that make no rules.
  void check_uses() {
    for (auto const& vm : document_.vm_conditions) labels_.find(vm.label, vm.origin);
    for (auto const& goal : document_.goals) check_goal(goal);
    for (auto const& map : document_.maps) check_map(map);
    limit(document_.host_conditions, kHostConditionsMax, "'member host' statements");
    limit(document_.goals, kGoalsMax, "goals");
    limit(document_.maps, kMapsMax, "maps");
  }

  void check_goal(GoalStatement const& goal) {
    Origin const& origin = goal.origin;
    if (goal.from.text != kInternet) labels_.find(goal.from, origin);
    if (goal.to.text != kInternet) labels_.find(goal.to, origin);
    if (goal.from.text == goal.to.text) {
      diagnostics_.add(place_of(origin, goal.to), PolicyCode::reaches_itself,
                       "a label always reaches itself");
    }
    for (auto const& guard : goal.through) {
      if (!labels_.find(guard, origin)) continue;
      for (auto const& label : document_.labels) {
        if (label.name.text == guard.text && !label.guard) {
          diagnostics_.add(place_of(origin, guard), PolicyCode::not_a_guard,
                           "label " + quoted(guard.text) + " is not a guard");
        }
      }
    }
  }

  /// Once in a statement; in several of one site again, but not to another label.
  void check_map(MapStatement const& map) {
    for (auto const& pair : map.pairs) {
      labels_.find(pair.ours, map.origin);
      auto const [at, fresh] = mapped_.try_emplace({map.site.text, pair.theirs.text}, &map, &pair);
      auto const& [earlier, before] = at->second;
      if (fresh || (earlier != &map && before->ours.text == pair.ours.text)) continue;
      std::string const elsewhere =
          earlier == &map
              ? ""
              : ", to " + before->ours.text + " " + where_seen_from(map.origin, earlier->origin);
      diagnostics_.add(place_of(map.origin, pair.theirs), PolicyCode::mapped_twice,
                       quoted(pair.theirs.text) + " is mapped twice" + elsewhere);
    }
  }

  template <class S>
  void limit(std::vector<S> const& statements, std::size_t max, std::string const& what) {
    if (statements.size() <= max) return;
    diagnostics_.add(place_of(statements[max].origin), PolicyCode::too_many,
                     "a policy may have " + std::to_string(max) + " " + what);
  }

  PolicyDocument const& document_;
  Diagnostics& diagnostics_;
  Scope types_;
  Scope categories_;
  Scope labels_;
  bool labels_hold_ = false;
  PolicyRules rules_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> rules_of_pair_;
  /// By site and their name.
  std::map<std::pair<std::string, std::string>,
           std::pair<MapStatement const*, MapStatement::Pair const*>>
      mapped_;
};

}  // namespace

PolicyRules check(PolicyDocument const& document, Diagnostics& diagnostics) {
  return Checker(document, diagnostics).run();
}

}  // namespace shamon
