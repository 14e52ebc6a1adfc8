#include "policy/unite/vocabulary.hpp"

#include <numeric>

#include "policy/language/spelling.hpp"
#include "policy/unite/compare.hpp"

namespace shamon {
namespace {

/// Names of one kind in the united policy. Home's stay as they are; another coalition's get its
/// name in front, and more dots where that is taken.
class Namer {
 public:
  std::string make(std::string const& coalition, std::string const& name, bool home) {
    std::string made = home ? name : coalition + "." + name;
    for (std::string dots = ".."; !taken_.insert(made).second; dots += ".") {
      made = coalition + dots + name;
    }
    return made;
  }

 private:
  std::set<std::string> taken_;
};

/// Sets of labels that are one (union-find with path halving).
class Sets {
 public:
  std::size_t add() {
    parent_.push_back(parent_.size());
    return parent_.back();
  }
  std::size_t find(std::size_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  /// The lower number stays, so that home's labels give their names.
  void join(std::size_t a, std::size_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

Conflict no_such_label(Parts const& parts, MapLink const& link, std::size_t group) {
  Part const& part = parts.all[link.part];
  std::string const& theirs = link.pair->theirs.text;
  Conflict out;
  out.kind = ConflictKind::map;
  out.text = "coalition " + parts.coalitions[group] + " has no label '" + theirs + "' to map";
  out.one = cite(link.map->origin);
  out.one.column = link.pair->theirs.column;
  for (auto const& other : parts.all) {
    if (other.group != group) continue;
    out.other = cite(other.document().coalition.origin);
    Question unknown{Operation::associate, LabelName(theirs), LabelName(theirs), {}, {}, {}};
    Question known = unknown;
    known.subject = known.object = LabelName(link.pair->ours.text);
    out.example = two_answers({other.file(), other.policy, unknown, {}},
                              {part.file(), part.policy, known, {}});
    break;
  }
  return out;
}

}  // namespace

/// Reads the parts group by group, so that those at home have the lowest numbers.
class Vocabulary::Maker {
 public:
  Maker(Parts const& parts, std::vector<Conflict>& conflicts)
      : parts_(parts), conflicts_(conflicts) {
    std::size_t const groups = parts.coalitions.size();
    out_.classes_.resize(groups);
    out_.types_.resize(groups);
    out_.categories_.resize(groups);
    out_.walls_.resize(groups);
  }

  Vocabulary run() && {
    std::vector<std::vector<std::size_t>> of_group(parts_.coalitions.size());
    for (std::size_t i = 0; i < parts_.all.size(); ++i) {
      of_group[parts_.all[i].group].push_back(i);
    }
    for (auto const& group : of_group) {
      for (std::size_t i : group) name_all(parts_.all[i]);
    }
    for (std::size_t group = 0; group < parts_.coalitions.size(); ++group) {
      sites_.emplace(parts_.coalitions[group], group);
    }
    for (std::size_t i = 0; i < parts_.all.size(); ++i) {
      for (auto const& map : parts_.all[i].document().maps) follow(i, map);
    }
    number_classes();
    return std::move(out_);
  }

 private:
  void name_all(Part const& part) {
    std::size_t const group = part.group;
    auto define = [&](Namer& namer, Named& named, std::string const& name) {
      if (named.contains(name)) return;
      named.emplace(name, namer.make(parts_.coalitions[group], name, group == 0));
    };
    PolicyDocument const& document = part.document();
    for (auto const& label : document.labels) {
      if (!out_.classes_[group].try_emplace(label.name.text, nodes_.size()).second) continue;
      sets_.add();
      nodes_.emplace_back(group, label.name.text);
    }
    for (auto const& statement : document.types) {
      for (auto const& name : statement.names) define(types_, out_.types_[group], name.text);
    }
    for (auto const& statement : document.categories) {
      for (auto const& name : statement.names) {
        define(categories_, out_.categories_[group], name.text);
      }
    }
    for (auto const& wall : document.walls) define(walls_, out_.walls_[group], wall.name.text);
  }

  void follow(std::size_t part, MapStatement const& map) {
    auto const site = sites_.find(map.site.text);
    if (site == sites_.end() || site->second == parts_.all[part].group) return;
    for (auto const& pair : map.pairs) {
      MapLink const link{part, &map, &pair};
      auto const theirs = out_.classes_[site->second].find(pair.theirs.text);
      if (theirs == out_.classes_[site->second].end()) {
        conflicts_.push_back(no_such_label(parts_, link, site->second));
        continue;
      }
      std::size_t const ours = out_.classes_[parts_.all[part].group].at(pair.ours.text);
      sets_.join(theirs->second, ours);
      out_.links_.push_back(link);
      out_.link_class_.push_back(ours);
    }
  }

  /// Nodes become classes, numbered and named in the order of their first node.
  void number_classes() {
    std::vector<ClassId> class_of_node(nodes_.size());
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
      std::size_t const root = sets_.find(node);
      if (root == node) {
        class_of_node[node] = out_.names_.size();
        auto const& [group, name] = nodes_[node];
        out_.names_.push_back(labels_.make(parts_.coalitions[group], name, group == 0));
        out_.members_.emplace_back();
      } else {
        class_of_node[node] = class_of_node[root];
      }
      out_.members_[class_of_node[node]].push_back(nodes_[node]);
    }
    for (auto& group : out_.classes_) {
      for (auto& entry : group) entry.second = class_of_node[entry.second];
    }
    for (auto& link : out_.link_class_) link = class_of_node[link];
  }

  Parts const& parts_;
  std::vector<Conflict>& conflicts_;
  Vocabulary out_;
  Sets sets_;
  std::vector<std::pair<std::size_t, std::string>> nodes_;  ///< group, name there
  std::map<std::string, std::size_t> sites_;                ///< coalition: group
  Namer labels_, types_, categories_, walls_;
};

Vocabulary Vocabulary::make(Parts const& parts, std::vector<Conflict>& conflicts) {
  return Maker(parts, conflicts).run();
}

ClassId Vocabulary::class_of(std::size_t group, std::string_view label) const {
  return classes_[group].at(std::string(label));
}

std::vector<MapLink> Vocabulary::links(ClassId label) const {
  std::vector<MapLink> out;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (link_class_[i] == label) out.push_back(links_[i]);
  }
  return out;
}

std::string Vocabulary::type(std::size_t group, std::string const& name) const {
  return types_[group].at(name);
}
std::string Vocabulary::category(std::size_t group, std::string const& name) const {
  return categories_[group].at(name);
}
std::string Vocabulary::wall(std::size_t group, std::string const& name) const {
  return walls_[group].at(name);
}

std::string Vocabulary::too_long() const {
  for (auto const& name : names_) {
    if (!is_policy_name(name)) return name;
  }
  for (auto const* kind : {&types_, &categories_, &walls_}) {
    for (auto const& group : *kind) {
      for (auto const& [own, united] : group) {
        if (!is_policy_name(united)) return united;
      }
    }
  }
  return "";
}

}  // namespace shamon
