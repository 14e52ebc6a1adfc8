#include <algorithm>
#include <set>

#include "policy/language/spelling.hpp"
#include "policy/unite/dispute.hpp"
#include "policy/unite/judge.hpp"

namespace shamon {
namespace {

using Texts = std::set<std::string>;

Texts texts(std::vector<Name> const& names) {
  Texts out;
  for (auto const& name : names) out.insert(name.text);
  return out;
}

Texts symmetric_difference(Texts const& a, Texts const& b) {
  Texts out;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                std::inserter(out, out.end()));
  return out;
}

/// A label's levels as attributes, in the united vocabulary.
std::string level_text(Vocabulary const& names, std::size_t group, LabelStatement const& label) {
  auto one = [&](std::string out, std::vector<Name> const& categories) {
    Texts united;
    for (auto const& name : categories) united.insert(names.category(group, name.text));
    std::string list;
    for (auto const& name : united) list += (list.empty() ? " {" : " ") + spell_name(name);
    return out + list + (list.empty() ? "" : "}");
  };
  return one("secrecy " + (label.secrecy ? label.secrecy->text : "open"),
             label.secrecy_categories) +
         "  " +
         one("integrity " + (label.integrity ? label.integrity->text : "low"),
             label.integrity_categories);
}

class Definitions {
 public:
  Definitions(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts)
      : parts_(parts), names_(vocabulary), conflicts_(conflicts) {}

  void run() {
    for (std::size_t i = 0; i < parts_.all.size() && !conflicts_.full(); ++i) {
      Part const& part = parts_.all[i];
      compare_revision(i);
      for (auto const& label : part.document().labels) compare_label(i, label);
      for (auto const& wall : part.document().walls) compare_wall(i, wall);
      for (auto const& map : part.document().maps) compare_map(part, map);
    }
  }

 private:
  struct Defined {
    std::size_t part = 0;
    LabelStatement const* label = nullptr;
  };

  static Conflict conflict(ConflictKind kind, Origin const& one, Origin const& other,
                           std::string text) {
    Conflict out;
    out.kind = kind;
    out.text = std::move(text);
    out.one = cite(one);
    out.other = cite(other);
    return out;
  }

  void compare_revision(std::size_t i) {
    Part const& part = parts_.all[i];
    auto const [at, added] = coalitions_.try_emplace(part.group, i);
    if (added) return;
    CoalitionStatement const& first = parts_.all[at->second].document().coalition;
    CoalitionStatement const& here = part.document().coalition;
    if (first.revision == here.revision) return;
    Conflict found =
        conflict(ConflictKind::revision, first.origin, here.origin,
                 "coalition '" + first.name.text + "' is here in revisions " +
                     std::to_string(first.revision.value()) + " and " +
                     std::to_string(here.revision.value()) + "; one policy is in force, not two");
    found.example.text = "whoever acts on one of the revisions is stale to the other";
    for (auto const& label : parts_.all[at->second].document().labels) {
      if (!part.labels.contains(label.name.text)) continue;
      LabelName const name(label.name.text);
      Question const question{Operation::associate, name, name, {}, {}, first.revision};
      found.example =
          two_answers({parts_.all[at->second].file(), parts_.all[at->second].policy, question, {}},
                      {part.file(), part.policy, question, {}});
      break;
    }
    conflicts_.add(std::move(found));
  }

  void compare_label(std::size_t i, LabelStatement const& label) {
    Part const& part = parts_.all[i];
    ClassId const id = names_.class_of(part.group, label.name.text);
    auto& known = labels_[id];
    for (auto const& first : known) {
      bool const same_name =
          parts_.all[first.part].group == part.group && first.label->name.text == label.name.text;
      if (!same_name && parts_.all[first.part].group == part.group) continue;  // judge_merges
      if (compare_levels(id, first, {i, &label})) return;
      if (compare_attributes(id, first, {i, &label}, same_name)) return;
      if (same_name) return;
    }
    known.push_back({i, &label});
  }

  std::string what(ClassId id, Defined const& one, Defined const& other) const {
    if (!names_.is_mapped(id)) return "label '" + one.label->name.text + "'";
    return "label '" + one.label->name.text + "' of " + parts_.all[one.part].file() + " and '" +
           other.label->name.text + "' of " + parts_.all[other.part].file() + ", which are mapped,";
  }

  /// A definition's attributes but its levels, in the united vocabulary.
  std::string attributes(Defined const& defined) const {
    std::string out;
    std::size_t const group = parts_.all[defined.part].group;
    for (auto const& type : defined.label->share) {
      out += (out.empty() ? "share " : " ") + spell_name(names_.type(group, type.text));
    }
    return out + (out.empty() ? "wall none" : " wall none");
  }

