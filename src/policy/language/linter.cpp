// What is right, but perhaps not what was meant.
#include <algorithm>
#include <map>
#include <set>

#include "base/assert.hpp"
#include "policy/decide.hpp"
#include "policy/document.hpp"
#include "policy/language/diagnostics.hpp"
#include "policy/source.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

using Names = std::set<std::string, std::less<>>;

void insert(Names& into, std::vector<Name> const& names) {
  for (auto const& name : names) into.insert(name.text);
}

/// Whether every service of `inner` is one of `outer`; no services at all means every one.
bool covers(std::vector<ServicePattern> const& outer, std::vector<ServicePattern> const& inner) {
  if (outer.empty()) return true;
  return !inner.empty() && std::all_of(inner.begin(), inner.end(), [&](ServicePattern s) {
    return std::any_of(outer.begin(), outer.end(), [&](ServicePattern o) {
      return o.protocol == s.protocol && o.port_low <= s.port_low && s.port_high <= o.port_high;
    });
  });
}

/// Whether `outer` alone allows all that `inner` allows.
bool covers(AllowStatement const& outer, AllowStatement const& inner) {
  bool const same = outer.from.text == inner.from.text && outer.to.text == inner.to.text;
  bool const turned = outer.from.text == inner.to.text && outer.to.text == inner.from.text;
  if (!(same || (turned && outer.two_way)) || (inner.two_way && !outer.two_way)) return false;
  return covers(outer.services, inner.services);
}

class Linter {
 public:
  explicit Linter(PolicyBuild const& build)
      : document_(*build.document),
        policy_(build.compiled),
        rules_(policy_.tables().rules),
        notes_(Severity::note) {
    notes_.open(document_.file);
    for (auto const& include : document_.includes) notes_.open(include.file);
  }

  std::vector<Diagnostic> run() && {
    types_and_walls();
    categories();
    allows();
    labels();
    members();
    goals();
    return std::move(notes_).take();
  }

 private:
  void note(Place place, PolicyCode code, std::string message) {
    notes_.add(std::move(place), code, std::move(message));
  }

  void types_and_walls() {
    Names worn;    // by labels, as either kind of type
    Names walled;  // for walls
    for (auto const& label : document_.labels) {
      insert(worn, label.share);
      insert(worn, label.wall.value_or(label.share));
      insert(walled, label.wall.value_or(label.share));
    }
    Names in_walls;
    for (auto const& wall : document_.walls) {
      insert(in_walls, wall.types);
      check_wall(wall, walled);
    }
    for (auto const& statement : document_.types) {
      for (auto const& name : statement.names) {
        if (worn.count(name.text) + in_walls.count(name.text) > 0) continue;
        note(place_of(statement.origin, name), PolicyCode::unused_type,
             "type " + quoted(name.text) + " is used by no label and no wall");
      }
    }
  }

  void check_wall(WallStatement const& wall, Names const& walled) {
    auto const is_worn = [&](Name const& type) { return walled.count(type.text) > 0; };
    if (std::count_if(wall.types.begin(), wall.types.end(), is_worn) < 2) {
      return note(place_of(wall.origin, wall.name), PolicyCode::wall_never_fires,
                  "wall " + quoted(wall.name.text) +
                      " keeps nothing apart: fewer than two of its types are a label's");
    }
    for (auto const& type : wall.types) {
      if (is_worn(type)) continue;
      note(place_of(wall.origin, type), PolicyCode::unused_wall_type,
           "no label has type " + quoted(type.text) + " for walls");
    }
  }

  void categories() {
    Names used;
    for (auto const& label : document_.labels) {
      insert(used, label.secrecy_categories);
      insert(used, label.integrity_categories);
    }
    for (auto const& statement : document_.categories) {
      for (auto const& name : statement.names) {
        if (used.count(name.text) > 0) continue;
        note(place_of(statement.origin, name), PolicyCode::unused_category,
             "category " + quoted(name.text) + " is used by no label");
      }
    }
  }

  /// Every name in use is known: the policy was compiled.
  Label const& label_of(Name const& name) const {
    auto const id = policy_.find_label(LabelName(name.text));
    SHAMON_ASSERT(id.has_value());
    return rules_.labels[id->value()].label;
  }
  Decision flow(LabelId from, LabelId to, Service service) const {
    return decide({Operation::flow, from, to, service, policy_.revision(), nullptr}, policy_);
  }

  void allows() {
    std::map<std::pair<std::string, std::string>, std::vector<AllowStatement const*>> of_pair;
    for (auto const& allow : document_.allows) {
      of_pair[std::minmax(allow.from.text, allow.to.text)].push_back(&allow);
    }
    for (auto const& [pair, statements] : of_pair) {
      for (auto const* allow : statements) check_allow(*allow, statements);
    }
  }

