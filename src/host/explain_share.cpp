#include "host/explain_share.hpp"

#include "host/journal.hpp"
#include "policy/decision_text.hpp"

namespace shamon {
namespace {

constexpr char const* kHere = "the administrator of this machine";
constexpr char const* kCoalitionOperator = "the operator of the coalition's authority";

class Premises {
 public:
  explicit Premises(std::string question) {
    out_.question = std::move(question);
    out_.verdict = "allowed";
  }
  bool add(bool holds, std::string const& text, std::string const& rule = {}) {
    std::string const source = rule.empty() ? "" : " (" + rule + ")";
    out_.lines.push_back((holds ? "  [yes] " : "  [no]  ") + text + source);
    out_.premises.push_back({holds, text, rule});
    if (!holds) out_.verdict = "denied";
    return holds;
  }
  void remedy(std::string what, std::string who) {
    out_.lines.push_back("        to change it: " + what + " — " + who);
    out_.remedies.push_back({std::move(what), std::move(who), ""});
  }
  Explanation take() && { return std::move(out_); }

 private:
  Explanation out_;
};

void argue_party(Premises& premises, ShareQuestion::Party const& party) {
  if (party.state.empty()) {
    premises.add(false, party.name + " is a VM of this machine");
    return premises.remedy("memory is shared only on one machine: both VMs have to run here",
                           kHere);
  }
  if (!premises.add(party.state == "running",
                    party.name + " is " + party.state + " with label " + party.label.value())) {
    premises.remedy("the VM has to run", kHere);
  }
  if (!premises.add(party.kind == "qemu", party.name + " is of kind " + party.kind)) {
    premises.remedy("only QEMU guests have a device for it", kHere);
  }
}

void argue_share_policy(Premises& premises, ShareQuestion const& q, CompiledPolicy const& policy) {
  auto const owner = policy.find_label(q.owner.label), user = policy.find_label(q.user.label);
  std::pair<Operation, char const*> const asked[] = {
      {Operation::share_memory, "share memory"}, {Operation::bind_event, "send each other events"}};
  for (auto const& [operation, what] : asked) {
    Decision const decision = decide({operation,
                                      owner.value_or(LabelId(kLabelsMax)),
                                      user.value_or(LabelId(kLabelsMax)),
                                      {},
                                      policy.revision(),
                                      nullptr},
                                     policy);
    std::string const text = "policy: " + q.owner.label.value() + " and " + q.user.label.value() +
                             " may " + what + ": " + to_string(decision.reason);
    StatementOrigin const origin = policy.origin(decision.statement);
    if (premises.add(decision.allowed(), text, rule_text(origin, policy.revision()))) continue;
    premises.remedy("both labels need a common type, and equal levels; no allow helps",
                    kCoalitionOperator);
  }
}

}  // namespace

Explanation explain_share(ShareQuestion const& question, CompiledPolicy const& policy) {
  Premises premises("may " + question.owner.name + " share memory and events with " +
                    question.user.name + "?");
  argue_party(premises, question.owner);
  argue_party(premises, question.user);
  if (question.owner.name == question.user.name) {
    premises.add(false, "they are two VMs");
  }
  if (!question.owner.state.empty() && !question.user.state.empty()) {
    argue_share_policy(premises, question, policy);
  }
  if (!premises.add(question.gate_connected, "the gate is connected")) {
    premises.remedy("the gate has to run", kHere);
  }
  return std::move(premises).take();
}

}  // namespace shamon
