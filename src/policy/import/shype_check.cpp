// What the schema cannot say: names defined once and before all defined, our bounds kept.
#include <map>
#include <set>

#include "label/limits.hpp"
#include "policy/compiled_policy.hpp"
#include "policy/import/shype_policy.hpp"
#include "policy/language/diagnostics.hpp"
#include "policy/language/spelling.hpp"
#include "policy/limits.hpp"

namespace shamon {
namespace {

class Checker {
 public:
  Checker(ShypePolicy const& policy, ShypeFindings& findings)
      : policy_(policy), findings_(findings) {}

  void run() {
    Names const ste = define(policy_.ste_types, "STE type");
    Names const wall = define(policy_.wall_types, "Chinese Wall type");
    check_labels(policy_.vms, "label", ste, wall);
    check_labels(policy_.resources, "resource label", ste, wall);
    check_bootstrap();
    check_conflicts(wall);
    check_renames();
    check_bounds(ste, wall);
    if (!policy_.has_ste && !policy_.vms.empty()) {
      findings_.note(policy_.name.file, policy_.name.place,
                     "there is no SimpleTypeEnforcement, so no labels share; ACM would then have "
                     "judged starts only and let everything share");
    }
  }

 private:
  using Names = std::map<std::string_view, ShypeName const*>;

  void error(ShypeName const& where, std::string message) {
    findings_.error(where.file, where.place, std::move(message));
  }
  void note(ShypeName const& where, std::string message) {
    findings_.note(where.file, where.place, std::move(message));
  }

  void check_name(ShypeName const& name) {
    if (is_policy_name(name.text)) return;
    error(name, quoted(name.text) +
                    " cannot be a name: 1 to 63 bytes that can be seen, no blank at either end");
  }

  void define(ShypeName const& name, std::string const& kind, Names& names) {
    check_name(name);
    auto const [at, added] = names.try_emplace(name.text, &name);
    if (added) return;
    error(name, kind + " " + quoted(name.text) + " is already defined on line " +
                    std::to_string(at->second->place.line));
  }
  Names define(std::vector<ShypeName> const& defined, std::string const& kind) {
    Names names;
    for (auto const& name : defined) define(name, kind, names);
    return names;
  }

  void find(ShypeName const& name, std::string const& kind, Names const& names) {
    if (names.count(name.text) == 1) return;
    std::vector<std::string_view> candidates;
    for (auto const& [candidate, where] : names) candidates.push_back(candidate);
    error(name, kind + " " + quoted(name.text) + " is not defined" +
                    did_you_mean(nearest(name.text, candidates)));
  }

  void check_labels(std::vector<ShypeLabel> const& labels, std::string const& kind,
                    Names const& ste, Names const& wall) {
    Names names;
    for (auto const& label : labels) {
      define(label.name, kind, names);
      for (auto const& type : label.ste) find(type, "STE type", ste);
      for (auto const& type : label.wall) find(type, "Chinese Wall type", wall);
      for (auto const& conflict : policy_.conflicts) check_start(label, conflict);
    }
  }

  void check_start(ShypeLabel const& label, ShypeConflict const& conflict) {
    std::set<std::string_view> held;
    for (auto const& type : label.wall) {
      for (auto const& side : conflict.types) {
        if (type.text == side.text) held.insert(side.text);
      }
    }
    if (held.size() < 2) return;
    note(label.name, "label " + quoted(label.name.text) + " has two types of conflict set " +
                         quoted(conflict.name.text) + ", so it can never start");
  }

  void check_bootstrap() {
    if (!policy_.bootstrap) return;
    Names labels;
    for (auto const& vm : policy_.vms) labels.try_emplace(vm.name.text, &vm.name);
    find(*policy_.bootstrap, "the bootstrap label", labels);
  }

  void check_conflicts(Names const& wall) {
    Names names;
    for (auto const& conflict : policy_.conflicts) {
      define(conflict.name, "conflict set", names);
      std::set<std::string_view> types;
      for (auto const& type : conflict.types) {
        find(type, "Chinese Wall type", wall);
        types.insert(type.text);
      }
      if (types.size() < 2) {
        note(conflict.name, "conflict set " + quoted(conflict.name.text) +
                                " has fewer than two types and so sets nothing apart; it is left "
                                "out");
      }
    }
  }

  void check_renames() {
    for (auto const* labels : {&policy_.vms, &policy_.resources}) {
      std::map<std::string_view, ShypeName const*> renamed;
      for (auto const& label : *labels) {
        if (!label.from) continue;
        check_name(*label.from);
        if (!policy_.from_policy) {
          note(*label.from, "'from' is left out: the header has no <FromPolicy> it could mean");
        } else if (!renamed.try_emplace(label.from->text, &*label.from).second) {
          error(*label.from, "label " + quoted(label.from->text) + " is renamed twice");
        }
      }
    }
    if (policy_.from_policy) check_name(*policy_.from_policy);
  }

  void too_many(ShypeName const& where, std::size_t max, std::string const& what) {
    error(where, "more than " + std::to_string(max) + " " + what);
  }

  void check_bounds(Names const& ste, Names const& wall) {
    std::set<std::string_view> types;
    for (auto const* names : {&ste, &wall}) {
      for (auto const& [name, where] : *names) types.insert(name);
    }
    std::size_t const labels = policy_.vms.size() + policy_.resources.size();
    if (types.size() > kTypesMax) too_many(policy_.name, kTypesMax, "types");
    if (labels > kLabelsMax) too_many(policy_.name, kLabelsMax, "labels");
    if (policy_.conflicts.size() > kWallsMax) {
      too_many(policy_.conflicts[kWallsMax].name, kWallsMax, "conflict sets");
    }
  }

  ShypePolicy const& policy_;
  ShypeFindings& findings_;
};

}  // namespace

void check_shype(ShypePolicy const& policy, ShypeFindings& findings) {
  Checker(policy, findings).run();
}

}  // namespace shamon
