#include "policy/unite/unite.hpp"

#include <numeric>

#include "policy/language/diagnostics.hpp"
#include "policy/unite/judge.hpp"
#include "policy/unite/limits.hpp"

namespace shamon {
namespace {

LabelId id_of(CompiledPolicy const& policy, LabelName const& name) {
  return policy.find_label(name).value_or(LabelId(kLabelsMax));
}

UnionResult failed(Errc code, std::string message) {
  UnionResult out;
  out.error = Error{code, std::move(message), {}};
  return out;
}
UnionResult refused(Conflicts conflicts) {
  UnionResult out;
  out.conflicts = std::move(conflicts).take();
  return out;
}

Status check_sizes(Parts const& parts, Vocabulary const& names) {
  if (names.class_count() > kLabelsMax) {
    return fail(Errc::too_large, std::to_string(parts.all.size()) + " policies have " +
                                     std::to_string(names.class_count()) +
                                     " labels together; one policy may have " +
                                     std::to_string(kLabelsMax));
  }
  if (std::string const name = names.too_long(); !name.empty()) {
    return fail(Errc::too_large, "the name " + quoted(name) + " would have more than 63 bytes");
  }
  return {};
}

}  // namespace

UnionResult unite(std::vector<SharedPolicy> const& policies) {
  if (policies.empty()) return failed(Errc::invalid, "no policy was given");
  if (policies.size() > kUnitedPoliciesMax) {
    return failed(Errc::too_large,
                  "more than " + std::to_string(kUnitedPoliciesMax) + " policies at once");
  }
  Parts const parts = read_parts(policies);
  std::vector<Conflict> of_maps;
  Vocabulary const names = Vocabulary::make(parts, of_maps);
  Conflicts conflicts;
  for (auto& found : of_maps) conflicts.add(std::move(found));
  judge_definitions(parts, names, conflicts);
  judge_merges(parts, names, conflicts);
  judge_admission(parts, names, conflicts);
  // Without agreement on what names mean there is no union whose decisions could be judged.
  if (!conflicts.none()) return refused(std::move(conflicts));
  if (auto sizes = check_sizes(parts, names); !sizes) {
    return failed(sizes.error().code, sizes.error().message);
  }
  std::vector<std::size_t> order(parts.all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Composition composition = compose(parts, names, order, Differences::all);
  auto build = build_composition(composition, "union");
  if (!build) {
    // Every name is defined and every statement was right: what is left is a limit.
    return failed(Errc::too_large, "the united policy: " + build.error().front().message);
  }
  auto const united = std::make_shared<PolicyBuild const>(std::move(*build));
  judge_decisions(parts, names, united, composition.statements, conflicts);
  judge_goals(parts, names, united, composition.statements, conflicts);
  if (!conflicts.none()) return refused(std::move(conflicts));
  UnionResult out;
  out.united.emplace();
  out.united->label_names.resize(parts.all.size());
  for (std::size_t i = 0; i < parts.all.size(); ++i) {
    for (auto const& label : parts.all[i].document().labels) {
      out.united->label_names[i].emplace_back(
          names.name(names.class_of(parts.all[i].group, label.name.text)));
    }
  }
  out.united->build = united;
  out.united->text = std::move(composition.text);
  out.united->statements = std::move(composition.statements);
  out.united->notes = std::move(composition.notes);
  return out;
}

Decision ask(Question const& question, CompiledPolicy const& policy) {
  LabelSet running;
  for (auto const& name : question.running) {
    if (auto const id = policy.find_label(name)) running.set(id->value());
  }
  return decide({question.operation, id_of(policy, question.subject),
                 id_of(policy, question.object), question.service, question.revision, &running},
                policy);
}

}  // namespace shamon
