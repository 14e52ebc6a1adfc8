#include "policy/prove/matrix_question.hpp"

#include "policy/prove/smt_text.hpp"

namespace shamon {
namespace {

using namespace smt;

/// What the two sides must agree upon.
constexpr char const* kAspects[] = {"flow", "memory", "device", "start"};

}  // namespace

MatrixQuestion::MatrixQuestion(PolicyDocument const& document, CompiledPolicy const& policy)
    : document_(&document),
      policy_(&policy),
      statements_(document),
      tables_(policy.tables()),
      disagreements_(malformed_tables(policy.tables())) {
  auto differ = [&](std::string text) { disagreements_.push_back(std::move(text)); };
  if (policy.coalition().value() != document.coalition.name.text) {
    differ("the statements name coalition " + document.coalition.name.text + ", the tables " +
           policy.coalition().value());
  }
  if (policy.revision() != document.coalition.revision) {
    differ("the statements are revision " + std::to_string(document.coalition.revision.value()) +
           ", the tables revision " + std::to_string(policy.revision().value()));
  }
  std::vector<bool> named(policy.label_count());
  for (auto const& label : document.labels) {
    auto const id = policy.find_label(LabelName(label.name.text));
    if (!id) {
      differ("label " + label.name.text + " is not in the tables");
      continue;
    }
    if (named[id->value()]) differ("two labels have the number of " + label.name.text);
    named[id->value()] = true;
    ids_.push_back(*id);
    if (policy.tables().rules.labels[id->value()].statement == label.origin.statement) continue;
    differ("the tables name another statement than its own for label " + label.name.text);
  }
  for (std::uint16_t i = 0; i < named.size(); ++i) {
    if (!named[i]) differ("no statement defines label " + policy.label_name(LabelId(i)).value());
  }
}

std::string MatrixQuestion::preamble() const {
  std::string out = comment("Does the compiled policy say what the statements say? coalition " +
                            document_->coalition.name.text + " revision " +
                            std::to_string(document_->coalition.revision.value()));
  out +=
      "(set-option :produce-models true)\n"
      "(set-logic QF_BV)\n"
      "(define-sort Label () (_ BitVec 16))\n"
      "(define-sort Port () (_ BitVec 16))\n"
      "(declare-const to Label)\n"
      "(declare-const protocol (_ BitVec 8))\n"
      "(declare-const port Port)\n"
      "(declare-const source-port Port)\n";
  for (std::size_t i = 0; i < rows(); ++i) {
    out += "(define-fun " + StatementsSmt::name_of(label(i)) + " () Label " +
           bits(ids_[i].value(), 16) + ")\n";
  }
  if (rows() == 0) return out;
  return out + comment("The statements.") + statements_.definitions() +
         comment("The tables, as decide() reads them.") + tables_.definitions();
}

std::string MatrixQuestion::definitions_of_row(std::size_t index) const {
  return comment("What " + label(index).name.text + " may do.") + statements_.row(label(index)) +
         tables_.row(ids_[index],
                     [this](StatementId statement) { return statements_.allow_name(statement); });
}

std::string MatrixQuestion::row(std::size_t index) const {
  std::vector<std::string> differences = {"compiled.unlicensed"};
  for (std::string const aspect : kAspects) {
    differences.push_back("(distinct statements." + aspect + " compiled." + aspect + ")");
  }
  return definitions_of_row(index) + "(assert " + any_of(differences) + ")\n";
}

std::string MatrixQuestion::control_row() const {
  return definitions_of_row(0) +
         "(define-fun at-one-packet () Bool (and (= to #x0000) (= protocol #x06) "
         "(= port #x01bb) (= source-port #xc001)))\n"
         "(assert (distinct statements.flow (xor compiled.flow at-one-packet)))\n";
}

std::string MatrixQuestion::script() const {
  std::string out = preamble();
  if (rows() == 0) return out;
  out += "(push 1)\n" + comment("A control question: the answer must be sat.") + control_row() +
         "(check-sat)\n(pop 1)\n" + comment("Every answer from here on must be unsat.");
  for (std::size_t i = 0; i < rows(); ++i) out += "(push 1)\n" + row(i) + "(check-sat)\n(pop 1)\n";
  return out;
}

}  // namespace shamon
