#include <algorithm>
#include <set>

#include "policy/unite/compare.hpp"
#include "policy/unite/judge.hpp"

namespace shamon {
namespace {

class Decisions {
 public:
  Decisions(Parts const& parts, Vocabulary const& vocabulary, SharedPolicy const& united,
            std::vector<Cited> const& statements, Conflicts& conflicts)
      : parts_(parts),
        names_(vocabulary),
        united_(comparable("the union", united)),
        statements_(statements),
        conflicts_(conflicts) {}

  void run() {
    for (auto const& part : parts_.all) keep_apart(part);
    for (auto const& part : parts_.all) keep_own_decisions(part);
    keep_guards();
  }

 private:
  /// Labels that a map makes one must be one label in all but name.
  void keep_apart(Part const& part) {
    std::unordered_map<ClassId, std::vector<LabelStatement const*>> by_class;
    for (auto const& label : part.document().labels) {
      by_class[names_.class_of(part.group, label.name.text)].push_back(&label);
    }
    for (auto const& label : part.document().labels) {
      ClassId const id = names_.class_of(part.group, label.name.text);
      auto const& merged = by_class[id];
      if (merged.size() < 2 || merged.front() != &label) continue;
      Comparable const own = comparable(part.file(), part.policy);
      LabelName const one(names_.name(id));
      for (auto const* a : merged) {
        for (auto const* b : merged) {
          if (a == b || merges_.contains(id)) continue;
          LabelPair const pair{LabelName(a->name.text), LabelName(b->name.text)};
          auto found = find_difference(own, pair, united_, {one, one}, Asked::exchange);
          if (!found) found = find_difference(own, pair, united_, {one, one}, Asked::start);
          if (found) report_merge(part, *a, *b, std::move(*found));
        }
      }
    }
  }

  void report_merge(Part const& part, LabelStatement const& a, LabelStatement const& b,
                    std::pair<Answer, Answer> answers) {
    ClassId const id = names_.class_of(part.group, a.name.text);
    merges_.insert(id);
    Conflict found;
    found.kind = ConflictKind::merge;
    found.text = "a map would make one label of '" + a.name.text + "' and '" + b.name.text +
                 "', which are decided differently";
    found.one = cite(a.origin);
    found.other = cite_map(id);
    found.example = two_answers(std::move(answers.first), std::move(answers.second));
    conflicts_.add(std::move(found));
  }

  void keep_own_decisions(Part const& part) {
    Comparable const own = comparable(part.file(), part.policy);
    auto const& labels = part.document().labels;
    std::vector<LabelName> own_names, union_names;
    std::vector<bool> merged;
    for (auto const& label : labels) {
      ClassId const id = names_.class_of(part.group, label.name.text);
      own_names.emplace_back(label.name.text);
      union_names.emplace_back(names_.name(id));
      merged.push_back(merges_.contains(id));  // whatever else it changes follows from that
    }
    for (std::size_t a = 0; a < labels.size(); ++a) {
      for (std::size_t b = 0; b < labels.size() && !conflicts_.full(); ++b) {
        if (merged[a] || merged[b]) continue;
        for (Asked asked : {Asked::exchange, Asked::start}) {
          auto found = find_difference(own, {own_names[a], own_names[b]}, united_,
                                       {union_names[a], union_names[b]}, asked);
          if (found) report(part, labels[a], labels[b], std::move(*found));
        }
      }
    }
  }

