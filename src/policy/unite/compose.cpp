#include "policy/unite/compose.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "policy/language/parser.hpp"
#include "policy/rules.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

/// A policy's text is printable ASCII, its comments too.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

class Composer {
 public:
  Composer(Parts const& parts, Vocabulary const& vocabulary, std::vector<std::size_t> const& order,
           Differences differences)
      : parts_(parts), names_(vocabulary), order_(order), differences_(differences) {}

  Composition run() {
    Part const& first = parts_.all[order_.front()];
    home_ = first.group;
    emit(first.document().coalition);
    collect_definitions();
    for (std::size_t i : order_) add_part(i);
    return std::move(out_);
  }

 private:
  /// One coalition's definition of a label.
  struct Definition {
    std::size_t part = 0;
    LabelStatement const* label = nullptr;
  };

  void collect_definitions() {
    definitions_.resize(names_.class_count());
    for (std::size_t i : order_) {
      Part const& part = parts_.all[i];
      for (auto const& label : part.document().labels) {
        auto& known = definitions_[names_.class_of(part.group, label.name.text)];
        bool const defined = std::any_of(known.begin(), known.end(), [&](Definition const& d) {
          return parts_.all[d.part].group == part.group && d.label->name.text == label.name.text;
        });
        if (!defined) known.push_back({i, &label});
      }
      for (auto const& wall : part.document().walls) {
        std::string const name = names_.wall(part.group, wall.name.text);
        for (auto const& type : wall.types) {
          auto const united = names_.type(part.group, type.text);
          auto const [first, last] = walls_of_type_.equal_range(united);
          bool const there =
              std::any_of(first, last, [&](auto const& e) { return e.second == name; });
          if (!there) walls_of_type_.emplace(united, name);
        }
      }
    }
  }

  template <class S>
  void emit(S statement) {
    Origin const origin = statement.origin;
    out_.text += render(Statement(std::move(statement))) + "\n";
    out_.statements.push_back(cite(origin));
  }
  /// The same words once.
  template <class S>
  void emit_once(S const& statement) {
    if (said_.insert(render(Statement(statement))).second) emit(statement);
  }

  void add_part(std::size_t index) {
    Part const& part = parts_.all[index];
    PolicyDocument const& document = part.document();
    std::size_t const before = out_.statements.size();
    std::size_t const text_before = out_.text.size();
    out_.text += "\n# " + printable(document.file) + ": coalition " + document.coalition.name.text +
                 " revision " + std::to_string(document.coalition.revision.value()) + "\n";
    for (auto const& type : document.types) add_type(part, type);
    for (auto const& category : document.categories) add_category(part, category);
    for (auto const& label : document.labels) add_label(part, label);
    for (auto const& wall : document.walls) add_wall(part, wall);
    for (auto const& allow : document.allows) add_allow(index, allow);
    for (auto const& condition : document.host_conditions) add_hosts(part, condition);
    for (auto const& condition : document.vm_conditions) add_images(part, condition);
    for (auto const& goal : document.goals) add_goal(part, goal);
    for (auto const& map : document.maps) add_map(part, map);
    if (out_.statements.size() == before) out_.text.resize(text_before);
    if (part.group != home_ && !document.host_conditions.empty()) {
      out_.notes.push_back(document.file + ": which machines coalition " +
                           document.coalition.name.text + " admits is left to its authority");
    }
  }

  Name label_name(Part const& part, Name const& name) const {
    return {names_.name(names_.class_of(part.group, name.text)), 0};
  }
  Name type_name(Part const& part, Name const& name) const {
    return {names_.type(part.group, name.text), 0};
  }

  void add_type(Part const& part, TypeStatement statement) {
    std::vector<Name> fresh;
    for (auto const& name : statement.names) {
      Name const united = type_name(part, name);
      if (types_.insert(united.text).second) fresh.push_back(united);
    }
    if (fresh.empty()) return;
    statement.names = std::move(fresh);
    emit(statement);
  }

  void add_category(Part const& part, CategoryStatement statement) {
    std::vector<Name> fresh;
    for (auto const& name : statement.names) {
      Name const united{names_.category(part.group, name.text), 0};
      if (categories_.insert(united.text).second) fresh.push_back(united);
    }
    if (fresh.empty()) return;
    statement.names = std::move(fresh);
    emit(statement);
  }

