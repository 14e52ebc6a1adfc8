#include "policy/prove/tables_smt.hpp"

#include <algorithm>

#include "policy/prove/smt_text.hpp"

namespace shamon {
namespace {

using namespace smt;

std::string id_term(std::size_t label) {
  return bits(label, 16);
}
std::string is(char const* variable, std::size_t label) {
  return equal(variable, id_term(label));
}

/// One comparison of decide(): key - low <= span, unsigned, in 32 bits.
std::string matches(ServiceRule const& rule) {
  auto in_range = [&](std::string const& key) {
    return "(bvule (bvsub " + key + " " + bits(rule.low, 32) + ") " + bits(rule.span, 32) + ")";
  };
  if (!rule.either_port) return in_range("key");
  return any_of({in_range("key"), in_range("reply-key")});
}

}  // namespace

std::vector<std::string> malformed_tables(CompiledPolicy::Tables const& tables) {
  std::vector<std::string> out;
  std::size_t const count = tables.rules.labels.size();
  if (tables.pairs.size() != count * count) out.push_back("the matrix is not labels by labels");
  for (auto const& cell : tables.pairs) {
    if (std::size_t{cell.first_rule} + cell.rule_count <= tables.service_rules.size()) continue;
    out.push_back("a cell of the matrix names rules that are not there");
    break;
  }
  if (count < kLabelsMax && (tables.known >> count).any()) {
    out.push_back("the set of known labels holds one that is none");
  }
  return out;
}

std::string TablesSmt::definitions() const {
  std::string out;
  for (auto const& [name, port] :
       {std::pair("key", "port"), std::pair("reply-key", "source-port")}) {
    out += "(define-fun " + std::string(name) + " () (_ BitVec 32) (concat #x00 protocol " + port +
           "))\n";
  }
  return out + define("compiled.known", "", labels_where([&](LabelId label) {
                        return tables_.known.test(label.value());
                      }));
}

template <class Which>
std::string TablesSmt::labels_where(Which which) const {
  std::vector<std::string> terms;
  for (std::uint16_t label = 0; label < tables_.rules.labels.size(); ++label) {
    if (which(LabelId(label))) terms.push_back(is("to", label));
  }
  return any_of(terms);
}

std::string TablesSmt::rules_to(LabelId from, LabelId to, AllowName const& allow_name,
                                std::vector<std::string>& unlicensed) const {
  PairCell const& cell = tables_.pair(from, to);
  std::vector<std::string> terms;
  for (std::size_t i = 0; i < cell.rule_count; ++i) {
    ServiceRule const& rule = tables_.service_rules[cell.first_rule + i];
    terms.push_back(matches(rule));
    std::string const allow = allow_name(rule.statement);
    std::vector<std::string> outside = {is("to", to.value()), terms.back()};
    if (!allow.empty()) outside.push_back("(not (" + allow + " " + id_term(from.value()) + " to))");
    unlicensed.push_back(all_of(outside));
  }
  return all_of({is("to", to.value()), any_of(terms)});
}

/// That some wall would have two types of it there, of `from` and of `to`.
std::string TablesSmt::conflicting(LabelId from) const {
  auto const& labels = tables_.rules.labels;
  return labels_where([&](LabelId to) {
    TypeSet const types = labels[from.value()].label.wall | labels[to.value()].label.wall;
    auto const& walls = tables_.rules.walls;
    return std::any_of(walls.begin(), walls.end(),
                       [&](auto const& wall) { return (wall.types & types).count() > 1; });
  });
}

std::string TablesSmt::row(LabelId from, AllowName const& allow_name) const {
  std::vector<std::string> rules;
  std::vector<std::string> unlicensed;
  for (std::uint16_t to = 0; to < tables_.rules.labels.size(); ++to) {
    if (tables_.pair(from, LabelId(to)).rule_count == 0) continue;
    rules.push_back(rules_to(from, LabelId(to), allow_name, unlicensed));
  }
  auto there = [&](LabelId to) -> PairCell const& { return tables_.pair(from, to); };
  auto back = [&](LabelId to) -> PairCell const& { return tables_.pair(to, from); };
  auto unbarred = [](PairCell const& cell) { return cell.bar == LevelBar::none; };
  return define("compiled.common-type", "",
                labels_where([&](LabelId to) { return there(to).common_type; })) +
         define("compiled.guarded", "",
                labels_where([&](LabelId to) { return there(to).guarded; })) +
         define("compiled.levels-there", "",
                labels_where([&](LabelId to) { return unbarred(there(to)); })) +
         define("compiled.levels-back", "",
                labels_where([&](LabelId to) { return unbarred(back(to)); })) +
         define("compiled.rules", "", any_of(rules)) +
         define("compiled.flow", "",
                "(ite (and compiled.common-type (not compiled.guarded)) compiled.levels-there "
                "(and compiled.rules (or compiled.guarded compiled.levels-there)))") +
         define("compiled.both-ways", "",
                "(and compiled.common-type compiled.levels-there compiled.levels-back)") +
         define("compiled.memory", "", "(and compiled.both-ways (not compiled.guarded))") +
         define("compiled.device", "", any_of({is("to", from.value()), "compiled.both-ways"})) +
         define("compiled.start", "",
                all_of({"compiled.known", "(not " + conflicting(from) + ")"})) +
         define("compiled.unlicensed", "", any_of(unlicensed));
}

}  // namespace shamon