  std::string levels(Defined const& defined) const {
    return level_text(names_, parts_.all[defined.part].group, *defined.label);
  }

  bool compare_levels(ClassId id, Defined const& one, Defined const& other) {
    if (levels(one) == levels(other)) return false;
    Conflict found = conflict(ConflictKind::level, one.label->origin, other.label->origin,
                              what(id, one, other) + " has two levels");
    Dispute dispute(parts_, names_, one.part, other.part);
    std::string const name = names_.name(id);
    for (auto const& side : {one, other}) {
      std::string const probe = dispute.probe(attributes(side) + " " + levels(side));
      dispute.say("allow " + probe + " <-> " + spell_name(name));
    }
    found.example = dispute.find({name});
    conflicts_.add(std::move(found));
    return true;
  }

  bool compare_attributes(ClassId id, Defined const& one, Defined const& other, bool same_name) {
    // Types of different coalitions are different types: a mapped label has those of both.
    Texts const share = symmetric_difference(texts(one.label->share), texts(other.label->share));
    Texts const wall =
        symmetric_difference(texts(wall_types(*one.label)), texts(wall_types(*other.label)));
    bool const types_differ = same_name && (!share.empty() || !wall.empty());
    if (!types_differ && one.label->guard == other.label->guard) return false;
    Conflict found =
        conflict(ConflictKind::label, one.label->origin, other.label->origin,
                 what(id, one, other) +
                     (types_differ ? " has two meanings" : " is a guard in one of them only"));
    Dispute dispute(parts_, names_, one.part, other.part);
    std::size_t const group = parts_.all[one.part].group;
    std::string const name = names_.name(id);
    if (same_name) {
      for (auto const& type : share)
        dispute.probe("share " + spell_name(names_.type(group, type)) + " wall none");
      for (auto const& type : wall) probe_sides(dispute, one.part, other.part, type);
    }
    if (!types_differ) {
      std::string const probe = dispute.probe(attributes(one) + " secrecy secret integrity high");
      dispute.say("allow " + probe + " <-> " + spell_name(name));
    }
    found.example = dispute.find({name});
    conflicts_.add(std::move(found));
    return true;
  }

  /// A label on another side of each wall that `type` stands in.
  void probe_sides(Dispute& dispute, std::size_t one, std::size_t other,
                   std::string const& type) const {
    for (std::size_t part : {one, other}) {
      for (auto const& wall : parts_.all[part].document().walls) {
        Texts const sides = texts(wall.types);
        if (!sides.contains(type)) continue;
        for (auto const& side : sides) {
          if (side == type) continue;
          dispute.probe("wall " + spell_name(names_.type(parts_.all[part].group, side)));
          break;
        }
      }
    }
  }

  void compare_wall(std::size_t i, WallStatement const& wall) {
    Part const& part = parts_.all[i];
    auto const [at, added] =
        walls_.try_emplace(names_.wall(part.group, wall.name.text), std::pair(i, &wall));
    if (added) return;
    auto const& [first, first_wall] = at->second;
    Texts const ours = texts(wall.types);
    Texts const theirs = texts(first_wall->types);
    Texts const odd = symmetric_difference(ours, theirs);
    if (odd.empty()) return;
    Conflict found = conflict(ConflictKind::wall, first_wall->origin, wall.origin,
                              "wall '" + wall.name.text + "' is weaker in one: it does not keep '" +
                                  *odd.begin() + "' apart");
    Dispute dispute(parts_, names_, first, i);
    Texts const& larger = ours.contains(*odd.begin()) ? ours : theirs;
    std::vector<std::string> subjects;
    for (auto const& type : larger) {
      subjects.push_back(dispute.probe("wall " + spell_name(names_.type(part.group, type))));
    }
    for (auto const& label : part.document().labels) {
      subjects.push_back(names_.name(names_.class_of(part.group, label.name.text)));
    }
    found.example = dispute.find(subjects);
    conflicts_.add(std::move(found));
  }

  /// One coalition translates a site's label to one of its own.
  void compare_map(Part const& part, MapStatement const& map) {
    for (auto const& pair : map.pairs) {
      auto const [at, added] = mapped_.try_emplace({part.group, map.site.text, pair.theirs.text},
                                                   std::pair(&map, &pair));
      auto const& [first, first_pair] = at->second;
      if (added || names_.class_of(part.group, first_pair->ours.text) ==
                       names_.class_of(part.group, pair.ours.text)) {
        continue;
      }
      Conflict found = conflict(
          ConflictKind::map, first->origin, map.origin,
          "label '" + pair.theirs.text + "' of site '" + map.site.text + "' has two meanings");
      found.example.text = "a VM that the site labels '" + pair.theirs.text + "' would be both '" +
                           first_pair->ours.text + "' and '" + pair.ours.text + "' here";
      conflicts_.add(std::move(found));
    }
  }