  void add_label(Part const& part, LabelStatement const& label) {
    ClassId const id = names_.class_of(part.group, label.name.text);
    if (definitions_[id].front().label != &label) return;
    LabelStatement united = label;
    united.name = {names_.name(id), 0};
    for (auto* categories : {&united.secrecy_categories, &united.integrity_categories}) {
      for (auto& name : *categories) name = {names_.category(part.group, name.text), 0};
    }
    united.share.clear();
    std::vector<Name> wall;
    for (auto const& definition : definitions_[id]) {
      Part const& from = parts_.all[definition.part];
      auto add = [&](std::vector<Name>& list, std::vector<Name> const& more) {
        for (auto const& name : more) {
          Name const added = type_name(from, name);
          bool const there = std::any_of(list.begin(), list.end(),
                                         [&](Name const& n) { return n.text == added.text; });
          if (!there) list.push_back(added);
        }
      };
      add(united.share, definition.label->share);
      add(wall, wall_types(*definition.label));
    }
    auto const texts = [](std::vector<Name> const& list) {
      std::set<std::string> out;
      for (auto const& name : list) out.insert(name.text);
      return out;
    };
    united.wall.reset();
    // Two sides of one wall must be said word for word, and show when decisions are compared.
    if (texts(wall) != texts(united.share) || has_two_sides(wall)) united.wall = std::move(wall);
    emit(united);
  }

  bool has_two_sides(std::vector<Name> const& types) const {
    std::set<std::string> touched;
    for (auto const& type : types) {
      auto const [first, last] = walls_of_type_.equal_range(type.text);
      for (auto at = first; at != last; ++at) {
        if (!touched.insert(at->second).second) return true;
      }
    }
    return false;
  }

  void add_wall(Part const& part, WallStatement wall) {
    std::string const name = names_.wall(part.group, wall.name.text);
    if (!walls_.insert(name).second) return;
    wall.name = {name, 0};
    for (auto& type : wall.types) type = type_name(part, type);
    emit(wall);
  }

  /// Whether an earlier policy of the same coalition knows both labels, and so has spoken.
  bool spoken_for(std::size_t index, AllowStatement const& allow) const {
    for (std::size_t earlier : order_) {
      if (earlier == index) return false;
      Part const& part = parts_.all[earlier];
      if (part.group == parts_.all[index].group && part.labels.contains(allow.from.text) &&
          part.labels.contains(allow.to.text)) {
        return true;
      }
    }
    return false;
  }

  void add_allow(std::size_t index, AllowStatement allow) {
    if (differences_ == Differences::first && spoken_for(index, allow)) return;
    Part const& part = parts_.all[index];
    allow.from = label_name(part, allow.from);
    allow.to = label_name(part, allow.to);
    std::sort(allow.services.begin(), allow.services.end());
    emit_once(allow);
  }

  /// Another coalition's machines are admitted by its own authority, not by this policy.
  void add_hosts(Part const& part, HostCondition const& condition) {
    if (part.group == home_) emit_once(condition);
  }

  void add_images(Part const& part, VmCondition condition) {
    condition.label = label_name(part, condition.label);
    std::sort(condition.images.begin(), condition.images.end(),
              [](Name const& a, Name const& b) { return a.text < b.text; });
    emit_once(condition);
  }

  void add_goal(Part const& part, GoalStatement goal) {
    auto rename = [&](Name& name) {
      if (name.text != kInternet) name = label_name(part, name);
    };
    rename(goal.from);
    rename(goal.to);
    for (auto& guard : goal.through) rename(guard);
    emit_once(goal);
  }

  /// Only home translates for others: what a site's names mean to another coalition is asked there.
  void add_map(Part const& part, MapStatement map) {
    if (part.group != home_) return;
    for (auto& pair : map.pairs) pair.ours = label_name(part, pair.ours);
    emit_once(map);
  }

  Parts const& parts_;
  Vocabulary const& names_;
  std::vector<std::size_t> const& order_;
  Differences differences_;
  std::size_t home_ = 0;
  std::vector<std::vector<Definition>> definitions_;  ///< by class
  std::multimap<std::string, std::string> walls_of_type_;
  std::set<std::string> types_, categories_, walls_, said_;
  Composition out_;
};

}  // namespace

std::vector<Name> const& wall_types(LabelStatement const& label) {
  return label.wall ? *label.wall : label.share;
}

Composition compose(Parts const& parts, Vocabulary const& vocabulary,
                    std::vector<std::size_t> const& order, Differences differences) {
  return Composer(parts, vocabulary, order, differences).run();
}

tl::expected<PolicyBuild, std::vector<Diagnostic>> build_composition(Composition const& composition,
                                                                     std::string const& name) {
  auto build = build_policy(name, composition.text);
  if (!build) return build;
  PolicyRules rules = build->compiled.tables().rules;
  for (std::size_t i = 0; i < rules.statements.size() && i < composition.statements.size(); ++i) {
    Cited const& from = composition.statements[i];
    rules.statements[i] = {from.file, from.line, from.text};
  }
  auto compiled = compile(std::move(rules));
  if (!compiled) {
    Diagnostic refused;
    refused.file = name;
    refused.code = PolicyCode::not_compiled;
    refused.message = compiled.error().message;
    return tl::unexpected(std::vector{refused});
  }
  build->compiled = std::move(*compiled);
  return build;
}

}  // namespace shamon