  void check_allow(AllowStatement const& allow, std::vector<AllowStatement const*> const& pair) {
    Label const& from = label_of(allow.from);
    Label const& to = label_of(allow.to);
    // Between a guard and another label nothing but this grants, and nothing limits it.
    bool const guarded = allow.from.text != allow.to.text && (from.guard || to.guard);
    if (!guarded) {
      check_levels(allow, from, to);
      if (have_common_type(from.share, to.share)) {
        if (allow.services.empty()) return;  // says aloud what is so: that may be meant
        return note(place_of(allow.origin), PolicyCode::allow_limits_nothing,
                    "these labels share a type, so all services are allowed, not only the named");
      }
    }
    bool before = true;
    for (auto const* other : pair) {
      if (other == &allow) {
        before = false;
      } else if (covers(*other, allow) && (before || !covers(allow, *other))) {
        return note(place_of(allow.origin), PolicyCode::allow_repeats,
                    "all of this is allowed by " + seen_from(allow.origin, other->origin) + ": " +
                        other->origin.text);
      }
    }
  }

  /// Levels may forbid what an `allow` seems to grant.
  void check_levels(AllowStatement const& allow, Label const& from, Label const& to) {
    LevelBar const there = bar_between(from.levels, to.levels);
    LevelBar const back = allow.two_way ? bar_between(to.levels, from.levels) : there;
    if (there == LevelBar::none && back == LevelBar::none) return;
    auto forbidden = [](Label const& sender, Label const& receiver, LevelBar bar) {
      return "nothing flow from " + quoted(sender.name.value()) + " to " +
             quoted(receiver.name.value()) +
             (bar == LevelBar::secrecy ? " (secrecy)" : " (integrity)");
    };
    std::string text = "levels let ";
    if (there != LevelBar::none && back != LevelBar::none) {
      text += forbidden(from, to, there);
      if (allow.two_way) text += ", and " + forbidden(to, from, back);
      text += ": this allows nothing";
    } else {
      text += there != LevelBar::none ? forbidden(from, to, there) : forbidden(to, from, back);
      text += ": only the other way passes";
    }
    note(place_of(allow.origin), PolicyCode::levels_forbid, std::move(text));
  }

  void labels() {
    for (auto const& label : document_.labels) check_walls(label);
    for (std::uint16_t i = 0; i < policy_.label_count(); ++i) {
      bool talks = false;
      for (std::uint16_t j = 0; j < policy_.label_count() && !talks; ++j) {
        talks = may_send(LabelId(i), LabelId(j)) || may_send(LabelId(j), LabelId(i));
      }
      if (talks) continue;
      LabelStatement const& label = document_.labels[i];
      note(place_of(label.origin, label.name), PolicyCode::label_alone,
           "label " + quoted(label.name.text) +
               " reaches nobody and nobody reaches it, not even another VM with this label");
    }
  }

  void check_walls(LabelStatement const& label) {
    TypeSet const& types = label_of(label.name).wall;
    for (std::size_t i = 0; i < rules_.walls.size(); ++i) {
      if (!breaks_wall(rules_.walls[i].types, types, types)) continue;
      note(place_of(label.origin, label.name), PolicyCode::never_starts_as_stated,
           "label " + quoted(label.name.text) + " stands on both sides of wall " +
               quoted(document_.walls[i].name.text) + ", so it can never start");
    }
  }

  /// Over any service.
  bool may_send(LabelId from, LabelId to) const {
    Decision const decision = flow(from, to, {});
    return decision.allowed() || decision.reason == Reason::service_not_allowed;
  }

  void members() {
    Origin const& head = document_.coalition.origin;
    if (document_.host_conditions.empty()) {
      note(place_of(head), PolicyCode::no_member_host,
           "no 'member host' statement: no machine is admitted");
    }
    if (document_.vm_conditions.empty()) {
      if (document_.labels.empty()) return;
      return note(place_of(head), PolicyCode::label_without_image,
                  "no 'member vm' statement: no VM may run");
    }
    Names with_image;
    for (auto const& vm : document_.vm_conditions) with_image.insert(vm.label.text);
    for (auto const& label : document_.labels) {
      if (with_image.count(label.name.text) > 0) continue;
      note(place_of(label.origin, label.name), PolicyCode::label_without_image,
           "no 'member vm' statement for label " + quoted(label.name.text) +
               ": no VM may run under it");
    }
  }

  void goals() {
    for (auto const& goal : document_.goals) {
      for (auto const& guard : goal.through) {
        if (guard.text != goal.from.text && guard.text != goal.to.text) continue;
        note(place_of(goal.origin, guard), PolicyCode::guard_is_an_end,
             "every path goes through " + quoted(guard.text) +
                 ", an end of this goal: the goal forbids nothing");
      }
    }
  }

  PolicyDocument const& document_;
  CompiledPolicy const& policy_;
  PolicyRules const& rules_;
  Diagnostics notes_;
};

}  // namespace

std::vector<Diagnostic> lint_policy(PolicyBuild const& build) {
  return Linter(build).run();
}

}  // namespace shamon