  Parts const& parts_;
  Vocabulary const& names_;
  Conflicts& conflicts_;
  std::map<std::tuple<std::size_t, std::string, std::string>,
           std::pair<MapStatement const*, MapStatement::Pair const*>>
      mapped_;                                     ///< by coalition, site and label there
  std::map<std::size_t, std::size_t> coalitions_;  ///< group: its first part
  std::unordered_map<ClassId, std::vector<Defined>> labels_;
  std::unordered_map<std::string, std::pair<std::size_t, WallStatement const*>> walls_;
};

/// Two labels of one coalition that maps made one.
class Merges {
 public:
  Merges(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts)
      : parts_(parts), names_(vocabulary), conflicts_(conflicts) {}

  void run() {
    for (ClassId id = 0; id < names_.class_count() && !conflicts_.full(); ++id) {
      auto const& members = names_.members(id);
      for (std::size_t a = 0; a < members.size(); ++a) {
        for (std::size_t b = a + 1; b < members.size(); ++b) {
          if (members[a].first == members[b].first) {
            compare(id, members[a].first, members[a].second, members[b].second);
          }
        }
      }
    }
  }

 private:
  void compare(ClassId id, std::size_t group, std::string const& a, std::string const& b) {
    for (auto const& part : parts_.all) {
      if (part.group != group) continue;
      for (auto const& goal : part.document().goals) {
        bool const apart = (goal.from.text == a && goal.to.text == b) ||
                           (goal.from.text == b && goal.to.text == a);
        if (apart) return report(id, part, a, b, goal.origin, "a goal keeps apart");
      }
      auto const at_a = part.labels.find(a);
      auto const at_b = part.labels.find(b);
      if (at_a == part.labels.end() || at_b == part.labels.end()) continue;
      if (WallStatement const* wall = wall_between(part, *at_a->second, *at_b->second)) {
        return report(id, part, a, b, wall->origin, "a wall keeps apart");
      }
      if (level_text(names_, group, *at_a->second) != level_text(names_, group, *at_b->second)) {
        return report(id, part, a, b, at_b->second->origin, "levels tell apart");
      }
    }
  }

  static WallStatement const* wall_between(Part const& part, LabelStatement const& a,
                                           LabelStatement const& b) {
    Texts both = texts(wall_types(a));
    both.merge(texts(wall_types(b)));
    for (auto const& wall : part.document().walls) {
      auto const sides = std::count_if(wall.types.begin(), wall.types.end(),
                                       [&](Name const& type) { return both.contains(type.text); });
      if (sides > 1) return &wall;
    }
    return nullptr;
  }

  void report(ClassId id, Part const& part, std::string const& a, std::string const& b,
              Origin const& why, std::string const& how) {
    Conflict found;
    found.kind = ConflictKind::merge;
    found.text = "a map would make one label of '" + a + "' and '" + b + "', which " + how;
    found.one = cite(why);
    MapLink const link = guilty_link(id, part.group, b);
    Part const& author = parts_.all[link.part];
    found.other = cite(link.map->origin);
    found.example.text = "VMs of both would be VMs of one label";
    // What their own coalition says about the two, and what the map's author says about the one.
    std::string const& merged = link.pair->ours.text;
    std::string const one_label =
        author.group == part.group ? b : merged;  // mapped by home: by its own name there
    Comparable const own = comparable(part.file(), part.policy);
    Comparable const other = comparable(author.file(), author.policy);
    LabelName const one_name(one_label);
    for (Asked asked : {Asked::start, Asked::exchange}) {
      for (auto const& [s, o] : {std::pair(a, b), std::pair(b, a)}) {
        auto different =
            find_difference(own, {LabelName(s), LabelName(o)}, other, {one_name, one_name}, asked);
        if (!different) continue;
        found.example = two_answers(std::move(different->first), std::move(different->second));
        return conflicts_.add(std::move(found));
      }
    }
    conflicts_.add(std::move(found));
  }

  /// The map pair that names `label`, or else the last one.
  MapLink guilty_link(ClassId id, std::size_t group, std::string const& label) const {
    auto const links = names_.links(id);
    for (auto const& link : links) {
      bool const theirs = parts_.all[link.part].group != group && link.pair->theirs.text == label;
      bool const ours = parts_.all[link.part].group == group && link.pair->ours.text == label;
      if (theirs || ours) return link;
    }
    return links.back();
  }

  Parts const& parts_;
  Vocabulary const& names_;
  Conflicts& conflicts_;
};

}  // namespace

void judge_definitions(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts) {
  Definitions(parts, vocabulary, conflicts).run();
}

void judge_merges(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts) {
  Merges(parts, vocabulary, conflicts).run();
}

}  // namespace shamon