  void report(Part const& part, LabelStatement const& a, LabelStatement const& b,
              std::pair<Answer, Answer> answers) {
    Conflict found;
    ClassId const class_a = names_.class_of(part.group, a.name.text);
    ClassId const class_b = names_.class_of(part.group, b.name.text);
    bool const mapped = names_.is_mapped(class_a) || names_.is_mapped(class_b);
    bool const start = answers.first.question.operation == Operation::start;
    std::string const both = "'" + a.name.text + "' and '" + b.name.text + "'";
    if (start) {
      found.kind = ConflictKind::type;
      found.text = "a wall stands between types of " + both + ", which " + part.file() +
                   " runs side by side";
    } else if (a.guard || b.guard) {
      found.kind = ConflictKind::guard;
      found.text = "the interface of a guard would grow between " + both;
    } else if (mapped) {
      found.kind = ConflictKind::map;
      found.text = "a map would change what passes between " + both;
    } else {
      found.kind = ConflictKind::allow;
      found.text = "what may pass between " + both + " would be something else";
    }
    found.one = cite(*part.policy, answers.first.decision);
    if (found.one.line == 0) found.one = cite(a.origin);
    found.other = cite_united(answers.second.decision);
    // A map is to blame if the union rests on a statement of the policy itself, or on none.
    bool const map_to_blame = found.other.line == 0 || part.has_file(found.other.file);
    if (map_to_blame && mapped)
      found.other = cite_map(names_.is_mapped(class_a) ? class_a : class_b);
    bool const is_new =
        said_.insert({part.file(), found.kind, found.other.file, found.other.line}).second;
    if (!is_new) return;  // the other direction, or another pair, for the same reason
    found.example = two_answers(std::move(answers.first), std::move(answers.second));
    conflicts_.add(std::move(found));
  }

  Cited cite_map(ClassId id) const {
    MapLink const link = names_.links(id).front();
    return cite(link.map->origin);
  }

  Cited cite_united(Decision const& decision) const {
    std::size_t const number = decision.statement.value();
    return number == 0 || number > statements_.size() ? Cited{} : statements_[number - 1];
  }

  /// Whoever names a guard states its whole interface: no other policy may add a partner to it.
  void keep_guards() {
    std::unordered_map<ClassId, std::vector<std::size_t>> guards;
    std::vector<std::set<ClassId>> known(parts_.all.size());
    for (std::size_t i = 0; i < parts_.all.size(); ++i) {
      Part const& part = parts_.all[i];
      for (auto const& label : part.document().labels) {
        ClassId const id = names_.class_of(part.group, label.name.text);
        known[i].insert(id);
        if (label.guard) guards[id].push_back(i);
      }
    }
    for (std::size_t i = 0; i < parts_.all.size(); ++i) {
      Part const& part = parts_.all[i];
      for (auto const& allow : part.document().allows) {
        ClassId const from = names_.class_of(part.group, allow.from.text);
        ClassId const to = names_.class_of(part.group, allow.to.text);
        for (auto const& [guard, partner] : {std::pair(from, to), std::pair(to, from)}) {
          auto const at = guards.find(guard);
          if (at == guards.end()) continue;
          for (std::size_t other : at->second) {
            if (other != i && !known[other].contains(partner)) {
              report_guard(parts_.all[other], guard, part, allow);
            }
          }
        }
      }
    }
  }

  void report_guard(Part const& part, ClassId guard, Part const& from,
                    AllowStatement const& allow) {
    std::string own;
    for (auto const& [group, name] : names_.members(guard)) {
      if (group == part.group && part.labels.contains(name)) own = name;
    }
    auto own_name = [&](ClassId id) { return id == guard ? own : names_.name(id); };
    ClassId const a = names_.class_of(from.group, allow.from.text);
    ClassId const b = names_.class_of(from.group, allow.to.text);
    auto answers = find_difference(
        comparable(part.file(), part.policy), {LabelName(own_name(a)), LabelName(own_name(b))},
        united_, {LabelName(names_.name(a)), LabelName(names_.name(b))}, Asked::exchange);
    if (!answers) return;  // levels forbid what the statement would allow
    Conflict found;
    found.kind = ConflictKind::guard;
    found.text = "guard '" + own + "' would get a partner that " + part.file() + " does not know";
    found.one = cite(part.labels.at(own)->origin);
    found.other = cite(allow.origin);
    found.example = two_answers(std::move(answers->first), std::move(answers->second));
    conflicts_.add(std::move(found));
  }

  Parts const& parts_;
  Vocabulary const& names_;
  Comparable united_;
  std::vector<Cited> const& statements_;
  Conflicts& conflicts_;
  std::set<ClassId> merges_;  ///< already reported
  std::set<std::tuple<std::string, ConflictKind, std::string, std::uint32_t>> said_;
};

}  // namespace

void judge_decisions(Parts const& parts, Vocabulary const& vocabulary, SharedPolicy const& united,
                     std::vector<Cited> const& statements, Conflicts& conflicts) {
  Decisions(parts, vocabulary, united, statements, conflicts).run();
}

}  // namespace shamon
